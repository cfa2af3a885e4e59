import CSQLite
import Glibc
import PathLearning
import PathTelemetry
import Testing

@testable import PathTrace

/// Small sound traces, and mutants of them: columns of extreme values, blocks with other numbers
/// and a valid hash, missing rows and tables, bytes of the file itself.
struct FuzzedTrace {
    private let base: [UInt8]
    private let path: String

    /// - Parameters:
    ///   - path: the path of the mutants.
    ///   - seed: seed of the original trace; every second seed uses arbitrary bit patterns as
    ///     numbers.
    init(path: String, seed: UInt64) throws {
        self.path = path
        unlink(path)
        try FuzzedTrace.write(to: path, seed: seed)
        // The file has small pages and no constraints, as a foreign file need not have ours. Only
        // every fourth keeps its checksums, which refuse nearly every change of a row.
        let database = try RawDatabase(path)
        if seed % 4 != 2 { database.run("DROP TABLE checksums") }
        database.run("PRAGMA journal_mode = DELETE; PRAGMA page_size = 1024")
        for view in [
            "decision_outcomes", "path_shares", "late_shares", "path_summaries",
            "delivery_percentiles", "timeline", "rtt_samples", "session_times", "path_names",
            "outcomes", "decisions",
        ] where seed % 4 != 0 {
            database.run("DROP VIEW IF EXISTS \(view)")
        }
        database.run(
            """
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table';
            PRAGMA writable_schema = RESET; VACUUM
            """)
        database.close()
        base = CommandTests.bytes(of: path) ?? []
        try #require(base.count > 10_000)
    }

    // MARK: The traces

