import CSQLite
import Glibc
import PathTelemetry

/// The database side of the writer: statements kept prepared, one transaction after the other.
final class FrameSink {
    let database: Database
    let nextSession: UInt32
    var statistics = TraceWriter.Statistics()
    var bytesSinceCheckpoint = 0
    private var transactionSince: Int64?

    let begin: Statement
    let end: Statement
    let insertSession: Statement
    let endSession: Statement
    let insertPath: Statement
    let removePath: Statement
    let insertDecision: Statement
    let insertOutcome: Statement
    let insertSample: Statement
    let insertEvent: Statement
    let insertDrops: Statement

    var path: String { database.path }

    init(
        path: String, schema: TraceWriter.Schema, programVersion: String,
        ifExists: TraceWriter.IfExists
    ) throws(TraceError) {
        database = try FrameSink.open(
            path: path, schema: schema, programVersion: programVersion, ifExists: ifExists)
        let last = try database.integer(
            "SELECT max(id) FROM sessions", while: "reading the sessions")
        guard let last, last >= 0, last < Int64(SessionID.limit) - 1 else {
            throw .damaged(path: path, what: "session numbers are out of range")
        }
        nextSession = UInt32(last) + 1
        let doing = "preparing to record"
        begin = try database.prepare("BEGIN IMMEDIATE", while: doing)
        end = try database.prepare("COMMIT", while: doing)
        insertSession = try database.prepare(
            """
            INSERT OR IGNORE INTO sessions (id, started_unix_ns, started_ns, role, peer, policy,
                model_hash, seed, program_version, command) VALUES (?,?,?,?,?,?,?,?,?,?)
            """, while: doing)
        endSession = try database.prepare(
            "UPDATE sessions SET ended_ns = ?2 WHERE id = ?1", while: doing)
        insertPath = try database.prepare(
            "INSERT INTO paths VALUES (?,?,?,?,?,?,?,?,?,?,?,NULL)", while: doing)
        removePath = try database.prepare(
            """
            UPDATE paths SET removed_ns = ?3
                WHERE session = ?1 AND path = ?2 AND removed_ns IS NULL
            """, while: doing)
        insertDecision = try database.prepare(
            """
            INSERT OR IGNORE INTO decisions (id, time_ns, class, bytes, deadline_ns, current_path,
                action, path, propensity, forced, chosen, draw, predicted_s, candidate_paths,
                probabilities, actions, candidates, features)
                VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
            """, while: doing)
        insertOutcome = try database.prepare(
            "INSERT OR IGNORE INTO outcomes VALUES (?,?,?,?,?,?,?)", while: doing)
        insertSample = try database.prepare(
            "INSERT INTO path_samples VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            while: doing)
        insertEvent = try database.prepare(
            "INSERT INTO events VALUES (?,?,?,?,?,?)", while: doing)
        insertDrops = try database.prepare(
            "INSERT INTO drops VALUES (?,?,?,?,?,?)", while: doing)
    }

    // MARK: Transactions

    func beginIfNeeded() throws(TraceError) {
        guard transactionSince == nil else { return }
        let code = begin.step()
        begin.reset()
        guard code == SQLITE_DONE else { throw database.writeError(code) }
        transactionSince = nanoseconds(of: CLOCK_MONOTONIC)
    }

    /// Commits a transaction that began at least that many nanoseconds ago.
    func commit(ifOlderThan age: Int64) throws(TraceError) {
        guard let since = transactionSince else { return }
        guard nanoseconds(of: CLOCK_MONOTONIC) &- since >= age else { return }
        let code = end.step()
        end.reset()
        guard code == SQLITE_DONE else { throw database.writeError(code) }
        transactionSince = nil
        statistics.commits += 1
    }

    /// Copies what is committed from the `-wal` file into the trace itself.
    func checkpoint() throws(TraceError) {
        guard transactionSince == nil, bytesSinceCheckpoint > 0 else { return }
        let code = sqlite3_wal_checkpoint_v2(
            database.handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        // A reader may keep part of it from being copied: the next checkpoint takes that.
        guard code == SQLITE_OK || code & 0xff == SQLITE_BUSY else {
            throw database.writeError(code)
        }
        bytesSinceCheckpoint = 0
    }

    /// Commits and makes the trace one file; with a reader on it, its `-wal` file stays.
    func finish() throws(TraceError) {
        try commit(ifOlderThan: 0)
        let code = sqlite3_exec(
            database.handle, "PRAGMA journal_mode = DELETE", nil, nil, nil)
        guard code == SQLITE_OK || code & 0xff == SQLITE_BUSY else {
            throw database.writeError(code)
        }
    }

    /// Executes a bound statement that gives no rows; false when the row was there already.
    func execute(_ statement: Statement) throws(TraceError) {
        let code = statement.step()
        statement.reset()
        guard code == SQLITE_DONE else { throw database.writeError(code) }
        statistics.records += 1
    }
}
