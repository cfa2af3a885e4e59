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
                == .notATrace(path: scratch.path, reason: "it is no regular file"))
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
        #expect(refusal(path) == .otherVersion(path: path, found: 7, supported: 3))
        try edit(path, "PRAGMA user_version = 1")
        #expect(refusal(path) == .otherVersion(path: path, found: 1, supported: 3))
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
            PRAGMA user_version = 3; CREATE TABLE later (x); ALTER TABLE events ADD COLUMN y;
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
        // The main file of a recording that was cut off says WAL, without a `-wal` beside it.
        var content = try #require(bytes(of: scratch.file()))
        content[18] = 2
        content[19] = 2
        write(content, to: scratch.file())
        chmod(scratch.path, 0o555)
        defer { chmod(scratch.path, 0o755) }
        #expect(try TraceReader(path: scratch.file()).info().decisions == 200)
    }

    /// Everything a reader can be asked for, on a file that may be anything.
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
