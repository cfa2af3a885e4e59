import Glibc
import PathTrace
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Recordings of some of the decisions.
@Suite struct SampleTests {
    @Test func eachDecisionIsTakenWithTheShare() {
        for share in [0.5, 0.1, 0.003] {
            let sample = DecisionSample(share: share, seed: 7)
            let count = 200_000
            let taken = (0..<UInt64(count)).filter(sample.takes)
            let deviation = (Double(count) * share * (1 - share)).squareRoot()
            #expect((Double(taken.count) - Double(count) * share).magnitude < 4.5 * deviation)
            // Neighbours and other strides do not depend on each other.
            for stride in [UInt64(1), 2, 64, 1000] {
                let both = taken.count { sample.takes($0 + stride) }
                let expected = Double(taken.count) * share
                #expect(
                    (Double(both) - expected).magnitude < 4.5 * expected.squareRoot() + 1,
                    "\(share), \(stride)")
            }
            // Nor do samples of other sessions.
            let other = DecisionSample(share: share, seed: 8)
            let common = taken.count(where: other.takes)
            let expected = Double(taken.count) * share
            #expect((Double(common) - expected).magnitude < 4.5 * expected.squareRoot() + 1)
        }
        #expect((0..<1000).allSatisfy(DecisionSample(share: 1, seed: 1).takes))
        #expect(DecisionSample(share: 0, seed: 1).share == DecisionSample.least)
        #expect(DecisionSample(share: .nan, seed: 1).share == DecisionSample.least)
        #expect(DecisionSample(share: 7, seed: 1).share == 1)
    }

    /// A trace with two sessions, of which one is sampled.
    private func trace(_ path: String, share: Double = 0.25) throws {
        var generator = SeededGenerator(seed: 5)
        let writer = try TraceWriter(
            path: path, schema: testSchema, programVersion: "1", isSampled: true)
        let ring = writer.makeRing(whenFull: .wait)
        for share in [share, 1] {
            var info = sessionInfo()
            info.share = share
            info.startedWallClock += Int64(share * 100)
            let session = writer.beginSession(info)
            let sample = DecisionSample(share: share, seed: info.seed)
            for number in UInt64(0)..<400 where sample.takes(number) {
                let time = Instant(nanoseconds: Int64(number) * 1000)
                ring.record(
                    generator.soundDecision(number: number, time: time), session: session)
            }
            writer.endSession(session, at: Instant(nanoseconds: 1_000_000))
        }
        try writer.close()
    }

    @Test func theShareIsInTheTrace() throws {
        let scratch = Scratch()
        let path = scratch.file("s.trace")
        try trace(path)
        let reader = try TraceReader(path: path)
        #expect(try reader.sessions().map(\.info.share) == [0.25, 1])
        let info = try reader.info()
        #expect(info.formatVersion == 5)
        #expect(
            (60...140).contains(info.sessions[0].decisions) && info.sessions[1].decisions == 400)
        #expect(try TraceVerifier(reader).verify().isSound)
        // Programs that do not know shares refuse it.
        #expect(try query(path, "SELECT value FROM meta WHERE key = 'reader_version'") == ["5"])
        #expect(
            try query(path, "SELECT session, value FROM events WHERE kind = 'sampling'")
                == ["1|0.25"])
        // A merged trace keeps it, beside one without.
        let whole = scratch.file("w.trace")
        try writeSoundTrace(to: whole, decisions: 30)
        let merged = scratch.file("m.trace")
        _ = try TraceMerger([whole, path]).merge(into: merged, programVersion: "1")
        #expect(try TraceReader(path: merged).sessions().map(\.info.share) == [1, 1, 0.25, 1])
        #expect(try TraceVerifier(TraceReader(path: merged)).verify().isSound)
        // Whole recordings stay as they were.
        #expect(try query(whole, "PRAGMA user_version") == ["4"])
        #expect(try TraceReader(path: whole).info().formatVersion == 4)
        // The two kinds are not mixed in one file by appending.
        #expect(throws: TraceError.otherVersion(path: whole, found: 4, supported: 5)) {
            try TraceWriter(
                path: whole, schema: testSchema, programVersion: "1", ifExists: .append,
                isSampled: true)
        }
    }

    @Test(arguments: ["0", "-0.5", "1.5", "9e999", "'x'", "NULL"])
    func anImpossibleShareIsDamage(value: String) throws {
        let scratch = Scratch()
        let path = scratch.file()
        try trace(path)
        try edit(
            path,
            """
            UPDATE events SET value = \(value) WHERE kind = 'sampling';
            DELETE FROM checksums WHERE session = 1
            """)
        #expect(throws: TraceError.self) { try TraceReader(path: path).sessions() }
        // Without its checksum removed, the change is found as such.
        try trace(scratch.file("t"))
        try edit(scratch.file("t"), "UPDATE events SET value = 0.5 WHERE kind = 'sampling'")
        #expect(throws: TraceError.self) { try TraceReader(path: scratch.file("t")).sessions() }
    }
}
