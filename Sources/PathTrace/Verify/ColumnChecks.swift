import CSQLite

/// Checks that every value of every table has the type of its column.
///
/// A file of another program may hold any value anywhere: SQLite stores a text in a column of
/// integers, and the table may lack our constraints.
enum ColumnChecks {
    /// The rings of a trace are numbered from zero, below this.
    static let ringLimit: Int64 = 1 << 31

    static func check(
        _ reader: TraceReader, _ report: inout TraceReport
    ) throws(TraceError) {
        // Traces before version 3 have no totals of paths, and some of version 3 have no checksums.
        for table in TraceFormat.tableNames + ["path_totals", "checksums"] {
            let conditions = try conditions(of: table, reader, &report)
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
        guard !model.isEmpty else {
            throw .cannotOpen(path: ":memory:", reason: "SQLite cannot make a database in memory")
        }
        try reader.rows(
            "SELECT ring FROM drops WHERE ring NOT BETWEEN 0 AND \(ringLimit - 1)",
            while: "checking the drops"
        ) { row throws(TraceError) in
            report.add(.rows, "a row of 'drops' has the ring \(row.int(0))")
        }
    }

    /// A column of this program's schema, and the types of values that it accepts, as SQL.
    private struct Column {
        var name: String
        var kinds: String
    }

    /// The columns of each table, as SQLite parses the program's own definition.
    private static let model: [String: [Column]] = {
        var columns: [String: [Column]] = [:]
        guard let model = try? Database(path: ":memory:", mode: .create),
            (try? model.run(TraceFormat.tables)) != nil,
            let statement = try? model.prepare(
                """
                SELECT t.name, c.name, c.type, c."notnull" OR c.pk
                    FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'
                """, while: "listing the columns")
        else { return [:] }
        while statement.step() == SQLITE_ROW {
            var kinds =
                switch statement.text(2) {
                case "INTEGER": "'integer'"
                case "REAL": "'real', 'integer'"
                case "BLOB": "'blob'"
                default: "'text'"
                }
            if statement.int(3) == 0 { kinds += ", 'null'" }
            columns[statement.text(0), default: []].append(
                Column(name: statement.text(1), kinds: kinds))
        }
        return columns
    }()

    /// `WHEN the column has another type THEN its name`, for each column.
    private static func conditions(
        of table: String, _ reader: TraceReader, _ report: inout TraceReport
    ) throws(TraceError) -> [String] {
        let present = Set(
            try reader.database.texts(
                "SELECT name FROM pragma_table_info('\(table)')",
                while: "listing the columns of '\(table)'"))
        guard !present.isEmpty || TraceFormat.tableNames.contains(table) else { return [] }
        var conditions: [String] = []
        for column in model[table] ?? [] {
            guard present.contains(column.name) else {
                report.add(.rows, "the table '\(table)' has no column '\(column.name)'")
                continue
            }
            conditions.append(
                "WHEN typeof(\(column.name)) NOT IN (\(column.kinds)) THEN '\(column.name)'")
        }
        return conditions
    }
}
