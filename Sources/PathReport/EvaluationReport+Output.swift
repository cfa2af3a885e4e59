public import PathEvaluation

/// An evaluation as a table, as JSON and as a page.
extension EvaluationReport {
    /// One row a policy and estimator, the verdict of each policy in words.
    public func table(confidence: Double) -> TextTable {
        var table = TextTable([
            TextTable.Column("policy", .left), TextTable.Column("estimator", .left),
            TextTable.Column("value"), TextTable.Column("std. error"),
            TextTable.Column("\(NumberText.short(confidence * 100)) % interval"),
            TextTable.Column("verdict", .left),
        ])
        func row(_ label: String, _ name: String, _ estimate: Estimate, _ verdict: String) {
            let bounds = estimate.interval(confidence: confidence)
            table.add([
                label, name, NumberText.fixed(estimate.value, 4),
                NumberText.fixed(estimate.standardError, 4),
                NumberText.fixed(bounds.low, 4) + " ... " + NumberText.fixed(bounds.high, 4),
                verdict,
            ])
        }
        row("(recorded)", "mean", recorded, "")
        for policy in policies {
            for (index, estimator) in estimators.enumerated() {
                guard let estimate = policy.rows.estimate(estimator) else { continue }
                row(
                    index == 0 ? policy.label : "", estimator.text, estimate,
                    index == 0 ? policy.verdict.level.words : "")
            }
        }
        return table
    }

    /// Sentences: what was read, and each verdict's reasons.
    public var remarks: [String] {
        var remarks = [
            "\(NumberText.count(evaluated)) of \(NumberText.count(decisions)) decisions evaluated"
                + " (\(NumberText.count(forced)) forced, \(NumberText.count(withoutOutcome))"
                + " without an outcome, \(NumberText.count(refused)) refused)."
        ]
        if let model {
            remarks.append(
                "The reward model explains \(NumberText.percent(model.explained)) of the variance"
                    + " of decisions it was not fitted on.")
        } else {
            remarks.append("No reward model could be fitted: DM and DR are left out.")
        }
        for policy in policies {
            for reason in policy.verdict.reasons { remarks.append("\(policy.label): \(reason).") }
        }
        return remarks
    }

    /// One object: counts, then for each policy its verdict, diagnostics and estimates.
    public func json(confidence: Double) -> JSONValue {
        func number(_ estimate: Estimate, name: String) -> JSONValue {
            let bounds = estimate.interval(confidence: confidence)
            return [
                "estimator": .string(name), "value": .number(estimate.value),
                "standard_error": .number(estimate.standardError),
                "interval": [.number(bounds.low), .number(bounds.high)],
                "interval_method": .string(
                    estimate.normal(confidence: confidence).method),
            ]
        }
        return [
            "target": .string(target.rawValue), "confidence": .number(confidence),
            "decisions": .count(decisions), "evaluated": .count(evaluated),
            "forced": .count(forced), "without_outcome": .count(withoutOutcome),
            "refused": .count(refused), "smallest_propensity": .number(smallestPropensity),
            "reward_model_explained": .optional(model?.explained),
            "recorded": number(recorded, name: "mean"),
            "policies": .array(
                policies.map { policy in
                    let weight = policy.rows.meanWeight
                    return [
                        "policy": .string(policy.label),
                        "verdict": .string(policy.verdict.level.words),
                        "reasons": .array(policy.verdict.reasons.map { .string($0) }),
                        "diagnostics": [
                            "effective_sample_size": .number(policy.rows.effectiveSampleSize),
                            "effective_share": .number(
                                policy.rows.effectiveSampleSize / Double(max(1, evaluated))),
                            "largest_weight": .number(policy.rows.largestWeight),
                            "largest_weight_share": .number(policy.rows.largestWeightShare),
                            "mean_weight": .number(weight.value),
                            "mean_weight_standard_error": .number(weight.standardError),
                            "unsupported_share": .number(policy.unsupportedShare),
                            "agreement": .number(policy.agreement),
                        ],
                        "estimates": .array(
                            estimators.compactMap { estimator in
                                policy.rows.estimate(estimator).map {
                                    number($0, name: estimator.text)
                                }
                            }),
                        "gain_over_recorded": number(
                            policy.rows.gainOverLogged, name: "dr"),
                    ]
                }),
        ]
    }

    /// Values of all policies by the preferred estimator, with the recorded mean as a line.
    public func figure(confidence: Double, palette: Palette) -> String {
        let items = policies.compactMap { policy -> IntervalPlot.Item? in
            guard let estimate = policy.rows.estimate(preferred) else { return nil }
            let bounds = estimate.interval(confidence: confidence)
            return IntervalPlot.Item(
                policy.label, value: estimate.value, low: bounds.low, high: bounds.high)
        }
        return IntervalPlot(
            title: "Estimated reward by policy",
            label: target == .late
                ? "minus the share of late bursts" : "reward (minus cost)",
            mark: .dot, items: items, reference: recorded.value, palette: palette
        ).svg()
    }

    /// Blocks of a page: verdicts, table, figure, remarks.
    public func blocks(confidence: Double, palette: Palette) -> [HTMLPage.Block] {
        var blocks: [HTMLPage.Block] = []
        for policy in policies {
            let tone: HTMLPage.Tone =
                switch policy.verdict.level {
                case .trust: .good
                case .weak: .warn
                case .doNotTrust: .bad
                }
            let reasons = policy.verdict.reasons.joined(separator: "; ")
            let text = "\(policy.label): \(policy.verdict.level.words)"
            blocks.append(.verdict(tone, reasons.isEmpty ? text : text + ": " + reasons))
        }
        blocks.append(
            .figure(
                svg: figure(confidence: confidence, palette: palette),
                caption: "\(preferred.text.uppercased()) with "
                    + "\(NumberText.short(confidence * 100)) % intervals; the dashed line is what "
                    + "was recorded. Further right is better."))
        blocks.append(.table(table(confidence: confidence)))
        blocks += remarks.map { .paragraph($0) }
        return blocks
    }
}
