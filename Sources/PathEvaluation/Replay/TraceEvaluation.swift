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
        var comparison: Int?
        if let baseline {
            comparison = policies.firstIndex { $0.label == baseline }
            guard comparison != nil else {
                throw .unavailable(
                    "the baseline '\(baseline)' is not one of the policies; add it by --policy")
            }
        }
        let sources = traces.map { TraceSource(reader: $0) }
        do throws(TraceError) { try TraceReader.refuseRepetitions(traces) } catch {
            throw .trace(error)
        }
        var total = 0
        for source in sources { total += try source.decisionCount() }
        let reward = RewardFunction(target: target, cost: cost)
        var done = 0
        func step(_ number: Int) {
            done += number
            progress(done, 2 * total)
        }
        let models = try fit(sources, reward, total: total, step: step)
        var options = options
        options.candidates = policies.count
        options.isLogarithmic = target == .cost
        if target == .late { options.rewardRange = -1...0 }
        var pass = EvaluationPass(
            reward: reward, model: models.plain, robust: models.robust, total: total,
            policies: policies, baseline: comparison, options: options, threads: threads)
        for source in sources { try pass.run(source, step: step) }
        progress(2 * total, 2 * total)
        let report = pass.report()
        guard report.evaluated > 0 else {
            throw .nothingToEvaluate(
                decisions: report.decisions, forced: report.forced,
                withoutOutcome: report.withoutOutcome, refused: report.refused)
        }
        return report
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
