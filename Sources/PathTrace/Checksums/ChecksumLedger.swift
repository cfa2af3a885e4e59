import CSQLite

/// The checksums of a recording: updated while rows are written, stored with each commit.
final class ChecksumLedger {
    private struct Session {
        /// In the order of `CheckedTable.ofSessions`.
        var sums = [TableSum](repeating: TableSum(), count: CheckedTable.ofSessions.count)
        /// Tables whose sums changed since the last commit, one bit per table.
        var changed: UInt8 = 0
        /// Whether the session has ended, so that no more rows are expected.
        var hasEnded = false
    }

    /// Indices in `CheckedTable.ofSessions`.
    private enum Place {
        static let sessions = 0, paths = 1, samples = 2, totals = 3, events = 4, strays = 5
    }

    /// Rows that are only appended: all new rows are read back at the commit, which costs a third
    /// of having each returned.
    private final class NewRows {
        let table: CheckedTable
        let place: Int
        let highest: Statement
        let rows: Statement
        @exclusivity(unchecked) var last: Int64 = 0

        init(
            _ table: CheckedTable, _ place: Int, _ database: Database
        ) throws(TraceError) {
            self.table = table
            self.place = place
            let doing = "preparing the checksums"
            highest = try database.prepare("SELECT max(rowid) FROM \(table.name)", while: doing)
            rows = try database.prepare(
                table.select("WHERE rowid > ? AND rowid <= ?"), while: doing)
            last = try end(database)
        }

        func end(_ database: Database) throws(TraceError) -> Int64 {
            defer { highest.reset() }
            let code = highest.step()
            guard code == SQLITE_ROW else { throw database.writeError(code) }
            return highest.int(0)
        }
    }

    @exclusivity(unchecked) private var hasher = RowHasher()
    @exclusivity(unchecked) private var open: [Int64: Session] = [:]
    /// Sessions from before there were checksums; they get none.
    @exclusivity(unchecked) private var uncovered: Set<Int64> = []
    @exclusivity(unchecked) private var drops: TableSum?
    @exclusivity(unchecked) private var hasNewDrops = false
    private let database: Database
    private let newRows: [NewRows]
    private let insertSum: Statement
    private let findSum: Statement
    private let readTotals: Statement

    /// - Throws: when the trace has no table of checksums and it cannot be created.
    init(_ database: Database) throws(TraceError) {
        self.database = database
        let doing = "preparing the checksums"
        insertSum = try database.prepare(
            "INSERT OR REPLACE INTO checksums VALUES (?,?,?,?)", while: doing)
        findSum = try database.prepare(
            "SELECT rows, hash FROM checksums WHERE session = ? AND name = ?", while: doing)
        readTotals = try database.prepare(
            CheckedTable.totals.select("WHERE session = ?"), while: doing)
        newRows = [
            try NewRows(.samples, Place.samples, database),
            try NewRows(.events, Place.events, database),
        ]
        drops = try stored(CheckedTable.drops, CheckedTable.wholeFile)
    }

    /// Begins the checksums of a new trace, which has only its `meta`.
    static func begin(_ database: Database) throws(TraceError) {
        var hasher = RowHasher()
        let doing = "creating the trace"
        let rows = try database.prepare(
            CheckedTable.meta.select(CheckedTable.metaCondition), while: doing)
        var sum = TableSum()
        while rows.step() == SQLITE_ROW {
            sum.add(hasher.hash(rows, columns: CheckedTable.meta.columns.count))
        }
        rows.reset()
        let ledger = try ChecksumLedger(database)
        try ledger.store(sum, of: CheckedTable.meta, CheckedTable.wholeFile)
        try ledger.store(TableSum(), of: CheckedTable.drops, CheckedTable.wholeFile)
    }

    // MARK: Rows

    /// Begins the checksums of a new session.
    func begin(_ row: Statement) {
        let session = row.int(0)
        var fresh = Session()
        fresh.changed = UInt8(truncatingIfNeeded: (1 << CheckedTable.ofSessions.count) - 1)
        fresh.sums[Place.sessions].add(
            hasher.hash(row, columns: CheckedTable.sessions.columns.count))
        open[session] = fresh
    }

    /// Replaces the row of a session that has ended.
    func end(_ row: Statement) throws(TraceError) {
        let hash = hasher.hash(row, columns: CheckedTable.sessions.columns.count)
        try change(row.int(0), Place.sessions) {
            $0 = TableSum()
            $0.add(hash)
        }
        open[row.int(0)]?.hasEnded = true
    }

    func addPath(_ row: Statement) throws(TraceError) {
        try add(row, CheckedTable.paths, Place.paths)
    }

