public import PathEvaluation
import PathLearning
import PathTelemetry

/// An evaluation as tables and as sentences.
extension EvaluationReport {
    /// One row per policy and estimator, with the verdict of each policy in words.
    public func table() -> TextTable {
        let percent = NumberText.short(options.confidence * 100)
        var table = TextTable([
            TextTable.Column("policy", .left), TextTable.Column("estimator", .left),
            TextTable.Column("value"), TextTable.Column("std. error"),
            TextTable.Column("\(percent) % interval"), TextTable.Column("verdict", .left),
        ])
        func row(
            _ label: String, _ name: String, _ estimate: Estimate, _ interval: Interval,
            _ verdict: String
        ) {
            table.add([
                label, name, NumberText.fixed(estimate.value, 4),
                NumberText.fixed(estimate.knownError ?? .nan, 4), EvaluationReport.text(interval),
                verdict,
            ])
        }
        row(EvaluationReport.recordedLabel, "mean", recorded, recordedInterval, "")
        for policy in policies {
            for (index, item) in policy.estimates.enumerated() {
                row(
                    index == 0 ? policy.label : "", EvaluationReport.name(item.estimate),
                    item.estimate, item.interval, index == 0 ? policy.verdict.level.words : "")
            }
        }
        return table
    }

    /// One row per policy: its gain over the recorded policy and over the baseline, each paired by
    /// decision, and the gate's decision.
    public func gains() -> TextTable {
        let percent = NumberText.short(options.confidence * 100)
        let hasGate = policies.contains { $0.gate != nil }
        var columns = [
            TextTable.Column("policy", .left), TextTable.Column("gain over", .left),
            TextTable.Column("value"), TextTable.Column("\(percent) % interval"),
        ]
        if hasGate { columns.append(TextTable.Column("gate", .left)) }
        var table = TextTable(columns)
        for policy in policies {
            let gate = policy.gate.map { gate in
                "\(gate.decision.rawValue) (\(EvaluationReport.text(gate.interval)))"
                    + (gate.reason.isEmpty ? "" : ": \(gate.reason)")
            }
            var rows = [
                [
                    policy.label, EvaluationReport.recordedLabel,
                    EvaluationReport.signed(policy.gain.estimate.value),
                    EvaluationReport.text(policy.gain.interval),
                ] + (hasGate ? [gate ?? ""] : [])
            ]
            if let other = policy.overBaseline {
                rows.append(
                    [
                        "", other.name, EvaluationReport.signed(other.estimate.value),
                        EvaluationReport.text(other.interval),
                    ] + (hasGate ? [""] : []))
                rows += policy.overBaselineAdaptive.map { item in
                    [
                        "", "\(other.name), \(item.estimate.estimator.text)",
                        EvaluationReport.signed(item.estimate.value),
                        EvaluationReport.text(item.interval),
                    ] + (hasGate ? [""] : [])
                }
            }
            for row in rows { table.add(row) }
        }
        return table
    }

    /// The value of a policy by action, by class and over time.
    public func slices(of policy: PolicyEvaluation) -> TextTable {
        var table = TextTable([
            TextTable.Column("part of the log", .left), TextTable.Column("decisions"),
            TextTable.Column("recorded"), TextTable.Column("share of policy"),
            TextTable.Column("value"), TextTable.Column("std. error"),
        ])
        let whole = policy.rows.weights.sum
        // A path that is also part of combined actions has an additional row for all of its
        // actions.
        let hasPairs = policy.analysis.byAction.contains { $0.name.contains("+") }
        let paths =
            hasPairs
            ? policy.analysis.byPath.map { (name: "all with \($0.name)", sums: $0.sums) } : []
        for (name, sums) in policy.analysis.byAction + paths {
            let value = sums.selfNormalised
            table.add([
                name, NumberText.count(sums.count), NumberText.fixed(sums.rewards.mean, 4),
                NumberText.percent(whole > 0 ? sums.weight / whole : 0),
                NumberText.fixed(value.value, 4), NumberText.fixed(value.standardError, 4),
            ])
        }
        for (name, sums) in policy.analysis.byClass {
            table.add([
                name, NumberText.count(sums.count), NumberText.fixed(sums.rewards.mean, 4),
                NumberText.percent(whole > 0 ? sums.weight / whole : 0),
                NumberText.fixed(sums.scores.mean, 4),
                NumberText.fixed(sums.count > 1 ? sums.scores.standardError : .nan, 4),
            ])
        }
        let recent = policy.analysis.discountedValue
        table.add([
            "discounted, half-life \(NumberText.count(Int(options.halfLife)))",
            NumberText.count(policy.rows.count), "", "", NumberText.fixed(recent.value, 4),
            NumberText.fixed(policy.rows.count > 1 ? recent.standardError : .nan, 4),
        ])
        return table
    }

