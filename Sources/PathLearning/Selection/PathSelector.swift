public import PathTelemetry

/// Runs a policy for the `DecisionEngine`: asks it for a distribution, applies overriding rules,
/// draws, and passes outcomes back.
///
/// It is deterministic given its seed and has no clock and no I/O; `decide` and `learn` allocate
/// nothing. *Handle*: `learn`, `replace`. *Poll*: `decide`, `pollEvent`. *Read*: `name`,
/// `modelHash`, `explain`, `overrides`. Call `decide` for each burst and `learn` once for each
/// decision, when its outcome closes; outcomes may come late and out of order.
public struct PathSelector: Sendable {
    /// The specification of the policy.
    public private(set) var specification: PolicySpecification
    /// Stable hash of the model file's bytes; zero without a model.
    public private(set) var modelHash: UInt64
    /// How often the policy's distribution was unusable, so that the steady rule decided.
    private(set) var overrides: UInt64 = 0
    /// The cost into which outcomes are converted for learning.
    public let cost: Cost

    private var generator: SeededGenerator
    /// The policy, shared by copies of the selector until one of them changes it (copy on write).
    private var cell: PolicyCell
    /// Whether the policy is told which action was taken.
    private var hearsChoices: Bool
    /// Whether it also learns from outcomes of forced decisions.
    private var learnsFromForced: Bool
    /// Decides if the policy's distribution is unusable.
    private var steady = SteadyPolicy()

    /// - Parameters:
    ///   - specification: the policy; a path named in it must have been resolved to a number.
    ///   - model: the model from which learned policies start; others ignore it.
    ///   - seed: seed of the draws.
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

    /// Makes the selector of a policy that draws nothing of its own.
    init(_ replacement: Replacement, cost: Cost) {
        specification = replacement.specification
        self.cost = cost
        generator = SeededGenerator(seed: 0)
        cell = replacement.cell
        hearsChoices = replacement.specification.needs.choices
        learnsFromForced = replacement.specification.needs.forcedFeedback
        modelHash = replacement.modelHash
    }

    /// The policy for changes, unshared.
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
    /// With a single candidate the decision is forced; without one it waits. Exactly one uniform
    /// number is drawn in any case, so that the n-th decision always has the n-th draw.
    ///
    /// - Returns: the decision with its distribution, and the draw in 0 ..< 1.
    public mutating func decide(
        _ candidates: borrowing CandidateSet, burst: BurstContext, now: Instant
    ) -> (decision: Decision, draw: Double) {
        var decision = Decision()
        let draw = decide(candidates, burst: burst, now: now, into: &decision)
        decision.distribution.workOut(chosen: decision.chosen)
        return (decision, draw)
    }

    /// The same into a reused decision, which avoids copying it.
    ///
    /// The probabilities of `lin-ts` are deferred: they take microseconds and are computed when
    /// they are recorded (`ActionDistribution.workOut`).
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

    /// Computes the policy's distribution for a recorded decision; a replay calls this.
    ///
    /// - Parameters:
    ///   - taking: the recorded action, treated as if it had been drawn; nil makes an own draw.
    ///   - decision: the result; reusing it avoids copying.
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
        decision.memo = policy.state(
            candidates, PolicyQuestion(burst: burst, now: now), &decision.distribution)
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

    /// Learns the outcome of an earlier decision; forced ones only if the policy needs them.
    public mutating func learn(_ feedback: borrowing Feedback) {
        guard !feedback.isForced || learnsFromForced else { return }
        policy.learn(feedback)
    }

    // MARK: another policy

    /// Another policy, or the same one with another model, prepared off the packet path.
    public struct Replacement: Sendable {
        public let specification: PolicySpecification
        public let modelHash: UInt64
        fileprivate let cell: PolicyCell

        /// - Parameters:
        ///   - specification: the policy; a path named in it must have been resolved to a number.
        ///   - model: from which it starts; nil for none.
        /// - Throws: `LearningError` if the policy takes no model or cannot start from this one.
        public init(
            _ specification: PolicySpecification, model: Model?, cost: Cost = Cost()
        ) throws(LearningError) {
            guard specification.needs.model || model == nil else {
                throw .unknownParameter(
                    policy: specification.name, parameter: "model", known: [])
            }
            self.specification = specification
            modelHash = model?.hash ?? 0
            cell = try specification.make(PolicyMaterials(model: model, cost: cost))
        }
    }

    /// Switches to another policy or model: what was learned online is dropped, and the sequence of
    /// draws continues.
    ///
    /// Outcomes of earlier decisions may teach another model of the same policy. To another policy they
    /// mean nothing, because their memos and probabilities are not its own.
    ///
    /// - Returns: whether it is another policy.
    public mutating func replace(with replacement: Replacement) -> Bool {
        let isOther = replacement.specification != specification
        specification = replacement.specification
        hearsChoices = specification.needs.choices
        learnsFromForced = specification.needs.forcedFeedback
        cell = replacement.cell
        modelHash = replacement.modelHash
        return isOther
    }

    /// Exchanges the policies of two selectors, each with all that it has learned; the sequences of draws
    /// stay where they are.
    mutating func exchangePolicy(with other: inout PathSelector) {
        swap(&specification, &other.specification)
        swap(&modelHash, &other.modelHash)
        swap(&cell, &other.cell)
        swap(&hearsChoices, &other.hearsChoices)
        swap(&learnsFromForced, &other.learnsFromForced)
    }

    /// The oldest pending event of the policy's guard.
    public mutating func pollEvent() -> GuardEvent? { policy.pollEvent() }

    /// The quantity that the policy minimises, for one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        cell.score(of: candidate, burst: burst)
    }
}
