import CSQLite
import Glibc
import PathTelemetry

/// Copies the sessions of many traces into a new one, block by block, in constant memory.
///
/// Sessions are renumbered in the order of the traces; nothing else changes: blocks are copied byte
/// for byte after their hash was verified.
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

    /// - Parameter paths: the traces, which must have the same feature schema.
    /// - Throws: the error of a trace that cannot be read, or `.otherSchema`.
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

    /// Writes the new trace, which must not exist; a failed merge leaves no file.
    ///
    /// - Parameter progress: called with the number of copied decisions and of all decisions.
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
            path: path, schema: first.schema, programVersion: programVersion, ifExists: .refuse,
            isSampled: sources.contains { $0.version >= TraceFormat.version })
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
        // An unfinished merge is deleted, so a journal on disk is not needed.
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
    private let ledger: ChecksumLedger

    init(from source: TraceReader, to database: Database) throws(TraceError) {
        self.source = source
        self.database = database
        ledger = try ChecksumLedger(database)
    }

    /// Copies blocks: the first column gets a new value, all others stay unchanged.
    private func copy(
        _ table: String, columns: [String], where condition: String, key: (Int64) -> Int64,
        _ body: (Statement) throws(TraceError) -> Void = { _ in }
    ) throws(TraceError) {
        let names = columns.joined(separator: ", ")
        let insert = try statement(into: table, columns)
        try source.rows(
            "SELECT \(names) FROM \(table) \(condition)", while: "copying '\(table)'"
        ) { row throws(TraceError) in
            try body(row)
            try write(row, with: insert, into: table, first: key(row.int(0)), from: 1)
        }
    }

    /// Copies a session's rows of a table, and their checksum if they have one.
    private func copy(
        _ table: CheckedTable, of old: Int64, as new: Int64, order: String = "rowid"
    ) throws(TraceError) {
        let insert = try statement(into: table.name, [table.session] + table.columns)
        try source.rows(
            of: table, session: SessionID(rawValue: UInt32(truncatingIfNeeded: old)), order: order,
            while: "copying '\(table.name)'"
        ) { row throws(TraceError) in
            try write(row, with: insert, into: table.name, first: new, from: 1)
        }
        if let sum = try source.checksums(of: table)[old] {
            try ledger.store(sum, of: table, new)
        }
    }

    private func statement(
        into table: String, _ columns: [String]
    ) throws(TraceError) -> Statement {
        let marks = columns.map { _ in "?" }.joined(separator: ", ")
        return try database.prepare(
            "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(marks))",
            while: "copying '\(table)'")
    }

    /// Writes a row with another first column.
    private func write(
        _ row: Statement, with insert: Statement, into table: String, first: Int64, from: Int32
    ) throws(TraceError) {
        insert.bind(1, first)
        for column in from..<sqlite3_column_count(row.handle) {
            sqlite3_bind_value(
                insert.handle, column - from + 2, sqlite3_column_value(row.handle, column))
        }
        let code = insert.step()
        insert.reset()
        guard code == SQLITE_DONE else { throw error(code, of: table) }
    }

    /// The error for a row that could not be written; a value that its column refuses is an error
    /// of the source.
    private func error(_ code: Int32, of table: String) -> TraceError {
        switch code & 0xff {
        case SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE:
            source.damaged(
                "a row of '\(table)' cannot be copied: "
                    + Database.reason(code: code, handle: database.handle))
        default: database.writeError(code)
        }
    }

    /// A count in a row, which has to be possible for a block.
    private func count(_ row: Statement, _ column: Int32) throws(TraceError) -> Int {
        let count = row.int(column)
        guard count >= 0, count <= Int64(DecisionBlockFormat.decisionLimit) else {
            throw source.damaged("a block has the count \(count)")
        }
        return Int(count)
    }

    func copyTables(of old: Int64, as new: Int64) throws(TraceError) {
        try copy(.sessions, of: old, as: new, order: "id")
        try copy(.paths, of: old, as: new)
        try copy(.samples, of: old, as: new)
        if try source.database.text(
            "SELECT type FROM sqlite_schema WHERE name = 'path_totals'", while: "looking for totals"
        ) == "table" {
            try copy(.totals, of: old, as: new, order: "path")
        } else if try source.checksums(of: .totals)[old] != nil {
            throw source.damaged("the table 'path_totals' is missing")
        }
        try copy(.events, of: old, as: new)
        try copyStrays(of: old, as: new)
    }

    private func copyStrays(of old: Int64, as new: Int64) throws(TraceError) {
        let table = CheckedTable.strays
        let insert = try statement(
            into: table.name,
            ["decision", "delivery_s", "late", "deadline_s", "packets", "lost", "closed_ns"])
        try source.rows(
            of: table, session: SessionID(rawValue: UInt32(truncatingIfNeeded: old)),
            order: "decision", while: "copying '\(table.name)'"
        ) { row throws(TraceError) in
            try write(row, with: insert, into: table.name, first: new << 40 | row.int(1), from: 2)
        }
        if let sum = try source.checksums(of: table)[old] {
            try ledger.store(sum, of: table, new)
        }
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
        return outcomes
    }

    /// Copies the drops; rings are renumbered across traces, so their rows get a new checksum.
    func copyDrops(from ring: Int64) throws(TraceError) -> Int64 {
        var rings: Int64 = 0
        let table = CheckedTable.drops
        let insert = try database.prepare(
            """
            INSERT INTO drops (ring, unix_ns, decisions, outcomes, samples, events)
                VALUES (?1, ?2, ?4, ?5, ?6, ?7) \(table.returning)
            """, while: "copying 'drops'")
        try source.rows(of: table, order: "rowid", while: "copying 'drops'") {
            row throws(TraceError) in
            let number = row.int(2)
            guard number >= 0, number < ColumnChecks.ringLimit else {
                throw source.damaged("a row of 'drops' has the ring \(number)")
            }
            rings = max(rings, number + 1)
            for column in Int32(1)...6 {
                sqlite3_bind_value(
                    insert.handle, column + 1, sqlite3_column_value(row.handle, column))
            }
            insert.bind(1, ring &+ number)
            var code = insert.step()
            if code == SQLITE_ROW {
                ledger.addDrops(insert)
                code = insert.step()
            }
            insert.reset()
            guard code == SQLITE_DONE else { throw error(code, of: "drops") }
        }
        try ledger.writeDrops()
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
