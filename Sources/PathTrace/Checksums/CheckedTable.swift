/// A table whose rows have no hash: the table `checksums` has one hash for all rows of a session.
///
/// A checksum is the sum of the rows' hashes modulo 2^64, and the number of rows, so that it can be
/// updated while rows are added and changed. It detects accidental damage by disks, cables or
/// programs, and no deliberate change.
struct CheckedTable: Sendable {
    /// The session number for rows of the whole file.
    static let wholeFile: Int64 = 0

    let name: String
    /// The session of a row, as an SQL expression.
    let session: String
    /// The hashed columns in their order, as SQL expressions.
    let columns: [String]

    /// The condition for the rows of a session, as SQL.
    func condition(_ number: Int64) -> String {
        session == "decision >> 40"
            ? "decision BETWEEN \(number) << 40 AND (\(number) << 40) + 1099511627775"
            : "\(session) = \(number)"
    }

    /// A query for the session and all hashed columns.
    func select(_ rest: String) -> String {
        "SELECT \(session), \(columns.joined(separator: ", ")) FROM \(name) \(rest)"
    }

    /// The clause by which a writing statement returns the same columns as `select`.
    var returning: String { "RETURNING \(session), " + columns.joined(separator: ", ") }

    static let sessions = CheckedTable(
        name: "sessions", session: "id",
        columns: [
            "started_unix_ns", "started_ns", "ended_ns", "role", "peer", "policy", "model_hash",
            "seed", "program_version", "command",
        ])
    static let paths = CheckedTable(
        name: "paths", session: "session",
        columns: [
            "path", "name", "local", "remote", "weight", "price_per_gb", "rate_limit", "backup",
            "kind", "added_ns", "removed_ns",
        ])
    static let samples = CheckedTable(
        name: "path_samples", session: "session",
        columns: [
            "time_ns", "path", "state", "smoothed_rtt_ns", "rtt_variation_ns", "latest_rtt_ns",
            "min_rtt_ns", "bytes_in_flight", "congestion_window", "pacing_rate", "delivery_rate",
            "pacing_delay_ns", "oldest_unanswered_ns", "last_reply_ns", "probe_timeouts", "weight",
            "price_per_gb", "rate_limit", "backup", "kind",
        ])
    static let totals = CheckedTable(
        name: "path_totals", session: "session",
        columns: [
            "path", "time_ns", "packets_sent", "bytes_sent", "packets_received",
            "bytes_received", "packets_lost",
        ])
    static let events = CheckedTable(
        name: "events", session: "session", columns: ["time_ns", "kind", "path", "text", "value"])
    static let strays = CheckedTable(
        name: "stray_outcomes", session: "decision >> 40",
        columns: [
            "decision & 1099511627775", "delivery_s", "late", "deadline_s", "packets", "lost",
            "closed_ns",
        ])

    /// Belongs to the whole file.
    static let drops = CheckedTable(
        name: "drops", session: "0",
        columns: ["unix_ns", "ring", "decisions", "outcomes", "samples", "events"])
    /// Belongs to the whole file; keys that a later version adds are not hashed.
    static let meta = CheckedTable(
        name: "meta", session: "0", columns: ["key", "value"])
    static let metaKeys = [
        "format_version", "reader_version", "program_version", "schema_hash", "schema",
        "feature_names", "feature_count",
    ]
    static let metaCondition =
        "WHERE key IN (" + metaKeys.map { "'\($0)'" }.joined(separator: ", ") + ")"

    /// The tables with a checksum per session.
    static let ofSessions = [sessions, paths, samples, totals, events, strays]
    static let ofFile = [meta, drops]
}

/// The checksum of a session's rows in a table.
struct TableSum: Hashable {
    var rows: Int64 = 0
    var hash: UInt64 = 0

    mutating func add(_ row: UInt64) {
        rows &+= 1
        hash &+= row
    }

    mutating func replace(_ old: UInt64, by new: UInt64) { hash = hash &- old &+ new }
}