    private static func write(to path: String, seed: UInt64) throws {
        let schema = FeatureSchema.current
        let writer = try TraceWriter(
            path: path,
            schema: TraceWriter.Schema(
                hash: StableHash.text(schema.hash), text: schema.text, names: schema.names),
            programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        var generator = SeededGenerator(seed: seed)
        for policy in ["lin-ucb", "weighted"] {
            let session = writer.beginSession(
                SessionInfo(
                    startedWallClock: 1_800_000_000_000_000_000, started: .zero, role: "send",
                    peer: "p", policy: policy, seed: 5, programVersion: "1", command: "c"))
            for index in 0..<3 {
                ring.record(
                    added: PathInfo(
                        path: PathID(index), name: ["dsl", "lte", "sat"][index], local: "l",
                        remote: "r", traits: PathTraits(), added: .zero), session: session)
            }
            var time = Instant.zero
            for number in 0..<(policy == "weighted" ? 20 : 90) {
                time += .milliseconds(10)
                let isWild = seed % 2 == 1 && number % 4 == 0
                let record = generator.fuzzDecision(UInt64(number), at: time, isWild: isWild)
                ring.record(record, session: session)
                let isLate = generator.next() % 8 == 0
                if number % 10 != 9 {
                    ring.record(
                        Outcome(
                            decision: UInt64(number),
                            delivery: isLate ? nil : 0.05 * generator.uniform(), isLate: isLate,
                            deadline: 0.15, packets: 9, lostPackets: 1,
                            closedAt: time + .milliseconds(150)), session: session)
                }
                if number % 16 == 0 {
                    ring.record(
                        PathSample(
                            time: time,
                            snapshot: PathSnapshot(
                                path: PathID(0), state: .active, traits: PathTraits())),
                        session: session)
                    ring.record(
                        TraceEvent(time: time, kind: .note, path: PathID(1), text: "t", value: 1),
                        session: session)
                }
            }
            writer.endSession(session, at: time)
        }
        try writer.close()
        let database = try RawDatabase(path)
        if seed % 4 != 2 {
            database.run(
                "INSERT INTO path_totals VALUES (1, 0, 5, 6, 7, 8, 9, 1), (1, 1, 5, 6, 7, 8, 9, 0)")
            database.run("INSERT INTO drops VALUES (1, 2, 3, 4, 5, 6)")
            database.run("INSERT INTO stray_outcomes VALUES (1099511628000, 0.1, 0, 0.2, 3, 1, 5)")
        }
        database.close()
    }

    // MARK: Mutants

    /// Writes a mutant over the previous one.
    func write(_ generator: inout SeededGenerator) throws {
        var content = base
        let kind = generator.below(16)
        if kind == 0 {
            generator.damage(&content)
            CommandTests.write(content, to: path)
            return
        }
        CommandTests.write(content, to: path)
        let database = try RawDatabase(path)
        defer { database.close() }
        database.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
        for _ in 0...generator.below(3) {
            switch generator.below(10) {
            case 0..<5: changeBlock(database, &generator)
            case 5..<8: database.run(FuzzedTrace.columnChange(&generator))
            case 8: database.run(FuzzedTrace.rowChange(&generator))
            default:
                if generator.below(4) == 0 { database.run(FuzzedTrace.schemaChange(&generator)) }
            }
        }
        database.run("COMMIT")
    }

    private static let tables: [(name: String, columns: [String])] = [
        (
            "sessions",
            [
                "id", "started_unix_ns", "started_ns", "ended_ns", "role", "peer", "policy",
                "model_hash", "seed", "program_version", "command",
            ]
        ),
        (
            "paths",
            [
                "session", "path", "name", "local", "remote", "weight", "price_per_gb",
                "rate_limit", "backup", "kind", "added_ns", "removed_ns",
            ]
        ),
        ("decision_blocks", ["id", "count", "last_number", "first_ns", "last_ns", "data"]),
        ("decision_rows", ["block", "first_ns", "rows"]),
        ("outcome_blocks", ["block", "count", "data", "rows"]),
        (
            "stray_outcomes",
            ["decision", "delivery_s", "late", "deadline_s", "packets", "lost", "closed_ns"]
        ),
        (
            "path_samples",
            [
                "session", "time_ns", "path", "state", "smoothed_rtt_ns", "rtt_variation_ns",
                "latest_rtt_ns", "min_rtt_ns", "bytes_in_flight", "congestion_window",
                "pacing_rate", "delivery_rate", "pacing_delay_ns", "oldest_unanswered_ns",
                "last_reply_ns", "probe_timeouts", "weight", "backup", "kind",
            ]
        ),
        ("events", ["session", "time_ns", "kind", "path", "text", "value"]),
        ("drops", ["unix_ns", "ring", "decisions", "outcomes", "samples", "events"]),
        (
            "path_totals",
            [
                "session", "path", "time_ns", "packets_sent", "bytes_sent", "packets_received",
                "bytes_received", "packets_lost",
            ]
        ),
        ("meta", ["key", "value"]),
        ("checksums", ["session", "name", "rows", "hash"]),
    ]

    private static let values = [
        "9223372036854775807", "-9223372036854775808", "9223372036854775806", "-1", "0", "1", "2",
        "15", "16", "255", "256", "511", "513", "1024", "1025", "65536", "2147483648",
        "4294967295", "4294967296", "4194304", "1099511627775", "1099511627776",
        "9007199254740992", "9007199254740993", "4611686018427387904", "1e308", "-1e308", "9e999",
        "-9e999", "1e-320", "0.5", "-0.0", "NULL", "''", "'x'", "'-1'", "'9223372036854775808'",
        "zeroblob(0)", "zeroblob(1000)", "x'00ff'", "char(27) || '[31m' || char(8238)",
        "'a' || char(0) || 'b'", "'wired'", "'active'", "'[[0]]'",
    ]

    private static func row(_ table: String, _ generator: inout SeededGenerator) -> String {
        let key =
            switch table {
            case "meta": "key"
            case "path_totals": "path"
            case "checksums": "name"
            default: "rowid"
            }
        return "\(key) = (SELECT \(key) FROM \(table) LIMIT 1 OFFSET \(generator.below(6)))"
    }

    private static func columnChange(_ generator: inout SeededGenerator) -> String {
        let table = tables[generator.below(tables.count)]
        let column = table.columns[generator.below(table.columns.count)]
        var value = values[generator.below(values.count)]
        switch generator.below(64) {
        case 0: value = "zeroblob(3000000)"
        case 1: value = "replace(hex(zeroblob(100000)), '0', '9')"
        case 2..<12: value = String(Int64(bitPattern: generator.next()))
        case 12..<20: value = "\(column) + \(generator.below(3) - 1)"
        case 20..<24: value = table.columns[generator.below(table.columns.count)]
        default: break
        }
        let condition = generator.below(8) == 0 ? "1" : row(table.name, &generator)
        return "UPDATE OR REPLACE \(table.name) SET \(column) = \(value) WHERE \(condition)"
    }

    private static func rowChange(_ generator: inout SeededGenerator) -> String {
        let table = tables[generator.below(tables.count)].name
        switch generator.below(3) {
        case 0: return "DELETE FROM \(table) WHERE \(row(table, &generator))"
        case 1: return "INSERT OR IGNORE INTO \(table) SELECT * FROM \(table)"
        default: return "DELETE FROM \(table)"
        }
    }

    private static func schemaChange(_ generator: inout SeededGenerator) -> String {
        let table = tables[generator.below(tables.count)]
        let column = table.columns[generator.below(table.columns.count)]
        switch generator.below(6) {
        case 0: return "DROP TABLE \(table.name)"
        case 1: return "ALTER TABLE \(table.name) RENAME TO other"
        case 2: return "ALTER TABLE \(table.name) RENAME COLUMN \(column) TO other"
        case 3: return "PRAGMA user_version = \(generator.below(5))"
        case 4:
            return "DROP TABLE \(table.name); CREATE TABLE \(table.name) AS SELECT 1 AS \(column)"
        default:
            return """
                ALTER TABLE \(table.name) RENAME TO other;
                CREATE VIEW \(table.name) AS SELECT * FROM other
                """
        }
    }

    // MARK: Blocks

    private func changeBlock(_ database: RawDatabase, _ generator: inout SeededGenerator) {
        let isOutcomes = generator.below(3) == 0
        let table = isOutcomes ? "outcome_blocks" : "decision_blocks"
        let key = isOutcomes ? "block" : "id"
        let place = generator.below(2)
        guard
            let (id, blob) = database.blob(
                "SELECT \(key), data FROM \(table) LIMIT 1 OFFSET \(place)")
        else { return }
        var block = blob
        let fields = BlockFields(block, isOutcomes: isOutcomes).fields
        guard block.count > 8, !fields.isEmpty else { return }
        for _ in 0...generator.below(4) {
            generator.change(fields[generator.below(fields.count)], of: &block)
        }
        if generator.below(12) == 0 { generator.damage(&block) }
        if block.count >= 8, generator.below(16) != 0 {
            let hash = block[..<(block.count - 8)].withUnsafeBytes { XXHash64.value($0) }
            for index in 0..<8 {
                block[block.count - 8 + index] = UInt8(
                    truncatingIfNeeded: hash >> (8 * UInt64(index)))
            }
        }
        database.update("UPDATE \(table) SET data = ? WHERE \(key) = \(id)", block)
        if !isOutcomes, generator.below(4) != 0 { fitColumns(database, id, block) }
    }

    /// Makes the columns beside a block match its content, as far as it can be read.
    private func fitColumns(_ database: RawDatabase, _ id: Int64, _ block: [UInt8]) {
        var batch = DecisionBatch()
        var decoder = DecisionBlockDecoder(columns: [])
        let session = SessionID(rawValue: UInt32(truncatingIfNeeded: id >> 40))
        let isRead: Bool = block.withUnsafeBytes {
            do throws(BlockFault) {
                try decoder.decode($0, session: session, into: &batch)
                return true
            } catch {
                return false
            }
        }
        guard isRead, batch.count > 0 else { return }
        let last = batch.count - 1
        database.run(
            """
            UPDATE OR REPLACE decision_blocks SET count = \(batch.count),
                last_number = \(Int64(bitPattern: batch.numbers[last])),
                first_ns = \(batch.times[0].nanoseconds), last_ns = \(batch.times[last].nanoseconds)
                WHERE id = \(id)
            """)
    }
}

/// SQLite as any program may use it, without the checks of the trace's own reader and writer.
final class RawDatabase {
    private var handle: OpaquePointer?

