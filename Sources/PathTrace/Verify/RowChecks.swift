import CSQLite
import PathLearning
import PathTelemetry

/// Compares the SQL rows of a block with those that its decisions and outcomes produce.
struct RowChecks {
    private let decisionRows: Statement
    private let outcomeRows: Statement
    private let reader: TraceReader
    private let ring = TraceRing(bytes: 1 << 16, whenFull: .drop)
    private let builder = DecisionBlockBuilder()

    init(_ reader: TraceReader) throws(TraceError) {
        self.reader = reader
        let doing = "reading the rows for SQL"
        decisionRows = try reader.database.prepare(
            "SELECT first_ns, rows FROM decision_rows WHERE block = ?", while: doing)
        outcomeRows = try reader.database.prepare(
            "SELECT count, rows FROM outcome_blocks WHERE block = ?", while: doing)
    }

    mutating func begin() { builder.begin() }

    mutating func add(_ record: borrowing DecisionRecord) {
        guard !builder.isFull, ring.record(record, session: SessionID(rawValue: 1)) else { return }
        _ = try? ring.drain(upTo: ring.head, limit: .max) { _, _, frame in
            builder.add(DecisionFrame(frame))
        }
    }

    /// Returns what is wrong with the rows of a block.
    func issue(
        of block: Int64, _ outcomes: borrowing OutcomeStore
    ) throws(TraceError) -> String? {
        decisionRows.bind(1, block)
        defer { decisionRows.reset() }
        guard decisionRows.step() == SQLITE_ROW else { return "the rows for SQL are missing" }
        let isSame = builder.withText { RowChecks.isSame($0, decisionRows.utf8(1)) }
        guard isSame, decisionRows.int(0) == builder.firstTime else {
            return "the rows for SQL differ from the decisions"
        }
        outcomeRows.bind(1, block)
        defer { outcomeRows.reset() }
        guard outcomeRows.step() == SQLITE_ROW else {
            return outcomes.count == 0 ? nil : "the rows for SQL of outcomes are missing"
        }
        var data = BlockBytes()
        var text = BlockBytes()
        outcomes.encode(after: builder.firstTime, into: &data, text: &text)
        guard outcomeRows.int(0) == Int64(outcomes.count),
            RowChecks.isSame(text.bytes, outcomeRows.utf8(1))
        else { return "the rows for SQL of outcomes differ from the outcomes" }
        return nil
    }

    private static func isSame(
        _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer
    ) -> Bool {
        left.elementsEqual(right)
    }
}
