public import PathTelemetry

/// The engine that the transport owns: asks its policy for a distribution, applies the rules above
/// it, draws, and hands outcomes back.
///
/// Deterministic given its seed; no clock, no I/O, and `decide` and `learn` allocate nothing.
/// *Handle*: `learn`. *Poll*: `decide`. *Read*: `name`, `modelHash`, `explain`, `overrides`. Call
/// `decide` for each burst and `learn` once for each decision that was not forced, when its outcome
/// closes; late and out of order is fine.
public struct PathSelector: Sendable {
    /// The specification it was made from.
    public let specification: PolicySpecification
    /// Stable hash of the model file's bytes; zero without a model.
    public let modelHash: UInt64
    /// How often a policy's distribution was unusable and the steady rule decided instead.
    public private(set) var overrides: UInt64 = 0
    /// What outcomes are turned into for learning.
    public let cost: Cost

    private var generator: SeededGenerator
    private var policy: PolicyStorage
    /// Decides when the policy's distribution is unusable.
    private var steady = SteadyPolicy()

    /// - Parameters:
    ///   - specification: the policy; a path named in it must have been resolved to a number.
    ///   - model: what learned policies start from; the others take no notice of it.
    ///   - clusters: what falcon chooses from; nil makes them of the model.
    ///   - seed: of the draws.
    public init(
        _ specification: PolicySpecification, model: Model? = nil, clusters: ClusterModels? = nil,
        seed: UInt64, cost: Cost = Cost()
    ) throws(LearningError) {
        self.specification = specification
        self.cost = cost
        generator = SeededGenerator(seed: seed)
        policy = try PolicyStorage(
            specification, model: model, clusters: clusters, cost: cost)
        modelHash = specification.usesModel ? model?.hash ?? 0 : 0
    }

    /// The policy's name.
    public var name: String { specification.name }

    /// Chooses an action for a burst.
    ///
    /// With a single candidate the decision is forced; without one it is to wait. One uniform
    /// number is drawn whatever happens, so that the n-th decision always has the n-th draw.
    ///
    /// - Returns: the decision with the distribution it was drawn from, and the draw in 0 ..< 1.
    public mutating func decide(
        _ candidates: borrowing CandidateSet, burst: BurstContext, now: Instant
    ) -> (decision: Decision, draw: Double) {
        let result = state(
            among: candidates.storage.span.extracting(first: candidates.count), burst: burst,
            now: now)
        policy.handleChoice(result.decision.action, now: now)
        return result
    }

    /// States its distribution for a recorded decision, and goes on as if it had taken the recorded
    /// action: what a replay asks.
    public mutating func decide(
        _ candidates: borrowing CandidateSet, burst: BurstContext, now: Instant, taking: PathSet
    ) -> (decision: Decision, draw: Double) {
        let result = state(
            among: candidates.storage.span.extracting(first: candidates.count), burst: burst,
            now: now)
        policy.handleChoice(taking, now: now)
        return result
    }

    private mutating func state(
        among candidates: Span<Candidate>, burst: BurstContext, now: Instant
    ) -> (decision: Decision, draw: Double) {
        let draw = generator.uniform()
        var distribution = ActionDistribution()
        guard candidates.count > 1 else {
            distribution.append(
                candidates.isEmpty ? .wait : PathSet(candidates[0].path), 1)
            return (Decision(distribution: distribution, chosen: 0, isForced: true), draw)
        }
        policy.state(candidates, burst, now, &distribution)
        if !PathSelector.isUsable(distribution) {
            overrides &+= 1
            distribution.removeAll()
            steady.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        }
        let chosen = PathSelector.sample(distribution, draw)
        return (Decision(distribution: distribution, chosen: chosen, memo: policy.memo), draw)
    }

    /// Takes in the outcome of an earlier decision; not for forced ones.
    public mutating func learn(_ feedback: borrowing Feedback) {
        policy.learn(feedback)
    }

    /// What the policy minimises, for one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        policy.score(of: candidate, burst: burst)
    }

    /// The action whose share of 0 ..< 1 contains the draw; never one of probability zero.
    static func sample(_ distribution: borrowing ActionDistribution, _ draw: Double) -> Int {
        var sum = 0.0
        var last = 0
        for index in 0..<distribution.count where distribution[index] > 0 {
            sum += distribution[index]
            last = index
            if draw < sum { return index }
        }
        return last
    }

    /// Probabilities that are finite, not negative, and sum to one.
    static func isUsable(_ distribution: borrowing ActionDistribution) -> Bool {
        var sum = 0.0
        for index in 0..<distribution.count {
            guard distribution[index] >= 0 else { return false }
            sum += distribution[index]
        }
        return (sum - 1).magnitude <= 1e-9
    }
}