    init(_ path: String) throws {
        try #require(sqlite3_open(path, &handle) == SQLITE_OK)
        _ = sqlite3_exec(handle, "PRAGMA legacy_alter_table = ON", nil, nil, nil)
    }

    deinit { close() }

    func close() {
        sqlite3_close(handle)
        handle = nil
    }

    /// Statements that fail are ignored.
    func run(_ sql: String) { sqlite3_exec(handle, sql, nil, nil, nil) }

    func blob(_ sql: String) -> (Int64, [UInt8])? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else { return nil }
        defer { sqlite3_finalize(statement) }
        guard sqlite3_step(statement) == SQLITE_ROW, let base = sqlite3_column_blob(statement, 1)
        else { return nil }
        let count = Int(sqlite3_column_bytes(statement, 1))
        return (
            sqlite3_column_int64(statement, 0),
            [UInt8](UnsafeRawBufferPointer(start: base, count: count))
        )
    }

    func update(_ sql: String, _ bytes: [UInt8]) {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else { return }
        bytes.withUnsafeBytes {
            _ = sqlite3_bind_blob(statement, 1, $0.baseAddress, Int32($0.count), nil)
            _ = sqlite3_step(statement)
        }
        sqlite3_finalize(statement)
    }
}

extension SeededGenerator {
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }

    private mutating func integer() -> UInt64 {
        switch below(6) {
        case 0: next()
        case 1: UInt64(below(40))
        case 2: .max - UInt64(below(3))
        case 3: UInt64(bitPattern: Int64.max) - UInt64(below(3))
        case 4: 1 << UInt64(below(64))
        default: (1 << UInt64(below(64))) - 1
        }
    }

    /// Numbers that are difficult for arithmetic.
    mutating func double() -> Double {
        let wild: [Double] = [
            .nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
            -.greatestFiniteMagnitude, 1e-300, 1e300, -1e300, 1e18, 9.3e18, -9.3e18, 1.8e19, 1e9,
            1, -1, 0.5, 1 + 1e-9, 1e-9, 5e-5,
        ]
        return below(4) == 0 ? Double(bitPattern: next()) : wild[below(wild.count)]
    }

    mutating func change(_ field: BlockFields.Field, of block: inout [UInt8]) {
        let number = field.isDouble && below(8) != 0 ? double().bitPattern : integer()
        for index in 0..<field.width where field.offset + index < block.count {
            block[field.offset + index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index)))
        }
    }

    /// Flips, copies, cuts and inserts bytes.
    mutating func damage(_ content: inout [UInt8]) {
        for _ in 0...below(6) where !content.isEmpty {
            let at = below(content.count)
            switch below(6) {
            case 0: content[at] = UInt8(truncatingIfNeeded: next())
            case 1: content[at] ^= 1 << UInt8(below(8))
            case 2:
                let from = below(content.count)
                for index in 0..<min(below(64), content.count - max(at, from)) {
                    content[at + index] = content[from + index]
                }
            case 3: content.insert(contentsOf: repeatElement(0xff, count: below(16)), at: at)
            case 4: content.removeSubrange(at..<min(content.count, at + below(16)))
            default: if below(8) == 0 { content.removeSubrange(at...) }
            }
        }
        if content.isEmpty { content = [0] }
    }

    mutating func fuzzDecision(_ number: UInt64, at time: Instant, isWild: Bool) -> DecisionRecord {
        var candidates = CandidateSet()
        for path in 0..<3 {
            var candidate = Candidate(path: PathID(path))
            for feature in 0..<FeatureVector.count {
                candidate.features[feature] = isWild && below(6) == 0 ? double() : uniform()
            }
            candidate.predictedDelivery = isWild ? double() : 0.02 + uniform() * 0.05
            candidate.smoothedRTT = isWild ? double() : 0.04
            candidate.rttVariation = isWild ? double() : 0.01
            candidate.lossRate = isWild ? double() : 0.01
            candidate.unansweredAge = isWild ? double() : 0
            candidate.rate = isWild ? double() : 1e6
            candidate.room = isWild ? below(1 << 54) - (1 << 53) : 100_000
            candidate.bytesInFlight = isWild ? below(1 << 54) - (1 << 53) : 10_000
            candidate.congestionWindow = isWild ? below(1 << 54) - (1 << 53) : 200_000
            if isWild {
                candidate.traits.weight = double()
                candidate.traits.pricePerGB = double()
                candidate.traits.rateLimit = double()
            }
            candidates.append(candidate)
        }
        var distribution = ActionDistribution()
        let isForced = number % 25 == 24
        let shares = isForced ? [1, 0, 0] : [0.5, 0.25, 0.25]
        for path in 0..<3 { distribution.append(PathSet(PathID(path)), shares[path]) }
        if number % 7 == 3 { distribution.append(PathSet(rawValue: 3), 0) }
        let bytes = isWild ? below(1 << 54) : 12_000
        let deadline = isWild ? Int64(bitPattern: next()) : 150_000_000
        return DecisionRecord(
            number: number, time: time,
            burst: BurstContext(
                bytes: bytes, deadline: TimeDelta(nanoseconds: deadline),
                trafficClass: number % 3 == 0 ? .message : .stream,
                currentPath: number % 2 == 0 ? nil : PathID(1)),
            candidates: candidates,
            decision: Decision(
                distribution: distribution, chosen: isForced ? 0 : below(3), isForced: isForced),
            draw: uniform())
    }
}
