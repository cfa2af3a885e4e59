import CSQLite
import PathLearning
import PathTelemetry

/// The decisions of a trace with their outcomes, some hundred at a time, by session and number.
///
/// It holds one block of the file, for any size of trace and however late outcomes came, since they
/// are stored with the block of their decisions.
public struct DecisionBatchCursor: ~Copyable {
    private let statement: Statement
    private let reader: TraceReader
    private let columns: DecisionColumns
    private var decoder: DecisionBlockDecoder
    private(set) var outcomes = OutcomeStore()
    /// Row number of the last block read.
    private(set) var block: Int64 = 0
    /// Whether the file itself could not be read any further.
    private(set) var isBroken = false
    /// Whether the end was reached; another step would restart the statement.
    private var isAtEnd = false
    private let takesOrphans: Bool

    /// - Parameter takesOrphans: whether to include blocks of sessions that do not exist.
    init(
        reader: TraceReader, session: SessionID?, columns: DecisionColumns,
        takesOrphans: Bool = false
    ) throws(TraceError) {
        self.reader = reader
        self.columns = columns
        self.takesOrphans = takesOrphans
        decoder = DecisionBlockDecoder(columns: columns)
        var condition = ""
        if let session {
            let first = Int64(session.rawValue) << 40
            condition = "WHERE b.id BETWEEN \(first) AND \(first + (1 << 40) - 1)"
        }
        let join =
            columns.contains(.outcomes)
            ? "o.data FROM decision_blocks b LEFT JOIN outcome_blocks o ON o.block = b.id"
            : "NULL FROM decision_blocks b"
        statement = try reader.database.prepare(
            """
            SELECT b.id, b.count, b.last_number, b.first_ns, b.last_ns, b.data,
                EXISTS (SELECT 1 FROM sessions s WHERE s.id = b.id >> 40), \(join)
                \(condition) ORDER BY b.id
            """, while: "reading the decisions")
    }

    /// Reads the next batch and replaces the previous one.
    ///
    /// - Returns: false at the end; the batch is then empty.
    /// - Throws: `TraceError.damaged` with the session and first number of an invalid block; the
    ///   next call continues after it.
    public mutating func next(into batch: inout DecisionBatch) throws(TraceError) -> Bool {
        let code = isBroken || isAtEnd ? SQLITE_DONE : statement.step()
        guard code == SQLITE_ROW else {
            batch.count = 0
            if code == SQLITE_DONE {
                isAtEnd = true
                return false
            }
            isBroken = true
            throw reader.database.readError(code, while: "reading the decisions")
        }
        let row = statement.int(0)
        block = row
        let session = row >> 40
        guard session > 0, session < Int64(SessionID.limit) else {
            throw reader.damaged("a block of decisions has the row number \(row)")
        }
        do throws(BlockFault) {
            guard takesOrphans || statement.int(6) != 0 else {
                throw BlockFault("belongs to a missing session")
            }
            try decoder.decode(
                statement.blob(5), session: SessionID(rawValue: UInt32(session)), into: &batch)
            guard Int64(bitPattern: batch.numbers[0]) == row & 0xff_ffff_ffff else {
                throw BlockFault("begins with decision \(batch.numbers[0])")
            }
            guard statement.int(1) == Int64(batch.count),
                statement.int(2) == Int64(bitPattern: batch.numbers[batch.count - 1]),
                statement.int(3) == batch.times[0].nanoseconds,
                statement.int(4) == batch.times[batch.count - 1].nanoseconds
            else { throw BlockFault("has other columns than its content") }
            try readOutcomes(&batch)
        } catch {
            batch.count = 0
            throw reader.damaged(
                "the block of session \(session) from decision \(row & 0xff_ffff_ffff) on "
                    + error.what)
        }
        return true
    }

    private mutating func readOutcomes(_ batch: inout DecisionBatch) throws(BlockFault) {
        let count = columns.contains(.outcomes) ? batch.count : 0
        if count > 0, !statement.isNull(7) {
            try outcomes.decode(statement.blob(7), limit: count)
        } else {
            outcomes.removeAll()
        }
        outcomes.resize(count)
        batch.hasOutcome.resize(count, false)
        batch.isLate.resize(count, false)
        batch.deliveries.resize(count, .nan)
        batch.deadlines.resize(count, .nan)
        batch.packets.resize(count, 0)
        batch.lostPackets.resize(count, 0)
        batch.closedTimes.resize(count, .zero)
        batch.outcomeBytes.removeAll(keepingCapacity: true)
        batch.outcomeBytes.resize(count, PathBytes())
        for share in outcomes.shares where share.position < count {
            batch.outcomeBytes[share.position].add(Int(share.bytes), to: share.path)
        }
        try outcomes.copy(
            &batch.hasOutcome, &batch.isLate, &batch.deliveries, &batch.deadlines,
            &batch.packets, &batch.lostPackets, &batch.closedTimes)
    }
}

extension OutcomeStore {
    /// Copies the outcomes into the columns of a batch, which have as many rows as this store.
    fileprivate func copy(
        _ hasOutcome: inout [Bool], _ isLate: inout [Bool], _ deliveries: inout [Double],
        _ deadlines: inout [Double], _ packets: inout [Int], _ lostPackets: inout [Int],
        _ closedTimes: inout [Instant]
    ) throws(BlockFault) {
        let count = hasOutcome.count
        var hasOutcome = hasOutcome.mutableSpan
        var isLate = isLate.mutableSpan
        var deliveries = deliveries.mutableSpan
        var deadlines = deadlines.mutableSpan
        var packets = packets.mutableSpan
        var lostPackets = lostPackets.mutableSpan
        var closedTimes = closedTimes.mutableSpan
        let flags = self.flags.span
        let sent = self.packets.span
        let lost = self.lost.span
        let times = closed.span
        let delivered = self.deliveries.span
        let limits = self.deadlines.span
        for index in 0..<count {
            let flag = flags[index]
            let isKnown = flag != 0
            hasOutcome[index] = isKnown
            isLate[index] = flag & OutcomeStore.isLate != 0
            deliveries[index] =
                flag & OutcomeStore.isDelivered != 0
                ? Double(bitPattern: delivered[index]) : .nan
            deadlines[index] = isKnown ? Double(bitPattern: limits[index]) : .nan
            let number = isKnown ? sent[index] : 0
            let missing = isKnown ? lost[index] : 0
            guard number.magnitude <= 1 << 53, missing.magnitude <= 1 << 53 else {
                throw BlockFault("has an outcome of \(number) packets")
            }
            packets[index] = Int(number)
            lostPackets[index] = Int(missing)
            closedTimes[index] = Instant(nanoseconds: isKnown ? times[index] : 0)
        }
    }
}

extension TraceReader {
    /// The decisions of one session, or of all, in batches of columns.
    public func batches(
        of session: SessionID? = nil, columns: DecisionColumns
    ) throws(TraceError) -> DecisionBatchCursor {
        try DecisionBatchCursor(reader: self, session: session, columns: columns)
    }
}
