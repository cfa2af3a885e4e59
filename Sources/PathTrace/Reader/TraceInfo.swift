import CSQLite
import Glibc
public import PathTelemetry

/// A summary of a trace in numbers.
public struct TraceInfo: Sendable {
    /// One session and what was recorded in it.
    public struct Session: Sendable {
        public var session: RecordedSession
        public var paths: [RecordedPath]
        public var decisions: Int
        public var outcomes: Int
        /// Times of its first and last decision; nil without decisions.
        var firstDecision: Instant?
        public var lastDecision: Instant?

        /// Seconds from its start to its end, or to its last decision if the recording was cut off.
        public var duration: Double {
            let end = session.ended ?? lastDecision ?? session.info.started
            return (end - session.info.started).seconds
        }

        /// Decisions per second between the first and the last one.
        public var decisionRate: Double {
            guard let firstDecision, let lastDecision, decisions > 1 else { return 0 }
            let span = (lastDecision - firstDecision).seconds
            return span > 0 ? Double(decisions - 1) / span : 0
        }
    }

    public var path: String
    /// Size of the file and its `-wal` file, bytes.
    public var fileBytes: Int
    public var formatVersion: Int
    public var programVersion: String
    public var schema: TraceWriter.Schema
    public var sessions: [Session]
    public var samples: Int
    public var events: Int
    /// Records that were dropped because the ring was full.
    public var drops: TraceRing.Drops

    public var decisions: Int { sessions.reduce(0) { $0 + $1.decisions } }
    public var outcomes: Int { sessions.reduce(0) { $0 + $1.outcomes } }

    /// Names of the policies in the order of their first session.
    public var policies: [String] {
        var names: [String] = []
        var seen: Set<String> = []
        for session in sessions where seen.insert(session.session.info.policy).inserted {
            names.append(session.session.info.policy)
        }
        return names
    }
}

extension TraceReader {
    /// Summarises the trace.
    public func info() throws(TraceError) -> TraceInfo {
        let paths = Dictionary(grouping: try paths(), by: \.session)
        var summaries: [TraceInfo.Session] = []
        for session in try sessions() {
            let first = Int64(session.id.rawValue) << 40
            let range = "BETWEEN \(first) AND \(first + (1 << 40) - 1)"
            let doing = "counting the decisions"
            let blocks = "FROM decision_blocks WHERE id \(range)"
            let decisions = try rowCount(
                of: "decision_blocks", "WHERE id \(range)", atLeast: 1, in: session.id)
            let outcomes = try rowCount(
                of: "outcome_blocks", "WHERE block \(range)", atLeast: 0, in: session.id)
            summaries.append(
                TraceInfo.Session(
                    session: session,
                    paths: paths[session.id] ?? [],
                    decisions: decisions, outcomes: outcomes,
                    firstDecision: try database.integer(
                        "SELECT first_ns \(blocks) ORDER BY id LIMIT 1", while: doing
                    ).map { Instant(nanoseconds: $0) },
                    lastDecision: try database.integer(
                        "SELECT last_ns \(blocks) ORDER BY id DESC LIMIT 1", while: doing
                    ).map { Instant(nanoseconds: $0) }))
        }
        return TraceInfo(
            path: path, fileBytes: TraceReader.size(path) + TraceReader.size(path + "-wal"),
            formatVersion: version, programVersion: programVersion, schema: schema,
            sessions: summaries,
            samples: try integer("SELECT count(*) FROM path_samples", while: "counting samples"),
            events: try integer("SELECT count(*) FROM events", while: "counting events"),
            drops: try drops())
    }

    /// Describes data that belongs to no session, as sentences: decisions of missing sessions, and
    /// outcomes and SQL rows of missing decisions.
    public func orphans() throws(TraceError) -> [String] {
        var sentences: [String] = []
        let lost = try integer(
            """
            SELECT count(*) FROM decision_blocks b
                WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = b.id >> 40)
            """, while: "matching the decisions with the sessions")
        if lost > 0 {
            sentences.append("\(lost) blocks of decisions belong to missing sessions")
        }
        for (table, what) in [
            ("outcome_blocks", "blocks of outcomes"), ("decision_rows", "blocks of rows for SQL"),
        ] {
            let number = try integer(
                """
                SELECT count(*) FROM \(table)
                    WHERE NOT EXISTS (SELECT 1 FROM decision_blocks WHERE id = block)
                """, while: "matching '\(table)' with the decisions")
            if number > 0 {
                sentences.append("\(number) \(what) belong to missing decisions")
            }
        }
        return sentences
    }

    /// The records that the recording had to drop.
    public func drops() throws(TraceError) -> TraceRing.Drops {
        var drops = TraceRing.Drops()
        try rows(of: .drops, order: "rowid", while: "reading the drops") { row in
            drops.decisions &+= UInt64(clamping: row.int(3))
            drops.outcomes &+= UInt64(clamping: row.int(4))
            drops.samples &+= UInt64(clamping: row.int(5))
            drops.events &+= UInt64(clamping: row.int(6))
        }
        return drops
    }

    /// The sum of the counts that blocks announce.
    ///
    /// Each has to be possible for a block, so that sums and products of these counts never
    /// overflow, whatever a file contains.
    private func rowCount(
        of table: String, _ condition: String, atLeast least: Int64, in session: SessionID
    ) throws(TraceError) -> Int {
        let doing = "counting the rows of '\(table)'"
        let bounds = "\(least) AND \(DecisionBlockFormat.decisionLimit)"
        let wrong = try database.text(
            """
            SELECT quote(substr(count, 1, 40)) FROM \(table) \(condition)
                AND (typeof(count) != 'integer' OR count NOT BETWEEN \(bounds)) LIMIT 1
            """, while: doing)
        if let wrong {
            throw damaged(
                "a row of '\(table)' in session \(session.rawValue) has the count \(wrong)")
        }
        return try integer("SELECT sum(count) FROM \(table) \(condition)", while: doing)
    }

    /// How many decisions the blocks announce, only for showing progress: no row has been checked
    /// yet.
    func announcedDecisions() throws(TraceError) -> Int {
        let doing = "counting the decisions"
        let statement = try database.prepare(
            "SELECT total(count) FROM decision_blocks", while: doing)
        let code = statement.step()
        guard code == SQLITE_ROW else { throw database.readError(code, while: doing) }
        let total = statement.double(0)
        return total > 0 ? Int(min(total, 9e15)) : 0
    }

    private func integer(_ sql: String, while doing: String) throws(TraceError) -> Int {
        Int(try database.integer(sql, while: doing) ?? 0)
    }

    private static func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
