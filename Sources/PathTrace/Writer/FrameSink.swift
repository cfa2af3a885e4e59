import CSQLite
import Glibc
import PathTelemetry

/// The database side of the writer: prepared statements and a sequence of transactions.
final class FrameSink {
    let database: Database
    let nextSession: UInt32
    @exclusivity(unchecked) var statistics = TraceWriter.Statistics()
    @exclusivity(unchecked) var bytesSinceCheckpoint = 0
    @exclusivity(unchecked) private var transactionSince: Int64?

    // The sessions whose blocks are being collected, and buffers for encoding.
    @exclusivity(unchecked) var sessions: [SessionID: SessionBlocks] = [:]
    @exclusivity(unchecked) var lastBlocks: SessionBlocks?
    /// The highest decision number of each session that has ended.
    @exclusivity(unchecked) var endedSessions: [SessionID: UInt64] = [:]
    /// How the sessions that have not ended explore.
    @exclusivity(unchecked) var learning: [SessionID: LearningWindow] = [:]
    @exclusivity(unchecked) var data = BlockBytes(capacity: 1 << 16)
    @exclusivity(unchecked) var text = BlockBytes(capacity: 1 << 14)

    /// Whether every commit completes the open blocks, whatever the clock says.
    @exclusivity(unchecked) var completesBlocks = false
    let checksums: ChecksumLedger
    let begin: Statement
    let end: Statement
    let insertSession: Statement
    let endSession: Statement
    let insertPath: Statement
    let removePath: Statement
    let insertBlock: Statement
    let insertRows: Statement
    let insertOutcomes: Statement
    let insertStray: Statement
    let findBlock: Statement
    let insertSample: Statement
    let insertTotals: Statement
    let insertEvent: Statement
    let insertDrops: Statement

    var path: String { database.path }

