import PathLearning
import PathTelemetry

/// The decisions of a trace one after the other, by session and number, each with its outcome.
///
/// Each decision is copied completely, several kilobytes; use batches to read millions.
public struct DecisionCursor: ~Copyable {
    private var cursor: DecisionBatchCursor
    private var batch = DecisionBatch()
    private var index = 0

    init(reader: TraceReader, session: SessionID?) throws(TraceError) {
        cursor = try DecisionBatchCursor(
            reader: reader, session: session,
            columns: [.outcomes, .candidates, .distributions])
    }

    /// Reads the next decision and replaces the previous one.
    ///
    /// - Returns: false at the end.
    /// - Throws: `TraceError.damaged` with the session and first number of an invalid block.
    public mutating func next(into decision: inout LoggedDecision) throws(TraceError) -> Bool {
        if index == batch.count {
            index = 0
            guard try cursor.next(into: &batch) else { return false }
        }
        batch.fill(&decision, from: index)
        index += 1
        return true
    }
}

extension TraceReader {
    /// The decisions of one session, or of all, in order.
    public func decisions(of session: SessionID? = nil) throws(TraceError) -> DecisionCursor {
        try DecisionCursor(reader: self, session: session)
    }

    /// Calls `body` with every decision of one session, or of all, in order.
    public func forEachDecision(
        of session: SessionID? = nil,
        _ body: (borrowing LoggedDecision) throws(TraceError) -> Void
    ) throws(TraceError) {
        var cursor = try decisions(of: session)
        var decision = LoggedDecision.empty
        while try cursor.next(into: &decision) { try body(decision) }
    }
}
