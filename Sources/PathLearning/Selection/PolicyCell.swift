import PathTelemetry

/// What a policy is asked about its candidates.
///
/// It is one value so that it is passed by address. As separate arguments the last two would be put
/// on the stack one by one and read there as one vector, which waits until both have reached memory:
/// a sixth of the time of a decision by a simple policy.
struct PolicyQuestion {
    let burst: BurstContext
    let now: Instant
}

/// A type-erased policy for the selector.
///
/// It is a class with virtual methods: an existential would copy its container at each change, and
/// a struct with one optional per kind would need an entry for every new policy. Each selector has
/// one; a copied selector copies it before a change.
///
/// The base class returns an empty distribution, which is not usable, so the steady rule decides.
class PolicyCell: @unchecked Sendable {
    /// An independent copy.
    func copy() -> PolicyCell { self }

    /// Computes the policy's distribution; `distribution` is empty at the call.
    ///
    /// - Returns: the policy's memo of this decision.
    func state(
        _ candidates: Span<Candidate>, _ question: PolicyQuestion,
        _ distribution: inout ActionDistribution
    ) -> UInt64 { 0 }

    func learn(_ feedback: borrowing Feedback) {}
    func handleChoice(_ action: PathSet, now: Instant) {}
    func pollEvent() -> GuardEvent? { nil }
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double { .infinity }
}

/// Holds a policy of one kind.
final class PolicyHolder<Held: Policy>: PolicyCell, @unchecked Sendable {
    /// Only the selector changes it, and only while it is not shared.
    @exclusivity(unchecked) private var policy: Held

    init(_ policy: Held) { self.policy = policy }

    override func copy() -> PolicyCell { PolicyHolder(policy) }

    override func state(
        _ candidates: Span<Candidate>, _ question: PolicyQuestion,
        _ distribution: inout ActionDistribution
    ) -> UInt64 {
        policy.distribution(
            for: candidates, burst: question.burst, now: question.now, into: &distribution)
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
