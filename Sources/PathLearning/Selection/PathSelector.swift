public import PathTelemetry

/// The engine that the transport owns: asks its policy for a distribution, applies the rules above
/// it, draws, and hands outcomes back.
///
/// Deterministic given its seed; no clock, no I/O, and `decide` and `learn` allocate nothing.
/// *Handle*: `learn`, `replaceModel`. *Poll*: `decide`, `pollEvent`. *Read*: `name`, `modelHash`, `explain`,
/// `overrides`. Call `decide` for each burst and `learn` once for each decision, when its outcome
/// closes; late and out of order is fine.
public struct PathSelector: Sendable {
    /// The specification it was made from.
    public let specification: PolicySpecification
    /// Stable hash of the model file's bytes; zero without a model.
    public private(set) var modelHash: UInt64
    /// How often a policy's distribution was unusable and the steady rule decided instead.
    private(set) var overrides: UInt64 = 0
    /// What outcomes are turned into for learning.
    public let cost: Cost

    private var generator: SeededGenerator
    /// Shared by copies of the selector until one of them changes it.
    private var cell: PolicyCell
    /// The policy wants to know which action was taken.
    private let hearsChoices: Bool
    /// It learns from outcomes of forced decisions too.
    private let learnsFromForced: Bool
    /// Decides when the policy's distribution is unusable.
    private var steady = SteadyPolicy()

    /// - Parameters:
    ///   - specification: the policy; a path named in it must have been resolved to a number.
    ///   - model: what learned policies start from; the others take no notice of it.
    ///   - seed: of the draws.
    public init(
        _ specification: PolicySpecification, model: Model? = nil,
        seed: UInt64, cost: Cost = Cost()
    ) throws(LearningError) {
        self.specification = specification
        self.cost = cost
        generator = SeededGenerator(seed: seed)
        cell = try specification.make(PolicyMaterials(model: model, cost: cost))
        hearsChoices = specification.needs.choices
        learnsFromForced = specification.needs.forcedFeedback
        modelHash = specification.needs.model ? model?.hash ?? 0 : 0
    }

    /// The policy, to be changed.
    private var policy: PolicyCell {
        mutating get {
            if !isKnownUniquelyReferenced(&cell) { cell = cell.copy() }
            return cell
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
        var decision = Decision()
        let draw = decide(candidates, burst: burst, now: now, into: &decision)
        decision.distribution.workOut(chosen: decision.chosen)
        return (decision, draw)
    }

    /// The same into a decision that is used again and again, which saves copying it.
    ///
    /// The distribution of `lin-ts` is left open: its probabilities take microseconds and are worked
    /// out where they are recorded (`ActionDistribution.workOut`).
    ///
    /// - Returns: the draw in 0 ..< 1.
    public mutating func decide(
        _ candidates: borrowing CandidateSet, burst: BurstContext, now: Instant,
        into decision: inout Decision
    ) -> Double {
        let draw = state(
            among: candidates.storage.span.extracting(first: candidates.count), burst: burst,
            now: now, into: &decision)
        if hearsChoices { policy.handleChoice(decision.action, now: now) }
        return draw
    }

    /// States its distribution for a recorded decision: what a replay asks.
    ///
    /// - Parameters:
    ///   - taking: the action to go on from as if it had been drawn; nil goes on from its own draw.
    ///   - decision: is written over; used again and again, which saves copying it.
    public mutating func decide(
        among candidates: Span<Candidate>, burst: BurstContext, now: Instant, taking: PathSet?,
        into decision: inout Decision
    ) {
        _ = state(among: candidates, burst: burst, now: now, into: &decision)
        decision.distribution.workOut(chosen: decision.chosen)
        if hearsChoices { policy.handleChoice(taking ?? decision.action, now: now) }
    }

    private mutating func state(
        among candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into decision: inout Decision
    ) -> Double {
        let draw = generator.uniform()
        decision.distribution.removeAll()
        guard candidates.count > 1 else {
            decision.distribution.append(
                candidates.isEmpty ? .wait : PathSet(candidates[0].path), 1)
            decision.chosen = 0
            decision.isForced = true
            decision.memo = 0
            return draw
        }
        decision.memo = policy.state(candidates, burst, now, &decision.distribution)
        var chosen = decision.distribution.sample(draw)
        if chosen == nil {
            overrides &+= 1
            decision.distribution.removeAll()
            steady.distribution(
                for: candidates, burst: burst, now: now, into: &decision.distribution)
            chosen = decision.distribution.sample(draw)
        }
        decision.chosen = chosen ?? 0
        decision.isForced = false
        return draw
    }

    /// Takes in the outcome of an earlier decision; forced ones only teach policies that need them.
    public mutating func learn(_ feedback: borrowing Feedback) {
        guard !feedback.isForced || learnsFromForced else { return }
        policy.learn(feedback)
    }

    // MARK: Another model

    /// A policy that starts again from another model, made where time does not matter.
    public struct Replacement: Sendable {
        public let specification: PolicySpecification
        public let modelHash: UInt64
        fileprivate let cell: PolicyCell

        /// - Parameter specification: that of the selector it is for.
        /// - Throws: `LearningError` when the policy takes no model or cannot start from this one.
        public init(
            _ specification: PolicySpecification, model: Model, cost: Cost = Cost()
        ) throws(LearningError) {
            guard specification.needs.model else {
                throw .unknownParameter(
                    policy: specification.name, parameter: "model", known: [])
            }
            self.specification = specification
            modelHash = model.hash
            cell = try specification.make(PolicyMaterials(model: model, cost: cost))
        }
    }

    /// Goes on with another model: what was learned since the start is forgotten, the seed's draws
    /// go on where they are, and outcomes of earlier decisions teach the new policy.
    ///
    /// - Returns: false, and nothing changes, for a replacement of another policy.
    public mutating func replaceModel(_ replacement: Replacement) -> Bool {
        guard replacement.specification == specification else { return false }
        cell = replacement.cell
        modelHash = replacement.modelHash
        return true
    }

    /// The oldest thing that the policy's guard did and that was not handed out yet.
    public mutating func pollEvent() -> GuardEvent? { policy.pollEvent() }

    /// What the policy minimises, for one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        cell.score(of: candidate, burst: burst)
    }
}
