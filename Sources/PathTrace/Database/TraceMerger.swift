import CSQLite
import Glibc
import PathTelemetry

/// Copies the sessions of many traces into a new one, block by block, in constant memory.
///
/// Sessions are numbered anew, in the order of the traces; nothing else changes: blocks are copied
/// byte for byte, after their hash has been checked.
public struct TraceMerger {
    /// What was merged.
    public struct Result: Hashable, Sendable {
        public var traces = 0
        public var sessions = 0
        public var decisions = 0
        public var outcomes = 0
    }

    /// Bytes copied between two commits.
    private static let transactionBytes = 64 << 20

    private let sources: [TraceReader]

    /// - Parameter paths: the traces; all of one feature schema.
    /// - Throws: a trace that cannot be read, or `.otherSchema`.
    public init(_ paths: [String]) throws(TraceError) {
        var sources: [TraceReader] = []
        for path in paths {
            let reader = try TraceReader(path: path)
            if let first = sources.first, reader.schema.hash != first.schema.hash {
                throw .otherSchema(
                    path: path, found: reader.schema.hash, expected: first.schema.hash)
            }
            sources.append(reader)
        }
        self.sources = sources
    }

    /// Writes the new trace, which must not exist; of a merge that fails nothing is left.
    ///
    /// - Parameter progress: told how many of all decisions have been copied.
    public func merge(
        into path: String, programVersion: String,
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws(TraceError) -> Result {
        guard let first = sources.first else {
            throw .notATrace(path: path, reason: "no trace was named to merge")
        }
        try TraceReader.refuseRepetitions(sources)
        var total = 0
        for source in sources { total = min(total, 1 << 60) + (try source.announcedDecisions()) }
        let database = try FrameSink.open(
            path: path, schema: first.schema, programVersion: programVersion, ifExists: .refuse)
        do throws(TraceError) {
            return try copy(into: database, total: total, progress)
        } catch {
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
            throw error
        }
    }

    private func copy(
        into database: Database, total: Int, _ progress: (_ done: Int, _ of: Int) -> Void
    ) throws(TraceError) -> Result {
        // Nothing of an unfinished merge is kept, so a journal on the disk would serve nobody.
        try database.run("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
        var result = Result()
        var next: Int64 = 1
        var ring: Int64 = 0
        for source in sources {
            result.traces += 1
            let copier = try TraceCopier(from: source, to: database)
            try database.run("BEGIN")
            var bytes = 0
            for session in try source.sessions() {
                guard next < Int64(SessionID.limit) else {
                    throw .damaged(path: source.path, what: "there are too many sessions")
                }
                let old = Int64(session.id.rawValue)
                result.sessions += 1
                try copier.copyTables(of: old, as: next)
                try copier.copyBlocks(of: old, as: next) { count, size throws(TraceError) in
                    result.decisions += count
                    bytes += size
                    progress(result.decisions, total)
                    if bytes > TraceMerger.transactionBytes {
                        bytes = 0
                        try database.run("COMMIT; BEGIN")
                    }
                }
                result.outcomes += try copier.copyOutcomes(of: old, as: next)
                next += 1
            }
            ring += try copier.copyDrops(from: ring)
            try database.run("COMMIT")
        }
        return result
    }
}

/// The statements that copy one trace into another.
private struct TraceCopier {
    private let source: TraceReader
    private let database: Database

    init(from source: TraceReader, to database: Database) throws(TraceError) {
        self.source = source
        self.database = database
    }

    /// Copies rows: the column at `key` gets a new value, all others stay what they are.
    @discardableResult
    private func copy(
        _ table: String, columns: [String], where condition: String, key: (Int64) -> Int64,
        _ body: (Statement) throws(TraceError) -> Void = { _ in }
    ) throws(TraceError) -> Int {
        let names = columns.joined(separator: ", ")
        let marks = columns.map { _ in "?" }.joined(separator: ", ")
        let doing = "copying '\(table)'"
        let insert = try database.prepare(
            "INSERT INTO \(table) (\(names)) VALUES (\(marks))", while: doing)
        var copied = 0
        try source.rows("SELECT \(names) FROM \(table) \(condition)", while: doing) {
            row throws(TraceError) in
            try body(row)
            insert.bind(1, key(row.int(0)))
            for column in 1..<Int32(columns.count) {
                sqlite3_bind_value(
                    insert.handle, column + 1, sqlite3_column_value(row.handle, column))
            }
            let code = insert.step()
            insert.reset()
            guard code == SQLITE_DONE else { throw error(code, of: table) }
            copied += 1
        }
        return copied
    }

    /// Why a row could not be written: a value that its column does not take is the source's fault.
    private func error(_ code: Int32, of table: String) -> TraceError {
        switch code & 0xff {
        case SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE:
            source.damaged(
                "a row of '\(table)' cannot be copied: "
                    + Database.reason(code: code, handle: database.handle))
        default: database.writeError(code)
        }
    }

    /// A count of a row, which has to be one that a block can have.
    private func count(_ row: Statement, _ column: Int32) throws(TraceError) -> Int {
        let count = row.int(column)
        guard count >= 0, count <= Int64(DecisionBlockFormat.decisionLimit) else {
            throw source.damaged("a block has the count \(count)")
        }
        return Int(count)
    }

    func copyTables(of old: Int64, as new: Int64) throws(TraceError) {
        try copy(
            "sessions",
            columns: [
                "id", "started_unix_ns", "started_ns", "ended_ns", "role", "peer", "policy",
                "model_hash", "seed", "program_version", "command",
            ], where: "WHERE id = \(old)", key: { _ in new })
        let mine = "WHERE session = \(old) ORDER BY rowid"
        try copy(
            "paths",
            columns: [
                "session", "path", "name", "local", "remote", "weight", "price_per_gb",
                "rate_limit", "backup", "kind", "added_ns", "removed_ns",
            ], where: mine, key: { _ in new })
        try copy(
            "path_samples",
            columns: [
                "session", "time_ns", "path", "state", "smoothed_rtt_ns", "rtt_variation_ns",
                "latest_rtt_ns", "min_rtt_ns", "bytes_in_flight", "congestion_window",
                "pacing_rate", "delivery_rate", "pacing_delay_ns", "oldest_unanswered_ns",
                "last_reply_ns", "probe_timeouts", "weight", "price_per_gb", "rate_limit",
                "backup", "kind",
            ], where: mine, key: { _ in new })
        if try source.database.text(
            "SELECT type FROM sqlite_schema WHERE name = 'path_totals'", while: "looking for totals"
        )
            == "table"
        {
            try copy(
                "path_totals",
                columns: [
                    "session", "path", "time_ns", "packets_sent", "bytes_sent",
                    "packets_received", "bytes_received", "packets_lost",
                ], where: "WHERE session = \(old)", key: { _ in new })
        }
        try copy(
            "events", columns: ["session", "time_ns", "kind", "path", "text", "value"],
            where: mine, key: { _ in new })
    }

    private static func range(_ key: String, _ old: Int64) -> String {
        "WHERE \(key) BETWEEN \(old << 40) AND \((old + 1) << 40 - 1) ORDER BY \(key)"
    }

    func copyBlocks(
        of old: Int64, as new: Int64,
        _ copied: (_ count: Int, _ bytes: Int) throws(TraceError) -> Void
    ) throws(TraceError) {
        func renumber(_ row: Int64) -> Int64 { new << 40 | row & 0xff_ffff_ffff }
        try copy(
            "decision_blocks",
            columns: ["id", "count", "last_number", "first_ns", "last_ns", "data"],
            where: TraceCopier.range("id", old), key: renumber
        ) { row throws(TraceError) in
            try check(row.blob(5), row.int(0))
            try copied(try count(row, 1), row.blob(5).count)
        }
        try copy(
            "decision_rows", columns: ["block", "first_ns", "rows"],
            where: TraceCopier.range("block", old), key: renumber)
    }

    func copyOutcomes(of old: Int64, as new: Int64) throws(TraceError) -> Int {
        func renumber(_ row: Int64) -> Int64 { new << 40 | row & 0xff_ffff_ffff }
        var outcomes = 0
        try copy(
            "outcome_blocks", columns: ["block", "count", "data", "rows"],
            where: TraceCopier.range("block", old), key: renumber
        ) { row throws(TraceError) in
            try check(row.blob(2), row.int(0))
            outcomes += try count(row, 1)
        }
        try copy(
            "stray_outcomes",
            columns: [
                "decision", "delivery_s", "late", "deadline_s", "packets", "lost", "closed_ns",
            ], where: TraceCopier.range("decision", old), key: renumber)
        return outcomes
    }

    /// Rings of different traces keep different numbers.
    func copyDrops(from ring: Int64) throws(TraceError) -> Int64 {
        var rings: Int64 = 0
        try copy(
            "drops", columns: ["ring", "unix_ns", "decisions", "outcomes", "samples", "events"],
            where: "ORDER BY rowid", key: { ring &+ $0 }
        ) { row throws(TraceError) in
            let number = row.int(0)
            guard number >= 0, number < ColumnChecks.ringLimit else {
                throw source.damaged("a row of 'drops' has the ring \(number)")
            }
            rings = max(rings, number + 1)
        }
        return max(rings, 1)
    }

    private func check(_ data: UnsafeRawBufferPointer, _ row: Int64) throws(TraceError) {
        do throws(BlockFault) { _ = try BlockReader(checked: data) } catch {
            throw source.damaged(
                "the block of session \(row >> 40) from decision \(row & 0xff_ffff_ffff) on "
                    + error.what)
        }
    }
}
