public import PathLearning
public import PathTrace

/// Evaluates policies on traces in two streaming passes: one fits the reward model, one replays.
public struct TraceEvaluation {
    public var target = RewardTarget.cost
    public var cost = Cost()
    /// Blocks of time for the cross-fit.
    public var blocks = 5
    /// Candidate penalties of the reward model's ridge regression; the out-of-fold error chooses.
    public var lambdas = [1.0, 10, 100, 1000, 1e4, 1e5]
    public var options: AnalysisOptions
    /// The label of a baseline with which the others are compared, besides the logging policy.
    public var baseline: String?
    /// Number of threads that read and replay; it does not change the result.
    public var threads = Parallel.processors
    /// How far the sum of recorded probabilities may differ from one.
    public static let tolerance = 1e-9

    public init(options: AnalysisOptions = AnalysisOptions()) { self.options = options }

    /// Evaluates all policies at once.
    ///
    /// - Parameters:
    ///   - progress: called with the number of decisions read and to read.
    /// - Throws: if a trace cannot be read or has other features, if a policy names a path that the
    ///   session does not have, or if there is nothing to evaluate.
    public func evaluate(
        _ traces: [TraceReader], policies: [EvaluatedPolicy],
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws(EvaluationError) -> EvaluationReport {
        let comparison = try comparison(policies)
        let sources = try TraceSource.all(traces)
        var total = 0
        for source in sources { total += try source.decisionCount() }
        var done = 0
        let reward = RewardFunction(target: target, cost: cost)
        let options = options(for: policies.count)
        let models = try fit(sources, reward, total: total) {
            done += $0
            progress(done, 2 * total)
        }
        var pass = EvaluationPass(
            reward: reward, model: models.plain, robust: models.robust, total: total,
            policies: policies, baseline: comparison, options: options, threads: threads)
        for source in sources {
            try pass.run(source) {
                done += $0
                progress(done, 2 * total)
            }
        }
        progress(2 * total, 2 * total)
        return try pass.finish().report(
            reward, labels: policies.map(\.label), baseline: comparison, options: options)
    }

    /// Computes the sums of each trace by itself, for a report elsewhere.
    ///
    /// Each trace has its own reward model, and one that has too little data for a regression
    /// expects what the heuristic predicts. So the sums of a trace do not depend on the others.
    ///
    /// - Parameters:
    ///   - progress: called with the number of decisions read and to read.
    /// - Throws: as `evaluate`.
    public func statistics(
        _ traces: [TraceReader], policies: [EvaluatedPolicy],
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws(EvaluationError) -> EvaluationStatistics {
        let comparison = try comparison(policies)
        let sources = try TraceSource.all(traces)
        let reward = RewardFunction(target: target, cost: cost)
        // The report chooses the interval, and whether there is a gate.
        var options = options(for: policies.count)
        options.interval = .automatic
        options.hasGate = false
        var statistics = EvaluationStatistics(
            EvaluationSettings(
                target: target, cost: cost, policies: policies.map { ($0.label, $0.identity) },
                baseline: baseline, estimators: options.estimators,
                share: sources.first?.leastShare ?? 1))
        for source in sources where try source.commonShare() == nil {
            throw .unavailable(
                "sessions were recorded with different shares of their decisions, and sums cannot "
                    + "tell them apart; evaluate the traces themselves, or those of each share")
        }
        var totals: [Int] = []
        for source in sources { totals.append(try source.decisionCount()) }
        let all = 2 * totals.reduce(0, +)
        var done = 0
        for (source, total) in zip(sources, totals) {
            let models = try fit([source], reward, total: total) {
                done += $0
                progress(done, all)
            }
            let untrained = RewardModel.untrained(blocks: blocks)
            var pass = EvaluationPass(
                reward: reward, model: models.plain ?? untrained,
                robust: models.robust ?? untrained, total: total, policies: policies,
                baseline: comparison, options: options, threads: threads)
            try pass.run(source) {
                done += $0
                progress(done, all)
            }
            try statistics.add(pass.finish(), of: source)
        }
        return statistics
    }

    /// The position of the baseline among the policies.
    private func comparison(_ policies: [EvaluatedPolicy]) throws(EvaluationError) -> Int? {
        guard let baseline else { return nil }
        guard let place = policies.firstIndex(where: { $0.label == baseline }) else {
            throw .unavailable(
                "the baseline '\(baseline)' is not one of the policies; add it by --policy")
        }
        return place
    }

    /// The options of each policy's analysis.
    private func options(for count: Int) -> AnalysisOptions {
        TraceEvaluation.options(options, target, policies: count)
    }

    static func options(
        _ given: AnalysisOptions, _ target: RewardTarget, policies count: Int
    ) -> AnalysisOptions {
        var options = given
        options.candidates = count
        options.isLogarithmic = target == .cost
        if target == .late { options.rewardRange = -1...0 }
        return options
    }

    /// The first pass, which fits the reward models; nil if there is too little data.
    ///
    /// The robust model weighs a decision by (1 - p) / p^2, equally for all policies, since their
    /// actions are known only in the second pass.
    private func fit(
        _ sources: [TraceSource], _ reward: RewardFunction, total: Int, step: (Int) -> Void
    ) throws(EvaluationError) -> (plain: RewardModel?, robust: RewardModel?) {
        let isRobust = options.estimators.contains { $0.kind.needs.contains(.robustModel) }
        var fit = RewardFit(
            plain: RewardModel(blocks: blocks),
            robust: isRobust ? RewardModel(blocks: blocks) : nil, reward: reward, total: total)
        for source in sources {
            try source.forEachRound(
                columns: [.outcomes, .chosenFeatures], threads: threads, pieces: 1,
                work: { _, round in fit.add(round) }, done: { step($0.decisions) })
        }
        var plain = fit.plain
        do throws(LearningError) { try plain.solve(lambdas: lambdas) } catch { return (nil, nil) }
        guard var robust = fit.robust else { return (plain, nil) }
        // If every propensity is one, all weights are zero, and the plain model serves.
        do throws(LearningError) { try robust.solve(lambdas: lambdas) } catch {
            return (plain, plain)
        }
        return (plain, robust)
    }
}
