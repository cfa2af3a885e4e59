/// Evaluates the policy that is contained in a log of bandit data.
public struct LogEvaluation {
    public var options: AnalysisOptions
    /// Blocks of time for the cross-fit.
    public var blocks = 5
    /// Penalty of the reward model's ridge regression.
    public var lambda = 1.0

    public init(options: AnalysisOptions = AnalysisOptions()) { self.options = options }

    /// Evaluates in one pass over the rows, after fitting a reward model if the log has none.
    public func evaluate(_ log: BanditLog) throws(EvaluationError) -> EvaluationReport {
        let actions = log.actionCount
        let expected =
            log.expected.isEmpty
            ? try LogRewardModel(log, blocks: blocks, lambda: lambda).expected : log.expected
        let robust =
            options.estimators.contains { $0.kind.needs.contains(.robustModel) }
            ? try LogRewardModel(
                log, blocks: blocks, lambda: lambda, weights: LogEvaluation.robustWeights(log)
            ).expected : []
        let hasModel = !expected.isEmpty
        var analysis = PolicyAnalysis(options: options, hasModel: hasModel)
        var fits = [RewardModelFit](repeating: RewardModelFit(), count: actions)
        var rewards = [Moments](repeating: Moments(), count: actions)
        var probabilities = (least: Double.infinity, small: 0)
        for index in 0..<log.count {
            let start = index * actions
            let action = Int(log.actions[index])
            let reward = log.rewards[index]
            let probability = log.evaluated[start + action]
            var row = OffPolicyRow(
                weight: probability / log.propensities[index], reward: reward,
                modelled: hasModel ? expected[start + action] : 0)
            var unsupported = 0.0
            var squares = 0.0
            var greatest = 0
            for other in 0..<actions {
                let share = log.evaluated[start + other]
                if hasModel { row.direct += share * expected[start + other] }
                if !robust.isEmpty { row.robustDirect += share * robust[start + other] }
                if share > log.evaluated[start + greatest] { greatest = other }
                if !log.logging.isEmpty {
                    let logged = log.logging[start + other]
                    if logged == 0 {
                        unsupported += share
                    } else {
                        squares += share * share / logged
                    }
                    probabilities.least = min(probabilities.least, logged)
                    if logged < 0.01 { probabilities.small += 1 }
                }
            }
            if !robust.isEmpty { row.robustModelled = robust[start + action] }
            var about = RowFacts(
                row: index + 1, propensity: log.propensities[index], agreement: probability,
                unsupported: unsupported,
                weightVariance: log.logging.isEmpty
                    ? nil : squares - (1 - unsupported) * (1 - unsupported), outcome: reward,
                action: action)
            about.greatest = log.evaluated[start + greatest]
            about.rounding = LogReader.rounding
            row.isMatch = action == greatest
            fits[action].add(reward: reward, predicted: row.modelled)
            rewards[action].add(reward)
            analysis.add(row, about, actionName: { "action \(action)" })
        }
        analysis.finish()
        var facts = analysis.diagnostics
        facts.refused = log.refused
        if !log.logging.isEmpty {
            facts.smallestProbability = probabilities.least
            facts.shareOfSmallProbabilities =
                Double(probabilities.small) / Double(log.count * actions)
        }
        var whole = RewardModelFit()
        var all = Moments()
        for action in 0..<actions {
            fits[action].scatter = rewards[action].scatter
            if hasModel { facts.actionFits.append(("action \(action)", fits[action])) }
            whole.merge(fits[action])
            all.merge(rewards[action])
        }
        whole.scatter = all.scatter
        facts.model = hasModel ? whole : nil
        var report = EvaluationReport(source: .log(refusals: log.refusals), options: options)
        report.decisions = log.count + log.refused
        report.refused = log.refused
        report.renormalised = log.renormalised
        report.model = hasModel ? whole : nil
        report.policies = [
            PolicyEvaluation(label: "pi_e", analysis: analysis, diagnostics: facts)
        ]
        return report
    }

    /// pi_e(a) (1 - p) / p^2, the weight of a row's squared residual in the variance of DR.
    ///
    /// Source: Farajtabar, Chow and Ghavamzadeh, "More robust doubly robust off-policy
    /// evaluation", 2018.
    private static func robustWeights(_ log: BanditLog) -> [Double] {
        (0..<log.count).map { index in
            let p = log.propensities[index]
            let share = log.evaluated[index * log.actionCount + Int(log.actions[index])]
            return share * (1 - p) / (p * p)
        }
    }
}
