/// Evaluates the policy that is contained in a log of bandit data.
public struct LogEvaluation {
    public var options: AnalysisOptions
    /// Blocks of time for the cross-fit.
    public var blocks = 5
    /// Penalty of the reward model's ridge regression.
    public var lambda = 1.0

    public init(options: AnalysisOptions = AnalysisOptions()) { self.options = options }

    /// Evaluates each policy in one pass over the rows, after fitting a reward model if the log has
    /// none.
    public func evaluate(
        _ log: BanditLog, policies: [LogPolicy] = [.recorded]
    ) throws(EvaluationError) -> EvaluationReport {
        for policy in policies { try log.check(policy) }
        let expected =
            log.expected.isEmpty
            ? try LogRewardModel(log, blocks: blocks, lambda: lambda).expected : log.expected
        var options = options
        options.candidates = max(1, policies.count)
        var report = EvaluationReport(source: .log(refusals: log.refusals), options: options)
        report.withoutOutcome = log.withoutOutcome
        report.forced = log.forced
        report.decisions = log.count + log.refused + log.withoutOutcome + log.forced
        report.refused = log.refused
        report.renormalised = log.renormalised
        for policy in policies {
            let (evaluation, fit) = try evaluate(policy, log, expected, options)
            report.model = fit
            report.policies.append(evaluation)
        }
        return report
    }

    private func evaluate(
        _ policy: LogPolicy, _ log: BanditLog, _ expected: [Double], _ options: AnalysisOptions
    ) throws(EvaluationError) -> (evaluation: PolicyEvaluation, fit: RewardModelFit?) {
        let actions = log.actionCount
        let robust =
            options.estimators.contains { $0.kind.needs.contains(.robustModel) }
            ? try LogRewardModel(
                log, blocks: blocks, lambda: lambda,
                weights: LogEvaluation.robustWeights(log, policy)
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
            let probability = log.share(policy, index, action)
            var row = OffPolicyRow(
                weight: probability / log.propensities[index], reward: reward,
                modelled: hasModel ? expected[start + action] : 0)
            var unsupported = 0.0
            var squares = 0.0
            var (greatest, most) = (0, 0.0)
            for other in 0..<actions {
                let share = log.share(policy, index, other)
                if hasModel { row.direct += share * expected[start + other] }
                if !robust.isEmpty { row.robustDirect += share * robust[start + other] }
                if share > most { (greatest, most) = (other, share) }
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
            row.weightSquare = log.logging.isEmpty ? row.weight * row.weight : squares
            if !robust.isEmpty { row.robustModelled = robust[start + action] }
            var about = RowFacts(
                row: index + 1, propensity: log.propensities[index], agreement: probability,
                unsupported: unsupported,
                weightVariance: log.logging.isEmpty
                    ? nil : squares - (1 - unsupported) * (1 - unsupported), outcome: reward,
                action: action)
            about.greatest = most
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
        facts.forced = log.forced
        facts.withoutOutcome = log.withoutOutcome
        return (
            PolicyEvaluation(label: policy.description, analysis: analysis, diagnostics: facts),
            hasModel ? whole : nil
        )
    }

    /// pi_e(a) (1 - p) / p^2, the weight of a row's squared residual in the variance of DR.
    ///
    /// Source: Farajtabar, Chow and Ghavamzadeh, "More robust doubly robust off-policy
    /// evaluation", 2018.
    private static func robustWeights(_ log: BanditLog, _ policy: LogPolicy) -> [Double] {
        (0..<log.count).map { index in
            let p = log.propensities[index]
            let share = log.share(policy, index, Int(log.actions[index]))
            return share * (1 - p) / (p * p)
        }
    }
}
