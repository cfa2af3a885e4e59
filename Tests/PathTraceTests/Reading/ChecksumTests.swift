import CSQLite
import Glibc
import Testing

@testable import PathLearning
@testable import PathTelemetry
@testable import PathTrace

/// SQLite without the trace's own reader, to see the real content of a file.
private final class Cells {
    private var handle: OpaquePointer?

    init(_ path: String) throws { try #require(sqlite3_open(path, &handle) == SQLITE_OK) }

    deinit { sqlite3_close(handle) }

    /// Whether the statement ran.
    @discardableResult
    func run(_ sql: String) -> Bool { sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK }

    /// All rows, values as SQL literals.
    func rows(_ sql: String) -> [[String]]? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else { return nil }
        defer { sqlite3_finalize(statement) }
        var rows: [[String]] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW:
                rows.append(
                    (0..<sqlite3_column_count(statement)).map {
                        sqlite3_column_text(statement, $0).map { String(cString: $0) } ?? ""
                    })
            case SQLITE_DONE: return rows
            default: return nil
            }
        }
    }

    func columns(of table: String) -> [String] {
        (rows("SELECT name FROM pragma_table_info('\(table)')") ?? []).map { $0[0] }
    }

    /// Every cell of every table, doubles by their bits.
    func dump() -> [String: [[String]]] {
        var all: [String: [[String]]] = [:]
        for table in Cells.tables {
            let list = columns(of: table).map {
                "CASE typeof(\"\($0)\") WHEN 'real' THEN printf('%!.26g', \"\($0)\") "
                    + "WHEN 'text' THEN 't' || hex(\"\($0)\") ELSE quote(\"\($0)\") END"
            }
            all[table] = rows("SELECT \(list.joined(separator: ", ")) FROM \(table)")
        }
        return all
    }

    static let tables = [
        "meta", "sessions", "paths", "decision_blocks", "decision_rows", "outcome_blocks",
        "stray_outcomes", "path_samples", "path_totals", "events", "drops", "checksums",
    ]
}

