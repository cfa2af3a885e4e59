import CSQLite

/// Checks that every value of every table is of the kind that its column was made for.
///
/// A file that another program wrote may hold anything anywhere: SQLite keeps a text in a column of
/// integers, and a table may have been made without our constraints.
enum ColumnChecks {
    /// Rings of one trace are numbered from zero.
    static let ringLimit: Int64 = 1 << 31

    static func check(
        _ reader: TraceReader, _ report: inout TraceReport
    ) throws(TraceError) {
        // The columns as this program makes them.
        let model = try Database(path: ":memory:", mode: .create)
        try model.run(TraceFormat.tables)
        // Traces of before version 3 have no totals of paths.
        let hasTotals = try !columns(of: "path_totals", reader).isEmpty
        for table in TraceFormat.tableNames + (hasTotals ? ["path_totals"] : []) {
            let conditions = try conditions(of: table, reader, model, &report)
            guard !conditions.isEmpty else { continue }
            do throws(TraceError) {
                try reader.rows(
                    """
                    SELECT * FROM (SELECT CASE \(conditions.joined(separator: " ")) END AS wrong
                        FROM \(table)) WHERE wrong IS NOT NULL
                    """, while: "checking the columns of '\(table)'"
                ) { row throws(TraceError) in
                    report.add(.rows, "a row of '\(table)' has no such value in '\(row.text(0))'")
                }
            } catch {
                report.add(.file, error.description)
            }
        }
        try reader.rows(
            "SELECT ring FROM drops WHERE ring NOT BETWEEN 0 AND \(ringLimit - 1)",
            while: "checking the drops"
        ) { row throws(TraceError) in
            report.add(.rows, "a row of 'drops' has the ring \(row.int(0))")
        }
    }

    /// `WHEN the column is of another kind THEN its name`, for each column.
    private static func conditions(
        of table: String, _ reader: TraceReader, _ model: Database, _ report: inout TraceReport
    ) throws(TraceError) -> [String] {
        let present = try columns(of: table, reader)
        var conditions: [String] = []
        let statement = try model.prepare(
            "SELECT name, type, \"notnull\" OR pk FROM pragma_table_info('\(table)')",
            while: "listing the columns of '\(table)'")
        while statement.step() == SQLITE_ROW {
            var kinds: [String]
            switch statement.text(1) {
            case "INTEGER": kinds = ["'integer'"]
            case "REAL": kinds = ["'real'", "'integer'"]
            case "BLOB": kinds = ["'blob'"]
            default: kinds = ["'text'"]
            }
            if statement.int(2) == 0 { kinds.append("'null'") }
            let name = statement.text(0)
            guard present.contains(name) else {
                report.add(.rows, "the table '\(table)' has no column '\(name)'")
                continue
            }
            conditions.append(
                "WHEN typeof(\(name)) NOT IN (\(kinds.joined(separator: ", "))) THEN '\(name)'")
        }
        return conditions
    }

    private static func columns(
        of table: String, _ reader: TraceReader
    ) throws(TraceError) -> Set<String> {
        var names: Set<String> = []
        try reader.rows(
            "SELECT name FROM pragma_table_info('\(table)')",
            while: "listing the columns of '\(table)'"
        ) { row in names.insert(row.text(0)) }
        return names
    }
}
