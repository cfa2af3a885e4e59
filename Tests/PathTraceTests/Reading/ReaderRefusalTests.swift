import Glibc
import PathTrace
import Testing

@testable import PathTelemetry

@Suite struct ReaderRefusalTests {
    private func refusal(_ path: String) -> TraceError? {
        do throws(TraceError) {
            _ = try TraceReader(path: path)
            return nil
        } catch { return error }
    }

    @Test func whatIsNoTraceIsRefusedByName() throws {
        let scratch = Scratch()
        let path = scratch.file()
        #expect(
            refusal(path)
                == .cannotOpen(path: path, reason: "No such file or directory"))
        write([], to: path)
        #expect(refusal(path) == .notATrace(path: path, reason: "the file is empty"))
        write(Array("pcap or so, but no database".utf8), to: path)
        #expect(refusal(path) == .notATrace(path: path, reason: "not a SQLite database"))
        #expect(
            refusal(scratch.path)
                == .notATrace(path: scratch.path, reason: "it is not a regular file"))
        unlink(path)
        try edit(path, "CREATE TABLE x (y)")
        #expect(
            refusal(path)
                == .notATrace(path: path, reason: "the SQLite database of another program"))
    }

    @Test func otherVersionsAndMissingTablesAreRefused() throws {
        let scratch = Scratch()
        let path = scratch.file()
        try writeSoundTrace(to: path, decisions: 3)
        try edit(path, "PRAGMA user_version = 7")
        try edit(path, "UPDATE meta SET value = '7' WHERE key = 'reader_version'")
        #expect(refusal(path) == .otherVersion(path: path, found: 7, supported: 5))
        try edit(path, "PRAGMA user_version = 1")
        #expect(refusal(path) == .otherVersion(path: path, found: 1, supported: 5))
        #expect(refusal(path)?.description.contains("export it with the pathwise that") == true)
        try edit(path, "PRAGMA user_version = 2; DROP TABLE events")
        #expect(refusal(path) == .damaged(path: path, what: "the table 'events' is missing"))
        try edit(path, "CREATE VIEW events AS SELECT 1")
        #expect(refusal(path) == .damaged(path: path, what: "the table 'events' is missing"))
    }

    @Test func aNewerTraceThatSaysSoIsRead() throws {
        let scratch = Scratch()
        let path = scratch.file()
        try writeSoundTrace(to: path, decisions: 3)
        try edit(
            path,
            """
            PRAGMA user_version = 4; CREATE TABLE later (x); ALTER TABLE events ADD COLUMN y;
            INSERT INTO meta VALUES ('later', '1')
            """)
        #expect(try TraceReader(path: path).info().decisions == 6)
        #expect(try TraceVerifier(TraceReader(path: path)).verify().isSound)
    }

    @Test func anotherNumberOfFeaturesIsRefused() throws {
        let scratch = Scratch()
        let path = scratch.file()
        try writeSoundTrace(to: path, decisions: 3)
        try edit(path, "UPDATE meta SET value = '7' WHERE key = 'feature_count'")
        #expect(
            refusal(path)
                == .otherSchema(
                    path: path, found: "0123abcd with 7 features", expected: "24 features"))
    }

    /// Texts that exports and reports repeat must be short, else the trace is refused with a short
    /// message.
    @Test(arguments: [
        ("meta", "value", "key = 'feature_names'", 64),
        ("meta", "value", "key = 'schema'", 65_536), ("meta", "value", "key = 'schema_hash'", 8192),
        ("meta", "value", "key = 'program_version'", 8192),
        ("meta", "value", "key = 'feature_count'", 0),
        ("sessions", "role", "id = 1", 8192), ("sessions", "peer", "id = 1", 8192),
        ("sessions", "policy", "id = 2", 8192), ("sessions", "model_hash", "id = 1", 8192),
        ("sessions", "seed", "id = 1", 0), ("sessions", "program_version", "id = 1", 8192),
        ("paths", "name", "path = 1", 8192), ("paths", "local", "path = 0", 8192),
        ("paths", "remote", "path = 0", 8192), ("paths", "kind", "path = 0", 0),
        ("path_samples", "state", "rowid = 1", 0), ("path_samples", "kind", "rowid = 1", 0),
    ])
    func longTextsThatAreRepeatedAreRefused(
        table: String, column: String, condition: String, limit: Int
    ) throws {
        let scratch = Scratch()
        let path = scratch.file()
        func attempt(_ length: Int) throws -> String? {
            if access(path, F_OK) == 0 { unlink(path) }
            try writeSoundTrace(to: path, decisions: 20)
            try edit(
                path,
                """
                DELETE FROM checksums;
                UPDATE \(table) SET \(column) = replace(hex(zeroblob(\(length))), '00', 'n')
                    WHERE \(condition)
                """)
            do throws(TraceError) {
                let reader = try TraceReader(path: path)
                _ = try reader.info()
                for table in TraceExportTable.allCases {
                    var bytes = 0
                    try TraceExporter(reader).export(table, as: .jsonl) { bytes += $0.count }
                    #expect(bytes < 1 << 20)
                }
                return nil
            } catch {
                switch error {
                case .damaged, .otherSchema: return error.description
                default: throw error
                }
            }
        }
        if limit > 0 { #expect(try attempt(limit) == nil) }
        for length in [limit + 1, 1_500_000] {
            let refusal = try attempt(length)
            #expect(refusal != nil, "\(table).\(column) of \(length) bytes")
            #expect((refusal?.utf8.count ?? 0) < 500)
        }
    }

    @Test func tooManyNamesOfFeaturesAreRefused() throws {
        let scratch = Scratch()
        let path = scratch.file()
        try writeSoundTrace(to: path, decisions: 3)
        let names = (0..<25).map { "f\($0)" }.joined(separator: ",")
        try edit(path, "UPDATE meta SET value = '\(names)' WHERE key = 'feature_names'")
        #expect(
            refusal(path)
                == .damaged(
                    path: path, what: "'feature_names' of 'meta' has 25 names for 24 features"))
    }

    /// A small file cannot produce much data: computed columns and virtual tables are refused.
    @Test func columnsAndTablesThatAreComputedAreRefused() throws {
        let scratch = Scratch()
        let path = scratch.file()
        try writeSoundTrace(to: path, decisions: 3)
        try edit(
            path,
            """
            DROP TABLE events;
            CREATE TABLE events (session INTEGER, time_ns INTEGER, kind TEXT, path INTEGER,
                text TEXT GENERATED ALWAYS AS (hex(zeroblob(1000000))) VIRTUAL, value REAL)
            """)
        #expect(
            refusal(path)
                == .damaged(path: path, what: "the table 'events' has a computed column"))
        try edit(
            path,
            """
            DROP TABLE events;
            PRAGMA writable_schema = ON;
            INSERT INTO sqlite_schema VALUES ('table', 'events', 'events', 0,
                'CREATE VIRTUAL TABLE events USING json_each()');
            PRAGMA writable_schema = OFF
            """)
        #expect(refusal(path) == .damaged(path: path, what: "the table 'events' is missing"))
    }

    @Test func aLongCommandLineIsCutAndRead() throws {
        let scratch = Scratch()
        let path = scratch.file()
        let writer = try TraceWriter(path: path, schema: testSchema, programVersion: "1")
        let long = String(repeating: "é", count: 3 << 20)
        let session = writer.beginSession(
            SessionInfo(
                startedWallClock: 1, started: .zero, role: long, peer: long, policy: long,
                modelHash: long, programVersion: long, command: long))
        writer.endSession(session, at: .zero)
        try writer.close()
        let info = try #require(try TraceReader(path: path).sessions().first).info
        #expect(info.command == String(repeating: "é", count: 1 << 19))
        for text in [info.role, info.peer, info.policy, info.modelHash, info.programVersion] {
            #expect(text == String(repeating: "é", count: 4096))
        }
    }

    @Test func aTruncatedTraceIsRefused() throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file())
        let whole = try #require(bytes(of: scratch.file()))
        let cut = scratch.file("cut.trace")
        for share in [1, 3, 7, 9] {
            write(Array(whole[0..<(whole.count * share / 10)]), to: cut)
            guard case .damaged = refusal(cut) else {
                Issue.record("\(share * 10) %: \(String(describing: refusal(cut)))")
                continue
            }
        }
    }

    @Test func aKilledRecordingInAReadOnlyFolderIsReadable() throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file())
        // The main file of an interrupted recording is in WAL mode, without a `-wal` file beside
        // it.
        var content = try #require(bytes(of: scratch.file()))
        content[18] = 2
        content[19] = 2
        write(content, to: scratch.file())
        chmod(scratch.path, 0o555)
        defer { chmod(scratch.path, 0o755) }
        #expect(try TraceReader(path: scratch.file()).info().decisions == 200)
    }

    /// Calls every function of the reader on an arbitrary file.
    private func readAll(_ path: String) throws(TraceError) {
        let reader = try TraceReader(path: path)
        _ = try TraceVerifier(reader).verify()
        _ = try reader.info()
        for table in TraceExportTable.allCases {
            try TraceExporter(reader).export(table, as: .jsonl) { _ in }
        }
    }

    @Test(arguments: 0..<8)
    func mutatedFilesNeverTrap(seed: Int) throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file(), decisions: 12)
        let whole = try #require(bytes(of: scratch.file()))
        var generator = SeededGenerator(seed: UInt64(seed) &+ 1000)
        let path = scratch.file("mutated.trace")
        let rounds = getenv("PATHWISE_FUZZ").flatMap { Int(String(cString: $0)) } ?? 15
        var refused = 0
        for _ in 0..<rounds {
            var content = whole
            for _ in 0...generator.below(8) {
                let at = generator.below(content.count)
                switch generator.below(5) {
                case 0: content[at] = UInt8(truncatingIfNeeded: generator.next())
                case 1: content[at] ^= 1 << UInt8(generator.below(8))
                case 2:
                    for index in at..<min(content.count, at + generator.below(64)) {
                        content[index] = UInt8(truncatingIfNeeded: generator.next())
                    }
                case 3:
                    let from = generator.below(content.count)
                    for index in 0..<min(64, content.count - max(at, from)) {
                        content[at + index] = content[from + index]
                    }
                default:
                    if generator.below(8) == 0 { content.removeSubrange(at...) }
                    if content.isEmpty { content = [0] }
                }
            }
            write(content, to: path)
            do throws(TraceError) { try readAll(path) } catch {
                refused += 1
                #expect(!error.description.isEmpty)
            }
        }
        #expect(refused < rounds)
    }
}