@Suite struct ChecksumTests {
    /// A small trace with rows in every table.
    private func writeTrace(to path: String) throws {
        let writer = try TraceWriter(path: path, schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let small = writer.makeRing(bytes: 1 << 16, whenFull: .drop)
        var generator = SeededGenerator(seed: 4)
        for policy in ["earliest", "lin-ucb"] {
            let session = writer.beginSession(sessionInfo(policy: policy))
            for index in 0..<2 {
                ring.record(
                    added: PathInfo(
                        path: PathID(index), name: ["dsl", "lte"][index], local: "10.0.0.1",
                        remote: "192.0.2.1", traits: generator.traits(), added: .zero),
                    session: session)
            }
            for number in 0..<8 {
                let time = Instant(nanoseconds: Int64(number) * 50_000_000)
                ring.record(
                    generator.soundDecision(number: UInt64(number), time: time), session: session)
                var outcome = generator.outcome(of: UInt64(number), at: time + .milliseconds(100))
                outcome.lostPackets = min(outcome.lostPackets, outcome.packets)
                ring.record(outcome, session: session)
                var sample = generator.sample(at: time)
                sample.totals = PathTotals(
                    packetsSent: UInt64(number) + 9, bytesSent: 12_000, packetsReceived: 7,
                    bytesReceived: 500, packetsLost: 1)
                ring.record(sample, session: session)
            }
            ring.record(
                TraceEvent(
                    time: Instant(nanoseconds: 500_000_000), kind: .failover, path: PathID(1),
                    text: "moved", value: 0.125), session: session)
            ring.record(removed: PathID(1), at: Instant(nanoseconds: 77), session: session)
            // More than the ring takes, so that there are drops, one of a decision.
            let wide = generator.soundDecision(number: 100, time: .zero + .seconds(1))
            let dropped = small.drops.decisions
            while small.drops.decisions == dropped { small.record(wide, session: session) }
            ring.record(
                Outcome(
                    decision: 90, delivery: 0.1, isLate: false, deadline: 0.2, packets: 3,
                    lostPackets: 0, closedAt: .zero + .seconds(2)), session: session)
            try writer.flush()
            writer.endSession(session, at: Instant(nanoseconds: 600_000_000))
        }
        try writer.close()
    }

    /// The trace with small pages, so that nearly every byte of the file matters.
    private func content() throws -> [UInt8] {
        let scratch = Scratch()
        try writeTrace(to: scratch.file())
        let cells = try Cells(scratch.file())
        try #require(cells.run("PRAGMA page_size = 512; VACUUM"))
        for table in Cells.tables {
            try #require(cells.rows("SELECT 1 FROM \(table)")?.isEmpty == false, "\(table)")
        }
        return try #require(bytes(of: scratch.file()))
    }

    /// Whether the trace passes its verification.
    private func isSound(_ path: String) -> Bool {
        (try? TraceVerifier(TraceReader(path: path)).verify().isSound) ?? false
    }

    private static let share = 8
    private static func rounds(_ usual: Int) -> Int {
        (getenv("PATHWISE_FUZZ").flatMap { Int(String(cString: $0)) } ?? usual) / share
    }

    /// A changed bit of any value is detected.
    @Test(arguments: 0..<share)
    func aBitOfACellIsFound(part: Int) throws {
        let scratch = Scratch()
        let path = scratch.file()
        let whole = try content()
        write(whole, to: path)
        try #require(isSound(path))
        let original = try Cells(path).dump()
        var generator = SeededGenerator(seed: UInt64(part))
        var changed: [String: Int] = [:]
        for round in 0..<Self.rounds(2_000) {
            write(whole, to: path)
            let cells = try Cells(path)
            let table = Cells.tables[round % Cells.tables.count]
            let columns = cells.columns(of: table)
            let column = columns[generator.below(columns.count)]
            let count = try #require(original[table]?.count)
            let row = generator.below(count)
            let bit = generator.below(64)
            // SQL cannot change bits of doubles: a double becomes its neighbour, twice its value or
            // its negative.
            let number = ["* (1 + 2.3e-16)", "* 2", "* -1", "+ 1e-300"][bit % 4]
            let key =
                switch table {
                case "meta": "key"
                case "checksums": "session || name"
                case "path_totals": "session || '/' || path"
                default: "rowid"
                }
            let flipped =
                "(\(column) | (1 << \(bit))) - (\(column) & (1 << \(bit)))"
            let isChanged = cells.run(
                """
                UPDATE \(table) SET \(column) = CASE typeof(\(column))
                    WHEN 'integer' THEN \(flipped) WHEN 'real' THEN \(column) \(number)
                    WHEN 'null' THEN 1
                    WHEN 'text' THEN CASE WHEN \(column) = '' THEN '!' ELSE
                        substr(\(column), 1, \(bit) % length(\(column)))
                        || char(unicode(substr(\(column), 1 + \(bit) % length(\(column)), 1)) + 1
                            - 2 * (unicode(substr(\(column), 1 + \(bit) % length(\(column)), 1)) & 1))
                        || substr(\(column), 2 + \(bit) % length(\(column))) END
                    ELSE CAST(substr(\(column), 1, \(bit) % length(\(column)))
                        || CASE hex(substr(\(column), 1 + \(bit) % length(\(column)), 1))
                            WHEN '00' THEN x'01' ELSE x'00' END
                        || substr(\(column), 2 + \(bit) % length(\(column))) AS BLOB) END
                    WHERE \(key) = (SELECT \(key) FROM \(table) LIMIT 1 OFFSET \(row))
                """)
            guard isChanged, cells.dump() != original else { continue }
            changed[table, default: 0] += 1
            #expect(!isSound(path), "part \(part), round \(round): \(table).\(column), bit \(bit)")
        }
        if Self.rounds(2_000) >= 100 {
            for table in Cells.tables { #expect(changed[table, default: 0] > 5, "\(table)") }
        }
    }

    /// With a changed bit of the file, the trace is not sound, or its content is unchanged.
    @Test(arguments: 0..<share)
    func aBitOfTheFileIsFoundOrMeansNothing(part: Int) throws {
        let scratch = Scratch()
        let path = scratch.file()
        let whole = try content()
        write(whole, to: path)
        let original = try Cells(path).dump()
        var generator = SeededGenerator(seed: UInt64(part) &+ 100)
        var found = 0
        let rounds = Self.rounds(2_000)
        for round in 0..<rounds {
            var content = whole
            let at = generator.below(content.count)
            let bit = UInt8(generator.below(8))
            content[at] ^= 1 << bit
            write(content, to: path)
            guard isSound(path) else {
                found += 1
                continue
            }
            #expect(
                try Cells(path).dump() == original,
                "part \(part), round \(round): byte \(at), bit \(bit)")
        }
        #expect(found > rounds / 2)
    }

    /// The sum, by hand: docs/formats.md, "checksums".
    @Test func aSumIsWhatTheDocumentSays() throws {
        let scratch = Scratch()
        try writeTrace(to: scratch.file())
        var row: [UInt8] = []
        func put(_ value: UInt64) {
            row += (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        row.append(1)
        put(500_000_000)
        row.append(3)
        put(8)
        row += Array("failover".utf8)
        row.append(1)
        put(1)
        row.append(3)
        put(5)
        row += Array("moved".utf8)
        row.append(2)
        put(0.125.bitPattern)
        let hash = row.withUnsafeBytes { XXHash64.value($0) }
        #expect(
            try Cells(scratch.file()).rows(
                "SELECT session, rows, hash FROM checksums WHERE name = 'events'")
                == [1, 2].map { ["\($0)", "1", "\(Int64(bitPattern: hash))"] })
    }

    @Test func aTraceWithoutChecksumsIsReadAndSaidToBeOne() throws {
        let scratch = Scratch()
        let path = scratch.file()
        try writeSoundTrace(to: path, decisions: 20)
        try edit(path, "DROP TABLE checksums")
        var report = try TraceVerifier(TraceReader(path: path)).verify()
        #expect(report.isSound)
        #expect(report.checkedSessions == 0)
        #expect(report.uncheckedSessions == 2)
        // Added rows are covered by checksums, earlier ones are not.
        let writer = try TraceWriter(
            path: path, schema: testSchema, programVersion: "1", ifExists: .append)
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        ring.record(TraceEvent(time: .zero, kind: .note, text: "new"), session: session)
        ring.record(
            TraceEvent(time: .zero, kind: .note, text: "old"), session: SessionID(rawValue: 1))
        writer.endSession(session, at: .zero + .seconds(1))
        try writer.close()
        report = try TraceVerifier(TraceReader(path: path)).verify()
        #expect(report.issues == [])
        #expect(report.checkedSessions == 1)
        #expect(report.uncheckedSessions == 2)
        try edit(path, "UPDATE events SET text = 'old' WHERE session = 1")
        #expect(try TraceVerifier(TraceReader(path: path)).verify().issues == [])
        try edit(path, "UPDATE events SET text = 'old' WHERE session = \(session.rawValue)")
        #expect(try !TraceVerifier(TraceReader(path: path)).verify().isSound)
    }

    /// Recording continues after the end of a session and in an existing file.
    @Test func sumsGoOnWhereTheyWere() throws {
        let scratch = Scratch()
        let path = scratch.file()
        try writeTrace(to: path)
        let writer = try TraceWriter(
            path: path, schema: testSchema, programVersion: "1", ifExists: .append)
        let ring = writer.makeRing(whenFull: .wait)
        let old = SessionID(rawValue: 2)
        var generator = SeededGenerator(seed: 12)
        for round in 0..<3 {
            ring.record(generator.sample(at: .zero + .seconds(Int64(10 + round))), session: old)
            ring.record(
                TraceEvent(time: .zero + .seconds(12), kind: .note, text: "later"), session: old)
            ring.record(removed: PathID(0), at: .zero + .seconds(13), session: old)
            try writer.flush()
        }
        writer.endSession(old, at: .zero + .seconds(20))
        try writer.close()
        let report = try TraceVerifier(TraceReader(path: path)).verify()
        #expect(report.issues == [])
        #expect(report.checkedSessions == 2)
    }

    /// A reader always sees a consistent state of a running recording.
    @Test func aRunningRecordingIsSoundAtAnyMoment() throws {
        let scratch = Scratch()
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        try writer.flush()
        var generator = SeededGenerator(seed: 3)
        var seen: Set<Int> = []
        for round in 0..<40 {
            for index in 0..<200 {
                let time = Instant(nanoseconds: Int64(round * 200 + index) * 1_000_000)
                var sample = generator.sample(at: time)
                sample.totals = PathTotals(
                    packetsSent: UInt64(index), bytesSent: 1, packetsReceived: 1,
                    bytesReceived: 1, packetsLost: 0)
                ring.record(sample, session: session)
                ring.record(TraceEvent(time: time, kind: .note, text: "n"), session: session)
            }
            usleep(5_000)
            let reader = try TraceReader(path: scratch.file())
            let report = try TraceVerifier(reader).verify()
            #expect(report.issues == [])
            seen.insert(try reader.info().events)
        }
        try writer.close()
        #expect(seen.count > 3)
    }

    @Test func aTableThatIsGoneIsFound() throws {
        let scratch = Scratch()
        for table in ["path_totals", "checksums"] {
            let path = scratch.file(table)
            try writeSoundTrace(to: path, decisions: 5)
            #expect(isSound(path))
            try edit(path, "DROP TABLE \(table)")
            // Without checksums it counts as a trace from before there were any.
            #expect(isSound(path) == (table == "checksums"))
        }
    }

    @Test func aMergeKeepsChecksumsAndRefusesWhatTheyRefuse() throws {
        let scratch = Scratch()
        let (one, two, merged) = (
            scratch.file("a.trace"), scratch.file("b.trace"), scratch.file("c.trace")
        )
        try writeTrace(to: one)
        try writeSoundTrace(to: two, decisions: 10, seed: 9)
        _ = try TraceMerger([one, two]).merge(into: merged, programVersion: "1")
        let report = try TraceVerifier(TraceReader(path: merged)).verify()
        #expect(report.issues == [])
        #expect(report.checkedSessions == 4)
        for table in [
            "sessions", "paths", "path_samples", "path_totals", "events", "stray_outcomes",
        ] {
            let sql =
                "SELECT rows, hash FROM checksums WHERE session BETWEEN 1 AND 2 AND name = '\(table)'"
            #expect(try Cells(merged).rows(sql) == Cells(one).rows(sql), "\(table)")
        }
        for change in [
            "UPDATE path_samples SET bytes_in_flight = bytes_in_flight + 1 WHERE rowid = 3",
            "UPDATE path_totals SET bytes_sent = bytes_sent + 1",
            "UPDATE events SET text = 'moves'",
            "UPDATE stray_outcomes SET packets = 4", "UPDATE drops SET events = 1",
            "UPDATE paths SET name = 'dsm' WHERE name = 'dsl'",
        ] {
            try writeTrace(to: scratch.file("d.trace"))
            try edit(scratch.file("d.trace"), change)
            do throws(TraceError) {
                _ = try TraceMerger([scratch.file("d.trace"), two]).merge(
                    into: scratch.file("e.trace"), programVersion: "1")
                Issue.record("merged although \(change)")
            } catch {
                guard case .damaged = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
            unlink(scratch.file("d.trace"))
        }
    }

    /// Rows are compared with checksums while they are read.
    @Test(arguments: [
        ("UPDATE events SET text = 'moves' WHERE rowid = 1", TraceExportTable.events),
        ("UPDATE path_samples SET latest_rtt_ns = latest_rtt_ns + 1 WHERE rowid = 2", .samples),
        ("UPDATE paths SET price_per_gb = price_per_gb + 1", .paths),
        ("UPDATE sessions SET seed = '6' WHERE id = 1", .sessions),
    ])
    func anExportOfAChangedRowFails(change: String, table: TraceExportTable) throws {
        let scratch = Scratch()
        let path = scratch.file()
        try writeTrace(to: path)
        try edit(path, change)
        let reader = try TraceReader(path: path)
        #expect(throws: TraceError.self) {
            try TraceExporter(reader).export(table, as: .csv) { _ in }
        }
        #expect(!isSound(path))
    }
}
