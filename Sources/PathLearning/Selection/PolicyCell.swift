import PathTelemetry

/// A policy of any kind, as the selector knows it.
///
/// An object with virtual methods and not an existential, whose containers are copied when they are
/// changed, nor one optional of each kind, which every new policy would have to be entered in. One
/// a selector, made once; a copied selector copies it before it changes.
///
/// This class decides nothing: an empty distribution is not usable, and the steady rule decides.
class PolicyCell: @unchecked Sendable {
    /// One like this that shares nothing with it.
    func copy() -> PolicyCell { self }

    /// States the policy's distribution; `distribution` comes in empty.
    ///
    /// - Returns: what the policy wants to hear again of this decision.
    func state(
        _ candidates: Span<Candidate>, _ burst: BurstContext, _ now: Instant,
        _ distribution: inout ActionDistribution
    ) -> UInt64 { 0 }

    func learn(_ feedback: borrowing Feedback) {}
    func handleChoice(_ action: PathSet, now: Instant) {}
    func pollEvent() -> GuardEvent? { nil }
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double { .infinity }
}

/// Holds a policy of one kind.
final class PolicyHolder<Held: Policy>: PolicyCell, @unchecked Sendable {
    /// The selector changes it, and only one that nobody else holds.
    @exclusivity(unchecked) private var policy: Held

    init(_ policy: Held) { self.policy = policy }

    override func copy() -> PolicyCell { PolicyHolder(policy) }

    override func state(
        _ candidates: Span<Candidate>, _ burst: BurstContext, _ now: Instant,
        _ distribution: inout ActionDistribution
    ) -> UInt64 {
        policy.distribution(for: candidates, burst: burst, now: now, into: &distribution)
        return policy.memo
    }

    override func learn(_ feedback: borrowing Feedback) { policy.learn(feedback) }

    override func handleChoice(_ action: PathSet, now: Instant) {
        policy.handleChoice(action, now: now)
    }

    override func pollEvent() -> GuardEvent? { policy.pollEvent() }

    override func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        policy.score(of: candidate, burst: burst)
    }
}
