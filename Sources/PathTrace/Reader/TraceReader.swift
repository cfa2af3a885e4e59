import CSQLite
import Glibc
import PathTelemetry

/// Reads one trace, read-only, and holds at most one row of it in memory.
///
/// A trace that is still being recorded, or whose recording was killed, can be read up to its last
/// commit.
public final class TraceReader {
    public let path: String
    /// The schema of the decisions' features.
    public let schema: TraceWriter.Schema
    /// The program that created the trace.
    public let programVersion: String
    /// The version of its format.
    let version: Int
    let database: Database

    /// Opens a trace and checks that it is one.
    ///
    /// - Throws: `TraceError.cannotOpen`, `.notATrace`, `.otherVersion` or `.damaged`.
    public init(path: String) throws(TraceError) {
        self.path = path
        database = try TraceReader.open(path)
        version = try TraceReader.checkFormat(of: database)
        schema = TraceWriter.Schema(
            hash: try TraceReader.meta("schema_hash", of: database),
            text: try TraceReader.meta("schema", of: database, limit: TraceFormat.schemaLimit),
            names: try TraceReader.featureNames(of: database))
        programVersion = try TraceReader.meta("program_version", of: database)
        let features = try TraceReader.meta("feature_count", of: database)
        guard features == String(FeatureVector.count) else {
            throw .otherSchema(
                path: path, found: schema.hash + " with \(features.prefix(40)) features",
                expected: "\(FeatureVector.count) features")
        }
        try checkMeta()
    }