    /// The distribution of outcomes under the policy, for quantiles that the effective number of
    /// decisions allows.
    public func outcomes(of policy: PolicyEvaluation) -> String {
        let size = policy.diagnostics.effectiveSampleSize
        let shares = [0.5, 0.9, 0.95, 0.99].filter { size * (1 - $0) > 1 - 1e-9 }
        guard !shares.isEmpty else {
            return "\(policy.label): too few decisions for a distribution of the \(outcomeName)."
        }
        let values = policy.analysis.outcomes.weightedQuantiles(shares)
        let quantiles = zip(shares, values).map {
            "p\(Int(($0 * 100).rounded())) \(NumberText.short($1, digits: 4))"
        }
        var text = "\(policy.label): \(outcomeName) " + quantiles.joined(separator: ", ")
        if shares.contains(0.95) {
            let tail = tailRisk(of: policy)
            text += ", mean of the worst 5 % \(NumberText.short(tail, digits: 4))"
        }
        return text + "."
    }

    /// Conditional value at risk: the worst delivery times are the largest, the worst rewards the
    /// least.
    func tailRisk(of policy: PolicyEvaluation) -> Double {
        if case .traces = source { return policy.analysis.outcomes.upperTailMean(0.05) }
        return policy.analysis.outcomes.lowerTailMean(0.05)
    }

    /// Sentences to show above the numbers: each verdict with its reasons.
    public var verdicts: [String] {
        policies.map { policy in
            let reasons = policy.verdict.reasons.joined(separator: "; ")
            return "\(policy.label): \(policy.verdict.level.words)"
                + (reasons.isEmpty ? "." : ": \(reasons).")
        }
    }

    /// Sentences about the data read and the fit of the model.
    public var remarks: [String] {
        var remarks = [
            "\(NumberText.count(evaluated)) of \(NumberText.count(decisions)) decisions evaluated"
                + " (\(NumberText.count(forced)) forced, \(NumberText.count(withoutOutcome))"
                + " without an outcome, \(NumberText.count(refused)) refused)."
        ]
        if thinned > 0 {
            remarks.append(
                "\(NumberText.count(thinned)) more are left out, as other sessions were recorded with a"
                    + " smaller share of their decisions, and all have to count alike.")
        }
        if let model {
            if !(model.scatter > 0) {
                remarks.append(
                    "The rewards do not vary, so the reward model cannot be assessed.")
            } else if model.explained < 0 {
                remarks.append(
                    "The reward model predicts decisions it was not fitted on worse than their mean"
                        + " does (its squared error is \(NumberText.percent(1 - model.explained)) of"
                        + " the variance).")
            } else {
                remarks.append(
                    "The reward model explains \(NumberText.percent(model.explained)) of the"
                        + " variance of decisions it was not fitted on.")
            }
        } else {
            remarks.append("No reward model could be fitted: DM and DR are left out.")
        }
        if renormalised > 0 {
            remarks.append(
                "The probabilities of \(NumberText.count(renormalised)) rows were written with few "
                    + "digits and were divided by their sum.")
        }
        for policy in policies {
            remarks += policy.notes.map { "\(policy.label): \($0)." }
        }
        if case .traces(.cost) = source {
            remarks.append(
                "The value is minus the logarithm of the delivery time in seconds, minus "
                    + "\(NumberText.short(valueWeights.lateness)) for a late burst, minus "
                    + "\(NumberText.short(valueWeights.perUnit)) times the price of its bytes.")
        }
        if case .log(let refusals) = source { remarks += refusals.map { "Refused: \($0)." } }
        return remarks
    }

    /// One line per policy about its weights.
    public func diagnosis(of policy: PolicyEvaluation) -> String {
        let facts = policy.diagnostics
        return "\(policy.label): effective sample size "
            + "\(facts.effectiveSizeText) of "
            + "\(NumberText.count(facts.count)) "
            + "(\(NumberText.percent(facts.effectiveShare))), mean weight "
            + "\(NumberText.fixed(facts.meanWeight, 3)), largest "
            + "\(NumberText.short(facts.largestWeight, digits: 4)) with "
            + "\(NumberText.percent(facts.largestWeightShare)) of all, lowest propensity "
            + "\(NumberText.short(facts.smallestPropensity)), unsupported "
            + "\(NumberText.percent(facts.unsupportedShare))."
    }

    static func name(_ estimate: Estimate) -> String {
        let estimator = estimate.estimator
        guard estimator.lambda == nil, let lambda = estimate.lambda else { return estimator.text }
        return "\(estimator.text) (\(NumberText.short(lambda)))"
    }

    static func text(_ interval: Interval) -> String {
        NumberText.fixed(interval.low, 4) + " ... " + NumberText.fixed(interval.high, 4)
    }

    static func signed(_ value: Double) -> String {
        (value > 0 ? "+" : "") + NumberText.fixed(value, 4)
    }
}
