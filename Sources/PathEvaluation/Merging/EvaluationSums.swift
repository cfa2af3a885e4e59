import PathLearning

/// What an evaluation adds up over the decisions of a trace, or of several.
struct EvaluationSums: Sendable {
    var decisions = 0
    var forced = 0
    var withoutOutcome = 0
    var refused = 0
    /// Decisions that are left out so that recordings of different shares count alike; sums in files
    /// have none.
    var thinned = 0
    /// How well the reward model predicts rewards that it was not fitted to; nil without a model.
    var model: RewardModelFit?
    /// The sender's share of the load on the chosen paths.
    var ownLoad = Moments()
    /// Network figures of the recorded policy.
    var recorded = NetworkSums()
    var policies: [PolicyAnalysis] = []
    /// DR score minus the baseline's, per decision, of each policy.
    var differences: [PolicyDifference]

    /// - Parameter estimators: those among them that weigh adaptively have sums of differences.
    init(policies count: Int, estimators: [Estimator]) {
        differences = (0..<count).map { _ in PolicyDifference(estimators) }
    }

    /// Keeps no more than a file needs.
    mutating func condense() {
        recorded.condense()
        for index in policies.indices { policies[index].condense() }
        for index in differences.indices { differences[index].condense() }
    }

    /// Appends a later part of the log, with the same policies; both must be condensed.
    mutating func merge(_ later: EvaluationSums) {
        for (index, analysis) in later.policies.enumerated() {
            policies[index].merge(analysis, ordinal: decisions)
        }
        decisions += later.decisions
        forced += later.forced
        withoutOutcome += later.withoutOutcome
        refused += later.refused
        if let fit = later.model {
            var whole = model ?? RewardModelFit()
            whole.merge(fit)
            model = whole
        }
        ownLoad.merge(later.ownLoad)
        recorded.merge(later.recorded)
        for (index, difference) in later.differences.enumerated() {
            differences[index].merge(difference)
        }
    }

    /// Writes or reads all numbers; sums that are read must have the same policies.
    mutating func transfer(_ stream: inout NumberStream) {
        stream.pass(&decisions)
        stream.pass(&forced)
        stream.pass(&withoutOutcome)
        stream.pass(&refused)
        stream.pass(&model, empty: RewardModelFit()) { $0.transfer(&$1) }
        ownLoad.transfer(&stream)
        recorded.transfer(&stream)
        for index in policies.indices { policies[index].transfer(&stream) }
        for index in differences.indices { differences[index].transfer(&stream) }
    }

    /// The report of these sums.
    ///
    /// - Parameters:
    ///   - labels: the names of the policies.
    ///   - baseline: the policy with which the others are compared.
    func report(
        _ reward: RewardFunction, labels: [String], baseline: Int?, options: AnalysisOptions
    ) throws(EvaluationError) -> EvaluationReport {
        var report = EvaluationReport(source: .traces(reward.target), options: options)
        report.valueWeights = reward.cost
        report.decisions = decisions
        report.forced = forced
        report.withoutOutcome = withoutOutcome
        report.refused = refused
        report.thinned = thinned
        report.model = model
        for (index, analysis) in policies.enumerated() {
            var facts = analysis.diagnostics
            facts.forced = forced
            facts.withoutOutcome = withoutOutcome
            facts.refused = refused
            facts.model = model
            facts.ownLoad = ownLoad.count > 0 ? ownLoad.mean : nil
            var evaluation = PolicyEvaluation(
                label: labels[index], analysis: analysis, diagnostics: facts)
            if let baseline, baseline != index, model != nil {
                let difference = differences[index]
                let plain = difference.plain(options)
                evaluation.overBaseline = (labels[baseline], plain.estimate, plain.interval)
                evaluation.overBaselineAdaptive = difference.adaptive(options)
            }
            report.policies.append(evaluation)
        }
        report.recordedNetwork = recorded.figures(confidence: options.confidence)
        report.warnOfLateness(reward.cost.lateness)
        guard report.evaluated > 0 else {
            throw .nothingToEvaluate(
                decisions: decisions, forced: forced, withoutOutcome: withoutOutcome,
                refused: refused)
        }
        return report
    }
}
