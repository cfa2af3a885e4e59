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
    // One of each, chosen by `specification`: a policy with arrays must be changed in place, and
    // taking it out of an enum's payload would copy them.
    private(set) var single = SinglePolicy(path: PathID(0))
    private(set) var roundRobin = RoundRobinPolicy()
    private(set) var weighted = WeightedPolicy()
    private(set) var minRTT = MinRTTPolicy()
    private(set) var earliest = EarliestPolicy()
    private(set) var steady = SteadyPolicy()
    private(set) var redundant = RedundantPolicy()
    private(set) var linUCB: LinUCBPolicy?

    /// As how many observations a model's prior counts at most.
    private static let priorLimit = 500.0

    /// - Parameters:
    ///   - specification: the policy; a path named in it must have been resolved to a number.
    ///   - model: what learned policies start from; the others take no notice of it.
    ///   - seed: of the draws.
    public init(
        _ specification: PolicySpecification, model: Model? = nil, seed: UInt64,
        cost: Cost = Cost()
    ) throws(LearningError) {
        self.specification = specification
        self.cost = cost
        generator = SeededGenerator(seed: seed)
        switch specification {
        case .single(.number(let path)):
            single = SinglePolicy(path: path)
            modelHash = 0
        case .single(.name(let name)):
            throw .unknownPath(name: name, known: [])
        case .linUCB(let settings), .learned(let settings):
            let prior = try model?.residual?.prior(
                limit: PathSelector.priorLimit, lambda: settings.lambda)
            linUCB = LinUCBPolicy(settings: settings, cost: cost, prior: prior)
            modelHash = model?.hash ?? 0
        default:
            modelHash = 0
        }
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
        decide(
            among: candidates.storage.span.extracting(first: candidates.count), burst: burst,
            now: now)
    }

    private mutating func decide(
        among candidates: Span<Candidate>, burst: BurstContext, now: Instant
    ) -> (decision: Decision, draw: Double) {
        let draw = generator.uniform()
        var distribution = ActionDistribution()
        guard candidates.count > 1 else {
            distribution.append(
                candidates.isEmpty ? .wait : PathSet(candidates[0].path), 1)
            return (Decision(distribution: distribution, chosen: 0, isForced: true), draw)
        }
        fill(&distribution, candidates, burst: burst, now: now)
        if !PathSelector.isUsable(distribution) {
            overrides &+= 1
            distribution.removeAll()
            steady.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        }
        let chosen = PathSelector.sample(distribution, draw)
        return (Decision(distribution: distribution, chosen: chosen), draw)
    }

    /// Takes in the outcome of an earlier decision; not for forced ones.
    public mutating func learn(_ feedback: borrowing Feedback) {
        linUCB?.learn(feedback)
    }

    private mutating func fill(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        burst: BurstContext, now: Instant
    ) {
        switch specification {
        case .single:
            single.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        case .roundRobin:
            roundRobin.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        case .weighted:
            weighted.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        case .minRTT:
            minRTT.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        case .earliest:
            earliest.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        case .steady:
            steady.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        case .redundant:
            redundant.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        case .linUCB, .learned:
            linUCB?.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        }
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
