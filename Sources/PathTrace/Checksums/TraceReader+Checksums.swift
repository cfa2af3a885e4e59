import CSQLite
import PathTelemetry

extension TraceReader {
    /// Whether the trace has checksums; traces of older versions have none.
    func hasChecksums() throws(TraceError) -> Bool {
        try database.integer(
            "SELECT 1 FROM sqlite_schema WHERE name = 'checksums' AND type = 'table' AND rootpage > 0",
            while: "looking for checksums") != nil
    }

    /// The checksums of a table by session; empty if the trace has none.
    func checksums(of table: CheckedTable) throws(TraceError) -> [Int64: TableSum] {
        guard try hasChecksums() else { return [:] }
        var sums: [Int64: TableSum] = [:]
        try rows(
            "SELECT session, rows, hash FROM checksums WHERE name = '\(table.name)'",
            while: "reading the checksums"
        ) { row in
            sums[row.int(0)] = TableSum(rows: row.int(1), hash: UInt64(bitPattern: row.int(2)))
        }
        return sums
    }

    /// Calls `body` with every row of a table, as `CheckedTable.select` returns it, and compares
    /// the rows with their checksums if there are any.
    ///
    /// - Parameter rest: a condition instead of a session, as SQL.
    /// - Throws: `.damaged` after the last row if a checksum differs.
    func rows(
        of table: CheckedTable, session: SessionID? = nil, where rest: String? = nil, order: String,
        while doing: String, _ body: (Statement) throws(TraceError) -> Void
    ) throws(TraceError) {
        try database.snapshot(while: doing) { () throws(TraceError) in
            var expected = try checksums(of: table)
            if let session {
                expected = expected.filter { $0.key == Int64(session.rawValue) }
            }
            let condition =
                rest ?? session.map { "WHERE " + table.condition(Int64($0.rawValue)) } ?? ""
            let sql = table.select("\(condition) ORDER BY \(order)")
            guard !expected.isEmpty else { return try rows(sql, while: doing, body) }
            var sums = expected.mapValues { _ in TableSum() }
            var hasher = RowHasher()
            // Rows of one session are mostly adjacent.
            var current: (session: Int64, sum: TableSum)?
            try rows(sql, while: doing) { row throws(TraceError) in
                let number = row.int(0)
                if current?.session != number {
                    if let current { sums[current.session] = current.sum }
                    current = sums[number].map { (session: number, sum: $0) }
                }
                if current != nil {
                    current?.sum.add(hasher.hash(row, columns: table.columns.count))
                }
                try body(row)
            }
            if let current { sums[current.session] = current.sum }
            for (number, sum) in sums where sum != expected[number] {
                throw damaged(TraceReader.mismatch(of: table, number, sum, expected[number]))
            }
        }
    }

    private static func mismatch(
        of table: CheckedTable, _ session: Int64, _ found: TableSum, _ expected: TableSum?
    ) -> String {
        let place = session == CheckedTable.wholeFile ? "" : " of session \(session)"
        if let expected, found.rows != expected.rows {
            return "'\(table.name)' has \(found.rows) rows\(place), \(expected.rows) were written"
        }
        return "the rows\(place) in '\(table.name)' do not have the checksum that was written"
    }

    /// Compares the values on which every reader relies with their checksum.
    func checkMeta() throws(TraceError) {
        try rows(
            of: .meta, where: CheckedTable.metaCondition, order: "key",
            while: "checking the table 'meta'"
        ) { _ in }
    }
}