    /// Replaces the row of a removed path, whose last column was NULL before.
    func removePath(_ row: Statement) throws(TraceError) {
        let columns = CheckedTable.paths.columns.count
        let old = hasher.hash(row, columns: columns, absent: columns)
        let new = hasher.hash(row, columns: columns)
        try change(row.int(0), Place.paths) { $0.replace(old, by: new) }
    }

    func addStray(_ row: Statement) throws(TraceError) {
        try add(row, CheckedTable.strays, Place.strays)
    }

    func addDrops(_ row: Statement) {
        guard drops != nil else { return }
        drops?.add(hasher.hash(row, columns: CheckedTable.drops.columns.count))
        hasNewDrops = true
    }

    /// Marks totals that were overwritten: they are few and are summed at the commit.
    func changeTotals(of session: Int64) throws(TraceError) {
        try change(session, Place.totals) { _ in }
    }

    private func add(
        _ row: Statement, _ table: CheckedTable, _ place: Int
    ) throws(TraceError) {
        let hash = hasher.hash(row, columns: table.columns.count)
        try change(row.int(0), place) { $0.add(hash) }
    }

    private func change(
        _ session: Int64, _ place: Int, _ body: (inout TableSum) -> Void
    ) throws(TraceError) {
        if open[session] == nil {
            guard !uncovered.contains(session), try reopen(session) else { return }
        }
        guard open[session] != nil else { return }
        body(&open[session, default: Session()].sums[place])
        open[session]?.changed |= 1 << UInt8(truncatingIfNeeded: place)
    }

    /// Loads the stored sums of a session that was closed, or that an earlier recording wrote.
    private func reopen(_ session: Int64) throws(TraceError) -> Bool {
        var found = Session()
        for (place, table) in CheckedTable.ofSessions.enumerated() {
            guard let sum = try stored(table, session) else {
                uncovered.insert(session)
                return false
            }
            found.sums[place] = sum
        }
        found.hasEnded = true
        open[session] = found
        return true
    }

    // MARK: Storing

    /// Stores what has changed in the transaction that writes the rows, and frees the memory of
    /// ended sessions.
    func write() throws(TraceError) {
        try writeDrops()
        for new in newRows { try add(new) }
        for session in Array(open.keys) {
            guard var sums = open[session] else { continue }
            if sums.changed != 0 {
                if sums.changed >> UInt8(Place.totals) & 1 != 0 {
                    sums.sums[Place.totals] = try sumOfTotals(session)
                }
                for (place, table) in CheckedTable.ofSessions.enumerated()
                where sums.changed >> UInt8(truncatingIfNeeded: place) & 1 != 0 {
                    try store(sums.sums[place], of: table, session)
                }
                sums.changed = 0
                open[session] = sums
            }
            if sums.hasEnded { open[session] = nil }
        }
    }

    /// Stores the checksum of the whole file's rows, if they have changed.
    func writeDrops() throws(TraceError) {
        guard hasNewDrops, let drops else { return }
        try store(drops, of: CheckedTable.drops, CheckedTable.wholeFile)
        hasNewDrops = false
    }

    private func add(_ new: NewRows) throws(TraceError) {
        let end = try new.end(database)
        guard end > new.last else { return }
        new.rows.bind(1, new.last)
        new.rows.bind(2, end)
        defer { new.rows.reset() }
        while true {
            let code = new.rows.step()
            if code == SQLITE_DONE { break }
            guard code == SQLITE_ROW else { throw database.writeError(code) }
            try add(new.rows, new.table, new.place)
        }
        new.last = end
    }

    private func sumOfTotals(_ session: Int64) throws(TraceError) -> TableSum {
        var sum = TableSum()
        readTotals.bind(1, session)
        defer { readTotals.reset() }
        while true {
            let code = readTotals.step()
            if code == SQLITE_DONE { return sum }
            guard code == SQLITE_ROW else { throw database.writeError(code) }
            sum.add(hasher.hash(readTotals, columns: CheckedTable.totals.columns.count))
        }
    }

    /// Stores a sum.
    func store(_ sum: TableSum, of table: CheckedTable, _ session: Int64) throws(TraceError) {
        insertSum.bind(1, session)
        insertSum.bind(2, table.name)
        insertSum.bind(3, sum.rows)
        insertSum.bind(4, Int64(bitPattern: sum.hash))
        let code = insertSum.step()
        insertSum.reset()
        guard code == SQLITE_DONE else { throw database.writeError(code) }
    }

    private func stored(_ table: CheckedTable, _ session: Int64) throws(TraceError) -> TableSum? {
        findSum.bind(1, session)
        findSum.bind(2, table.name)
        defer { findSum.reset() }
        switch findSum.step() {
        case SQLITE_ROW:
            return TableSum(rows: findSum.int(0), hash: UInt64(bitPattern: findSum.int(1)))
        case SQLITE_DONE: return nil
        case let code: throw database.writeError(code)
        }
    }
}