    private static func open(_ path: String) throws(TraceError) -> Database {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw .cannotOpen(path: path, reason: String(cString: strerror(errno)))
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .notATrace(path: path, reason: "it is not a regular file")
        }
        guard status.st_size > 0 else {
            throw .notATrace(path: path, reason: "the file is empty")
        }
        let database = try Database(path: path, mode: .readOnly)
        let code = sqlite3_exec(database.handle, "SELECT 1 FROM sqlite_schema", nil, nil, nil)
        // The recording was killed, and the folder is not writable; there is nothing to recover if
        // no `-wal` file exists.
        if code & 0xff == SQLITE_CANTOPEN, access(path + "-wal", F_OK) != 0 {
            return try Database(path: path, mode: .immutable)
        }
        guard code == SQLITE_OK else {
            throw database.readError(code, while: "opening it")
        }
        return database
    }

    /// Refuses files that are not traces, have an unsupported version, or have other tables; returns
    /// the version.
    @discardableResult
    static func checkFormat(of database: Database) throws(TraceError) -> Int {
        let path = database.path
        let doing = "reading the header"
        let application = try database.integer("PRAGMA application_id", while: doing) ?? 0
        guard application == Int64(TraceFormat.applicationID) else {
            throw .notATrace(path: path, reason: "the SQLite database of another program")
        }
        let version = try database.integer("PRAGMA user_version", while: doing) ?? 0
        var needed = version
        if version > Int64(TraceFormat.version) {
            // A newer program records the version that can read its traces.
            let text = try database.text(
                "SELECT value FROM meta WHERE key = 'reader_version'", while: doing)
            needed = text.flatMap { Int64($0) } ?? version
        }
        guard needed >= Int64(TraceFormat.oldestVersion), needed <= Int64(TraceFormat.version)
        else {
            throw .otherVersion(
                path: path, found: Int(version), supported: TraceFormat.version)
        }
        // A virtual table or a computed column could produce much data from a small file.
        let tables = "sqlite_schema WHERE type = 'table' AND rootpage > 0"
        let present = Set(try database.texts("SELECT name FROM \(tables)", while: doing))
        for name in TraceFormat.tableNames where !present.contains(name) {
            throw .damaged(path: path, what: "the table '\(name)' is missing")
        }
        let computed = try database.texts(
            """
            SELECT t.name FROM (SELECT name FROM \(tables)) t, pragma_table_xinfo(t.name) c
                WHERE c.hidden > 0
            """, while: doing)
        for name in TraceFormat.tableNames where computed.contains(name) {
            throw .damaged(path: path, what: "the table '\(name)' has a computed column")
        }
        return Int(version)
    }

    static func meta(
        _ key: String, of database: Database, limit: Int = TraceFormat.textLimit
    ) throws(TraceError) -> String {
        let doing = "reading the table 'meta'"
        let statement = try database.prepare(
            "SELECT value FROM meta WHERE key = '\(key)'", while: doing)
        switch statement.step() {
        case SQLITE_ROW: break
        case SQLITE_DONE:
            throw .damaged(path: database.path, what: "'meta' has no '\(key)'")
        case let code: throw database.readError(code, while: doing)
        }
        let length = statement.utf8(0).count
        guard length <= limit else {
            throw .damaged(
                path: database.path,
                what: "'\(key)' of 'meta' has \(length) bytes, at most \(limit) are allowed")
        }
        return statement.text(0)
    }

    /// The features' names, limited in number and length, since exports repeat them in every row.
    private static func featureNames(of database: Database) throws(TraceError) -> [String] {
        let names = try meta("feature_names", of: database)
            .split(separator: ",").map(String.init)
        guard names.count <= FeatureVector.count else {
            throw .damaged(
                path: database.path,
                what: "'feature_names' of 'meta' has \(names.count) names for "
                    + "\(FeatureVector.count) features")
        }
        let limit = TraceFormat.featureNameLimit
        for (index, name) in names.enumerated() where name.utf8.count > limit {
            throw .damaged(
                path: database.path,
                what: "the name of feature \(index) has \(name.utf8.count) bytes, at most "
                    + "\(limit) are allowed")
        }
        return names
    }

    /// Calls `body` with every row of a query.
    func rows(
        _ sql: String, while doing: String,
        _ body: (Statement) throws(TraceError) -> Void
    ) throws(TraceError) {
        let statement = try database.prepare(sql, while: doing)
        while true {
            let code = statement.step()
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw database.readError(code, while: doing) }
            try body(statement)
        }
    }

    func damaged(_ what: String) -> TraceError { .damaged(path: path, what: what) }

    // MARK: Sessions and paths

    /// All sessions in the order of their numbers.
    public func sessions() throws(TraceError) -> [RecordedSession] {
        var sessions: [RecordedSession] = []
        let shares = try shares()
        try rows(
            of: .sessions, order: "id", while: "reading the sessions"
        ) { row throws(TraceError) in
            let number = row.int(0)
            guard number > 0, number < Int64(SessionID.limit) else {
                throw damaged("a session has the number \(number)")
            }
            func text(_ column: Int32, _ name: String) throws(TraceError) -> String {
                try self.text(row, column, name, of: "session \(number)")
            }
            let seedText = try text(8, "seed")
            guard let seed = UInt64(seedText) else {
                throw damaged("session \(number) has the seed '\(seedText.prefix(40))'")
            }
            var info = SessionInfo(
                startedWallClock: row.int(1), started: Instant(nanoseconds: row.int(2)),
                role: try text(4, "role"), peer: try text(5, "peer"),
                policy: try text(6, "policy"), modelHash: try text(7, "model_hash"),
                seed: seed, programVersion: try text(9, "program_version"),
                command: row.text(10))
            info.share = shares[number] ?? 1
            sessions.append(
                RecordedSession(
                    id: SessionID(rawValue: UInt32(number)), info: info,
                    ended: row.optionalInt(3).map { Instant(nanoseconds: $0) }))
        }
        return sessions
    }

    /// The share of the decisions that was recorded, of each session that lacks some on purpose.
    private func shares() throws(TraceError) -> [Int64: Double] {
        var shares: [Int64: Double] = [:]
        guard version >= TraceFormat.version else { return shares }
        try rows(
            of: .events, order: "rowid", while: "reading the shares"
        ) { row throws(TraceError) in
            guard row.text(2) == TraceEventKind.sampling.rawValue else { return }
            let share = row.double(5)
            guard share >= DecisionSample.least, share <= 1 else {
                throw damaged("session \(row.int(0)) was recorded with the probability \(share)")
            }
            shares[row.int(0)] = share
        }
        return shares
    }

    /// All paths of one session, or of all of them, in the order in which they were added.
    public func paths(of session: SessionID? = nil) throws(TraceError) -> [RecordedPath] {
        var paths: [RecordedPath] = []
        try rows(
            of: .paths, session: session, order: "session, rowid", while: "reading the paths"
        ) { row throws(TraceError) in
            paths.append(
                RecordedPath(
                    session: try sessionID(row.int(0), in: "paths"),
                    info: PathInfo(
                        path: try pathID(row.int(1), in: "paths"),
                        name: try text(row, 2, "name", of: "a path"),
                        local: try text(row, 3, "local", of: "a path"),
                        remote: try text(row, 4, "remote", of: "a path"),
                        traits: try traits(row, first: 5, in: "paths"),
                        added: Instant(nanoseconds: row.int(10))),
                    removed: row.optionalInt(11).map { Instant(nanoseconds: $0) }))
        }
        return paths
    }

    func sessionID(_ number: Int64, in table: String) throws(TraceError) -> SessionID {
        guard number > 0, number < Int64(SessionID.limit) else {
            throw damaged("a row of '\(table)' has the session \(number)")
        }
        return SessionID(rawValue: UInt32(number))
    }

    func pathID(_ number: Int64, in table: String) throws(TraceError) -> PathID {
        guard number >= 0, number < Int64(PathID.limit) else {
            throw damaged("a row of '\(table)' has the path \(number)")
        }
        return PathID(rawValue: UInt8(number))
    }

    /// Reads a text of bounded length, which exports and reports may repeat.
    func text(
        _ row: Statement, _ column: Int32, _ name: String, of what: String
    ) throws(TraceError) -> String {
        let length = row.utf8(column).count
        guard length <= TraceFormat.textLimit else {
            throw damaged(
                "'\(name)' of \(what) has \(length) bytes, at most \(TraceFormat.textLimit) are "
                    + "allowed")
        }
        return row.text(column)
    }

    /// Checks a count: above 2^53 it is invalid, and arithmetic on it could overflow.
    func count(_ number: Int64, _ column: String) throws(TraceError) -> Int {
        guard number.magnitude <= 1 << 53 else {
            throw damaged("a value of '\(column)' is \(number)")
        }
        return Int(number)
    }

    /// Reads five columns: weight, price, rate limit, backup, kind.
    func traits(
        _ row: Statement, first: Int32, in table: String
    ) throws(TraceError) -> PathTraits {
        let word = try text(row, first + 4, "kind", of: "a row of '\(table)'")
        guard let kind = LinkKind(word: word) else {
            throw damaged("a row of '\(table)' has the kind '\(word.prefix(40))'")
        }
        return PathTraits(
            weight: row.double(first), pricePerGB: row.double(first + 1),
            rateLimit: row.double(first + 2), isBackup: row.int(first + 3) != 0, kind: kind)
    }
}
