import PathTelemetry

/// The tables of a trace; `docs/formats.md` describes them.
enum TraceFormat {
    /// The newest version that this program reads and writes, in the file's `user_version`: of traces
    /// for which not every decision is recorded.
    ///
    /// A reader accepts traces whose `reader_version` in `meta` is not above this.
    static let version = 5
    /// The version of traces with all decisions.
    static let wholeVersion = 4

    /// The version of a new trace, which a reader has to support.
    ///
    /// - Parameter isSampled: whether sessions of it may lack decisions on purpose.
    static func version(isSampled: Bool) -> Int { isSampled ? version : wholeVersion }

    /// The oldest version that this program reads.
    static let oldestVersion = 2
    /// "PWTR", the file's `application_id`.
    static let applicationID = 0x5057_5452
    /// The longest text that readers accept in a session, a path or `meta`, bytes.
    ///
    /// Exports and reports repeat these texts; a command line or the text of an event appears once.
    static let textLimit = 8 << 10
    /// The longest command line that is recorded, bytes; longer ones are truncated.
    static let commandLimit = 1 << 20
    /// The longest name of a feature, bytes; JSON Lines repeats it in every row.
    static let featureNameLimit = 64
    /// The longest description of the features, bytes.
    static let schemaLimit = 64 << 10
    /// Decision numbers are below this; a row number is session times this plus the number.
    static let decisionLimit: UInt64 = 1 << 40

    static func row(session: SessionID, decision: UInt64) -> Int64? {
        guard session.rawValue < SessionID.limit, decision < decisionLimit else { return nil }
        return Int64(session.rawValue) << 40 | Int64(decision)
    }

    /// Columns of each table, in the order that the writer binds and the reader reads.
    static let tables = """
        CREATE TABLE meta (
            key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE sessions (
            id INTEGER PRIMARY KEY, started_unix_ns INTEGER NOT NULL, started_ns INTEGER NOT NULL,
            ended_ns INTEGER, role TEXT NOT NULL, peer TEXT NOT NULL, policy TEXT NOT NULL,
            model_hash TEXT NOT NULL, seed TEXT NOT NULL, program_version TEXT NOT NULL,
            command TEXT NOT NULL);
        CREATE TABLE paths (
            session INTEGER NOT NULL, path INTEGER NOT NULL, name TEXT NOT NULL,
            local TEXT NOT NULL, remote TEXT NOT NULL, weight REAL NOT NULL,
            price_per_gb REAL NOT NULL, rate_limit REAL NOT NULL, backup INTEGER NOT NULL,
            kind TEXT NOT NULL, added_ns INTEGER NOT NULL, removed_ns INTEGER);
        CREATE TABLE decision_blocks (
            id INTEGER PRIMARY KEY, count INTEGER NOT NULL, last_number INTEGER NOT NULL,
            first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, data BLOB NOT NULL);
        CREATE TABLE decision_rows (
            block INTEGER PRIMARY KEY, first_ns INTEGER NOT NULL, rows TEXT NOT NULL);
        CREATE TABLE outcome_blocks (
            block INTEGER PRIMARY KEY, count INTEGER NOT NULL, data BLOB NOT NULL,
            rows TEXT NOT NULL);
        CREATE TABLE stray_outcomes (
            decision INTEGER PRIMARY KEY, delivery_s REAL, late INTEGER NOT NULL,
            deadline_s REAL, packets INTEGER NOT NULL, lost INTEGER NOT NULL,
            closed_ns INTEGER NOT NULL);
        CREATE TABLE path_samples (
            session INTEGER NOT NULL, time_ns INTEGER NOT NULL, path INTEGER NOT NULL,
            state TEXT NOT NULL, smoothed_rtt_ns INTEGER NOT NULL,
            rtt_variation_ns INTEGER NOT NULL, latest_rtt_ns INTEGER NOT NULL,
            min_rtt_ns INTEGER NOT NULL, bytes_in_flight INTEGER NOT NULL,
            congestion_window INTEGER NOT NULL, pacing_rate REAL, delivery_rate REAL,
            pacing_delay_ns INTEGER NOT NULL, oldest_unanswered_ns INTEGER, last_reply_ns INTEGER,
            probe_timeouts INTEGER NOT NULL, weight REAL, price_per_gb REAL, rate_limit REAL,
            backup INTEGER NOT NULL, kind TEXT NOT NULL);
        CREATE TABLE path_totals (
            session INTEGER NOT NULL, path INTEGER NOT NULL, time_ns INTEGER NOT NULL,
            packets_sent INTEGER NOT NULL, bytes_sent INTEGER NOT NULL,
            packets_received INTEGER NOT NULL, bytes_received INTEGER NOT NULL,
            packets_lost INTEGER NOT NULL, PRIMARY KEY (session, path)) WITHOUT ROWID;
        CREATE TABLE events (
            session INTEGER NOT NULL, time_ns INTEGER NOT NULL, kind TEXT NOT NULL, path INTEGER,
            text TEXT NOT NULL, value REAL);
        CREATE TABLE drops (
            unix_ns INTEGER NOT NULL, ring INTEGER NOT NULL, decisions INTEGER NOT NULL,
            outcomes INTEGER NOT NULL, samples INTEGER NOT NULL, events INTEGER NOT NULL);
        \(checksums)
        """

    /// This table was added after the others of version 3, so a trace may lack it.
    static let checksums = """
        CREATE TABLE IF NOT EXISTS checksums (
            session INTEGER NOT NULL, name TEXT NOT NULL, rows INTEGER NOT NULL,
            hash INTEGER NOT NULL, PRIMARY KEY (session, name)) WITHOUT ROWID;
        """

    /// The tables that every version has.
    static let tableNames = [
        "meta", "sessions", "paths", "decision_blocks", "decision_rows", "outcome_blocks",
        "stray_outcomes", "path_samples", "events", "drops",
    ]
}

extension LinkKind {
    /// The word used in traces.
    var word: StaticString {
        switch self {
        case .unknown: "unknown"
        case .wired: "wired"
        case .wifi: "wifi"
        case .cellular: "cellular"
        case .starlink: "starlink"
        }
    }

    init?(word: String) {
        guard let kind = LinkKind.allCases.first(where: { $0.word.description == word }) else {
            return nil
        }
        self = kind
    }
}

extension PathState {
    init?(word: String) {
        guard let state = PathState.allCases.first(where: { $0.name == word }) else { return nil }
        self = state
    }
}
