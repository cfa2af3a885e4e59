import PathLearning
import PathTelemetry
import PathTrace

/// A group of some thousand decisions in an evaluation; made once and reused.
final class Round {
    /// Batches per round: few enough for the caches, and enough to amortise the synchronisation.
    private static let limit = 8

    private(set) var batches = [DecisionBatch](repeating: DecisionBatch(), count: Round.limit)
    var facts = [BatchFacts](repeating: BatchFacts(), count: Round.limit)
    /// How many batches there are.
    private(set) var count = 0

    /// Decisions of all batches.
    var decisions: Int { batches.prefix(count).reduce(0) { $0 + $1.count } }

    /// Reads the next batches from a cursor; there are none at its end.
    func read(from cursor: inout DecisionBatchCursor) throws(TraceError) {
        count = 0
        while count < Round.limit, try cursor.next(into: &batches[count]) { count += 1 }
    }
}

extension TraceSource {
    /// Processes the decisions of a session, or of all, while the next ones are read.
    ///
    /// - Parameters:
    ///   - prepare: is called with each round after it was read, in order, on any thread.
    ///   - pieces: number of independent pieces of work per round.
    ///   - work: is called with each piece of a prepared round, in parallel.
    ///   - done: is called on this thread when a round is done.
    func forEachRound(
        of session: SessionID? = nil, columns: DecisionColumns, threads: Int,
        prepare: (Round) -> Void = { _ in }, pieces: Int, work: (Int, Round) -> Void,
        done: (Round) -> Void
    ) throws(EvaluationError) {
        do throws(TraceError) {
            var cursor = try reader.batches(of: session, columns: columns)
            var current = Round()
            var ahead = Round()
            try current.read(from: &cursor)
            prepare(current)
            while current.count > 0 {
                var failure: TraceError?
                Parallel.forEach(1 + pieces, threads: threads) { piece in
                    guard piece == 0 else { return work(piece - 1, current) }
                    do throws(TraceError) {
                        try ahead.read(from: &cursor)
                        prepare(ahead)
                    } catch {
                        failure = error
                    }
                }
                done(current)
                if let failure { throw failure }
                swap(&current, &ahead)
            }
        } catch {
            throw .trace(error)
        }
    }
}
