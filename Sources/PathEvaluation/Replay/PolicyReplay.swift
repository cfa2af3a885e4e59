internal import PathLearning
import PathTelemetry
internal import PathTrace

/// Replays a policy over the decisions of one session in their order.
///
/// It uses the sender's engine and only its distributions. Replay *every* decision of the session,
/// forced ones too, so that policies with a memory see what a live sender sees. A policy that
/// learns online, replayed on its own recording, computes the same distributions as live.
struct PolicyReplay: ~Copyable, Sendable {
    /// Whether to use the recorded probabilities themselves.
    private let isLogged: Bool
    private let learnsOnline: Bool
    private var engine: DecisionEngine
    private var pending = OutcomeQueue()
    /// The recorded distribution, overwritten at each decision.
    private var recorded = ActionDistribution()

    /// - Parameters:
    ///   - pathNames: names of the session's paths, indexed by path number.
    ///   - cost: the cost that the policy minimises.
    /// - Throws: if the policy names a path that the session does not have.
    init(
        _ policy: EvaluatedPolicy, pathNames: [String], cost: Cost = Cost()
    ) throws(LearningError) {
        switch policy.kind {
        case .logged:
            isLogged = true
            learnsOnline = false
            engine = DecisionEngine(try PathSelector(.steady, seed: 0))
        case .policy(let specification, let model, let mode):
            isLogged = false
            learnsOnline = mode == .online
            engine = DecisionEngine(
                try PathSelector(
                    try specification.resolved(names: pathNames), model: model, seed: 0,
                    cost: cost))
        }
    }

    /// The policy's distribution over actions for the decision last passed to `state`.
    var distribution: ActionDistribution {
        _read {
            if isLogged {
                yield recorded
            } else {
                yield engine.decision.distribution
            }
        }
    }

    /// Computes the policy's distribution for the decision at a position below the batch's count.
    ///
    /// - Parameter batch: read with `.outcomes`, `.candidates` and `.distributions`.
    mutating func state(_ index: Int, of batch: borrowing DecisionBatch) {
        guard !isLogged else {
            return batch.fillDistribution(of: index, into: &recorded)
        }
        let time = batch.times[index]
        let range = Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1])
        let candidates = batch.candidates.span.extracting(range)
        guard learnsOnline else {
            engine.state(among: candidates, burst: batch.bursts[index], now: time)
            return
        }
        while let outcome = pending.pop(closedBy: time) { learn(outcome) }
        let logged = LoggedAction(
            action: batch.actions[index], propensity: batch.propensities[index],
            isForced: batch.isForced[index])
        let number = engine.decide(
            among: candidates, burst: batch.bursts[index], now: time, logged: logged)
        guard let number, var outcome = batch.outcome(index) else { return }
        outcome.decision = number
        if let early = pending.push(outcome) { learn(early) }
    }

    private mutating func learn(_ outcome: Outcome) {
        engine.handleOutcome(outcome)
        while engine.pollOutcome() != nil {}
    }
}

/// Outcomes that have not closed yet, earliest first.
struct OutcomeQueue: Sendable {
    /// The most pending outcomes; beyond that the earliest are learned early.
    private static let limit = 100_000

    // A binary heap.
    private var heap: [Outcome] = []

    private static func isBefore(_ left: Outcome, _ right: Outcome) -> Bool {
        left.closedAt == right.closedAt
            ? left.decision < right.decision
            : left.closedAt < right.closedAt
    }

    /// - Returns: the earliest outcome if there are too many.
    mutating func push(_ outcome: Outcome) -> Outcome? {
        heap.append(outcome)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard OutcomeQueue.isBefore(heap[child], heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
        return heap.count > OutcomeQueue.limit ? pop() : nil
    }

    /// Removes and returns the earliest outcome if it closed by then.
    mutating func pop(closedBy time: Instant) -> Outcome? {
        guard let first = heap.first, first.closedAt <= time else { return nil }
        return pop()
    }

    private mutating func pop() -> Outcome? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && OutcomeQueue.isBefore(heap[child], heap[least]) {
                least = child
            }
            if least == parent { return first }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