    init(
        path: String, schema: TraceWriter.Schema, programVersion: String,
        ifExists: TraceWriter.IfExists, isSampled: Bool
    ) throws(TraceError) {
        database = try FrameSink.open(
            path: path, schema: schema, programVersion: programVersion, ifExists: ifExists,
            isSampled: isSampled)
        let last = try database.integer(
            "SELECT max(id) FROM sessions", while: "reading the sessions")
        guard let last, last >= 0, last < Int64(SessionID.limit) - 1 else {
            throw .damaged(path: path, what: "session numbers are out of range")
        }
        nextSession = UInt32(last) + 1
        let doing = "preparing to record"
        checksums = try ChecksumLedger(database)
        begin = try database.prepare("BEGIN IMMEDIATE", while: doing)
        end = try database.prepare("COMMIT", while: doing)
        insertSession = try database.prepare(
            """
            INSERT OR IGNORE INTO sessions (id, started_unix_ns, started_ns, role, peer, policy,
                model_hash, seed, program_version, command) VALUES (?,?,?,?,?,?,?,?,?,?)
                \(CheckedTable.sessions.returning)
            """, while: doing)
        endSession = try database.prepare(
            "UPDATE sessions SET ended_ns = ?2 WHERE id = ?1 \(CheckedTable.sessions.returning)",
            while: doing)
        insertPath = try database.prepare(
            """
            INSERT INTO paths VALUES (?,?,?,?,?,?,?,?,?,?,?,NULL) \(CheckedTable.paths.returning)
            """, while: doing)
        removePath = try database.prepare(
            """
            UPDATE paths SET removed_ns = ?3
                WHERE session = ?1 AND path = ?2 AND removed_ns IS NULL
                \(CheckedTable.paths.returning)
            """, while: doing)
        insertBlock = try database.prepare(
            "INSERT OR REPLACE INTO decision_blocks VALUES (?,?,?,?,?,?)", while: doing)
        insertRows = try database.prepare(
            "INSERT OR REPLACE INTO decision_rows VALUES (?,?,?)", while: doing)
        insertOutcomes = try database.prepare(
            "INSERT OR REPLACE INTO outcome_blocks VALUES (?,?,?,?)", while: doing)
        insertStray = try database.prepare(
            """
            INSERT OR IGNORE INTO stray_outcomes VALUES (?,?,?,?,?,?,?)
                \(CheckedTable.strays.returning)
            """, while: doing)
        findBlock = try database.prepare(
            """
            SELECT b.id, b.last_number, b.data, o.data
                FROM decision_blocks b LEFT JOIN outcome_blocks o ON o.block = b.id
                WHERE b.id <= ? ORDER BY b.id DESC LIMIT 1
            """, while: doing)
        insertSample = try database.prepare(
            "INSERT INTO path_samples VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            while: doing)
        insertTotals = try database.prepare(
            "INSERT OR REPLACE INTO path_totals VALUES (?,?,?,?,?,?,?,?)", while: doing)
        insertEvent = try database.prepare(
            "INSERT INTO events VALUES (?,?,?,?,?,?)", while: doing)
        insertDrops = try database.prepare(
            "INSERT INTO drops VALUES (?,?,?,?,?,?) \(CheckedTable.drops.returning)",
            while: doing)
    }

    // MARK: Transactions

    /// When the transaction began.
    var transactionTime: Int64 { transactionSince ?? 0 }

    /// When the transaction reaches `age`; nil if none exists.
    func due(after age: Int64) -> Int64? { transactionSince.map { $0 &+ age } }

    func beginIfNeeded() throws(TraceError) {
        guard transactionSince == nil else { return }
        let code = begin.step()
        begin.reset()
        guard code == SQLITE_DONE else { throw database.writeError(code) }
        transactionSince = nanoseconds(of: CLOCK_MONOTONIC)
    }

    /// Commits the transaction if it began at least `age` nanoseconds ago.
    ///
    /// - Parameter isLast: nothing will be recorded afterwards.
    func commit(ifOlderThan age: Int64, isLast: Bool = false) throws(TraceError) {
        guard let since = transactionSince else { return }
        let now = nanoseconds(of: CLOCK_MONOTONIC)
        guard now &- since >= age else { return }
        try writeBlocks(now: now, isLast: isLast)
        try checksums.write()
        let code = end.step()
        end.reset()
        guard code == SQLITE_DONE else { throw database.writeError(code) }
        transactionSince = nil
        statistics.commits += 1
    }

    /// Copies committed data from the `-wal` file into the trace.
    func checkpoint() throws(TraceError) {
        guard transactionSince == nil, bytesSinceCheckpoint > 0 else { return }
        let code = sqlite3_wal_checkpoint_v2(
            database.handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        // A reader may block part of the copy; the next checkpoint copies that.
        guard code == SQLITE_OK || code & 0xff == SQLITE_BUSY else {
            throw database.writeError(code)
        }
        bytesSinceCheckpoint = 0
    }

    /// Commits and makes the trace a single file; the `-wal` file stays if a reader has it open.
    func finish() throws(TraceError) {
        // Outcomes may still wait for their decisions.
        if sessions.values.contains(where: { !$0.early.isEmpty }) { try beginIfNeeded() }
        try commit(ifOlderThan: 0, isLast: true)
        if completesBlocks {
            // Equal rows have been written in other orders; rebuilding the file lays them out
            // alike.
            let code = sqlite3_exec(database.handle, "VACUUM", nil, nil, nil)
            guard code == SQLITE_OK else { throw database.writeError(code) }
        }
        let code = sqlite3_exec(
            database.handle, "PRAGMA journal_mode = DELETE", nil, nil, nil)
        guard code == SQLITE_OK || code & 0xff == SQLITE_BUSY else {
            throw database.writeError(code)
        }
    }

    /// Executes a bound statement and passes the rows that it wrote to `body`.
    ///
    /// - Returns: the number of rows.
    @discardableResult
    func execute(
        _ statement: Statement, _ body: (Statement) throws(TraceError) -> Void
    ) throws(TraceError) -> Int {
        defer { statement.reset() }
        var count = 0
        while true {
            let code = statement.step()
            if code == SQLITE_DONE { return count }
            guard code == SQLITE_ROW else { throw database.writeError(code) }
            count += 1
            try body(statement)
        }
    }

    /// Executes a bound statement that returns no rows.
    func execute(_ statement: Statement) throws(TraceError) {
        let code = statement.step()
        statement.reset()
        guard code == SQLITE_DONE else { throw database.writeError(code) }
    }
}
