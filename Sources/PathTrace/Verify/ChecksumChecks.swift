import PathTelemetry

/// The checks of the table `checksums`, and of the tables that no other check reads.
enum ChecksumChecks {
    static func check(
        _ reader: TraceReader, sessions: Set<SessionID>, _ report: inout TraceReport
    ) throws(TraceError) {
        guard try reader.hasChecksums() else {
            report.uncheckedSessions = sessions.count
            return
        }
        var present: [Int64: Set<String>] = [:]
        try reader.rows(
            "SELECT session, substr(name, 1, 64) FROM checksums", while: "reading the checksums"
        ) { row in present[row.int(0), default: []].insert(row.text(1)) }
        check(
            CheckedTable.ofFile, present.removeValue(forKey: CheckedTable.wholeFile), nil, &report)
        for session in sessions.sorted() {
            let names = present.removeValue(forKey: Int64(session.rawValue))
            if names == nil { report.uncheckedSessions += 1 } else { report.checkedSessions += 1 }
            check(CheckedTable.ofSessions, names, session, &report)
        }
        for number in present.keys.sorted() {
            report.add(.checksum, "of session \(number), which is missing")
        }
        var tables = [(CheckedTable.strays, "decision")]
        if try reader.database.integer(
            "SELECT 1 FROM sqlite_schema WHERE name = 'path_totals' AND type = 'table'",
            while: "looking for totals") != nil
        {
            tables.append((CheckedTable.totals, "session, path"))
        } else if report.checkedSessions > 0 {
            report.add(.checksum, "the table 'path_totals' is missing")
        }
        for (table, order) in tables {
            do throws(TraceError) {
                try reader.rows(of: table, order: order, while: "checking '\(table.name)'") { _ in }
            } catch {
                report.add(.checksum, error.description)
            }
        }
    }

    /// A session has all checksums or none.
    private static func check(
        _ tables: [CheckedTable], _ names: Set<String>?, _ session: SessionID?,
        _ report: inout TraceReport
    ) {
        guard let names else { return }
        for table in tables where !names.contains(table.name) {
            report.add(.checksum, session: session, "that of '\(table.name)' is missing")
        }
    }
}
