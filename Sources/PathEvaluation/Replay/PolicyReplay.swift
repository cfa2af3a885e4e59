public import PathLearning
import PathTelemetry
public import PathTrace

/// Runs a policy over the decisions of one session as if it had been asked, in their order.
///
/// The shipped selector decides; only its distribution is used. Ask for *every* decision of the
/// session, forced ones too, so that policies with a memory see what a live sender sees.
struct PolicyReplay: Sendable {
    private var isLogged: Bool
    private let learnsOnline: Bool
    /// Decisions that have to agree with the recorded ones before this is taken for the policy
    /// that recorded; nil when its name or model is another.
    private var probation: Int?
    private static let probationLength = 16
    private var selector: PathSelector?
    private var pending = FeedbackQueue()
    /// What the policy would have done; written over with each decision.
    private var own = Decision()
    private var recorded = ActionDistribution()

    /// - Parameters:
    ///   - pathNames: names of the session's paths; the position is the number.
    ///   - cost: what the policy minimises.
    ///   - session: who recorded. A policy that learns online, has the name and the model of the
    ///     one that recorded, and decides as it did at the start, *is* that policy: its recorded
    ///     probabilities are then taken, exact where a replay depends on the order in which
    ///     outcomes of the same instant were handed to it.
    /// - Throws: when the policy names a path that the session does not have.
    init(
        _ policy: EvaluatedPolicy, pathNames: [String], session: SessionInfo? = nil,
        cost: Cost = Cost()
    ) throws(LearningError) {
        switch policy.kind {
        case .logged:
            isLogged = true
            learnsOnline = false
        case .policy(let specification, let model, let mode):
            isLogged = false
            learnsOnline = mode == .online
            selector = try PathSelector(
                try specification.resolved(names: pathNames), model: model, seed: 0, cost: cost)
            let hash = selector.map { $0.modelHash == 0 ? "" : StableHash.text($0.modelHash) }
            if learnsOnline, session?.policy == specification.name, session?.modelHash == hash {
                probation = PolicyReplay.probationLength
            }
        }
    }

    /// The distribution over actions that the policy would have drawn from, for the decision that
    /// was stated last.
    var distribution: ActionDistribution {
        _read { yield own.distribution }
    }

    /// States the policy's distribution for a decision of a batch, at a position below its count.
    ///
    /// - Parameter batch: read with `.outcomes`, `.candidates` and `.distributions`.
    mutating func state(_ index: Int, of batch: borrowing DecisionBatch) {
        guard !isLogged, selector != nil else {
            return batch.fillDistribution(of: index, into: &own.distribution)
        }
        let time = batch.times[index]
        if learnsOnline {
            while let feedback = pending.pop(closedBy: time) { selector?.learn(feedback) }
        }
        let range = Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1])
        selector?.decide(
            among: batch.candidates.span.extracting(range), burst: batch.bursts[index],
            now: time, taking: learnsOnline ? batch.actions[index] : nil, into: &own)
        guard learnsOnline else { return }
        push(index, of: batch)
        compare(index, of: batch)
    }

    /// Takes the policy for the one that recorded once it has agreed with it long enough.
    private mutating func compare(_ index: Int, of batch: borrowing DecisionBatch) {
        guard let left = probation, !batch.isForced[index] else { return }
        batch.fillDistribution(of: index, into: &recorded)
        if !PolicyReplay.agree(own.distribution, recorded) {
            probation = nil
        } else if left == 1 {
            isLogged = true
        } else {
            probation = left - 1
        }
    }

    private static func agree(
        _ left: borrowing ActionDistribution, _ right: borrowing ActionDistribution
    ) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count {
            guard left.action(index) == right.action(index),
                (left[index] - right[index]).magnitude <= 1e-12
            else { return false }
        }
        return true
    }

    private mutating func push(_ index: Int, of batch: borrowing DecisionBatch) {
        let range = Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1])
        let candidates = batch.candidates.span.extracting(range)
        let action = batch.actions[index]
        guard let outcome = batch.outcome(index),
            let path = PolicyReplay.carrier(action, candidates)
        else { return }
        for place in candidates.indices where candidates[place].path == path {
            let early = pending.push(
                Feedback(
                    features: candidates[place].features,
                    predictedDelivery: candidates[place].predictedDelivery,
                    burst: batch.bursts[index], outcome: outcome, now: outcome.closedAt,
                    path: path, action: action, propensity: batch.propensities[index],
                    memo: own.memo, isForced: batch.isForced[index]))
            if let early { selector?.learn(early) }
            return
        }
    }

    /// The path of the action whose features stand for the burst: the one with room and the least
    /// round trip, as the sender takes it; nil when the sender waited.
    private static func carrier(_ action: PathSet, _ candidates: Span<Candidate>) -> PathID? {
        guard action.count > 1 else { return action.first }
        var best: PathID?
        var fastest = Double.infinity
        for place in candidates.indices {
            guard action.contains(candidates[place].path), candidates[place].room > 0,
                candidates[place].smoothedRTT < fastest
            else { continue }
            best = candidates[place].path
            fastest = candidates[place].smoothedRTT
        }
        return best ?? action.first
    }
}

/// Outcomes that have not closed yet, the earliest first.
struct FeedbackQueue: Sendable {
    /// A log whose outcomes close later than this many decisions has them taken in early.
    private static let limit = 100_000

    // A binary heap.
    private var heap: [Feedback] = []

    private static func isBefore(_ left: Feedback, _ right: Feedback) -> Bool {
        left.outcome.closedAt == right.outcome.closedAt
            ? left.outcome.decision < right.outcome.decision
            : left.outcome.closedAt < right.outcome.closedAt
    }

    /// - Returns: the earliest one when there are too many.
    mutating func push(_ feedback: Feedback) -> Feedback? {
        heap.append(feedback)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard FeedbackQueue.isBefore(heap[child], heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
        return heap.count > FeedbackQueue.limit ? pop() : nil
    }

    /// The earliest outcome if it had closed by then.
    mutating func pop(closedBy time: Instant) -> Feedback? {
        guard let first = heap.first, first.outcome.closedAt <= time else { return nil }
        return pop()
    }

    private mutating func pop() -> Feedback? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && FeedbackQueue.isBefore(heap[child], heap[least]) {
                least = child
            }
            if least == parent { return first }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
