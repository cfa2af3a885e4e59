import Glibc
import PathTrace
import Testing

@testable import PathLearning
@testable import PathTelemetry

@Suite struct MergeTests {
    private func images(_ path: String, sessions: [UInt32]) throws -> [[UInt64]] {
        var images: [[UInt64]] = []
        let reader = try TraceReader(path: path)
        for session in sessions {
            try reader.forEachDecision(of: SessionID(rawValue: session)) {
                images.append(image($0.record) + image($0.outcome))
            }
            try reader.forEachSample(of: SessionID(rawValue: session)) { images.append(image($1)) }
        }
        return images
    }

    @Test func sessionsFollowEachOtherUnchanged() throws {
        let scratch = Scratch()
        let first = scratch.file("a.trace")
        let second = scratch.file("b.trace")
        try writeSoundTrace(to: first, decisions: 600)
        let third = scratch.file("c.trace")
        try writeSoundTrace(to: second, decisions: 30, seed: 78)
        try writeSoundTrace(to: third, decisions: 600, seed: 79)
        var done = 0
        let result = try TraceMerger([first, second, third]).merge(
            into: scratch.file(), programVersion: "1"
        ) { copied, total in
            #expect(copied > done && total == 2460)
            done = copied
        }
        #expect(done == 2460)
        #expect(result.traces == 3)
        #expect(result.sessions == 6)
        #expect(result.decisions == 2460)
        #expect(result.outcomes == 2214)
        let reader = try TraceReader(path: scratch.file())
        #expect(try reader.sessions().map(\.id.rawValue) == [1, 2, 3, 4, 5, 6])
        #expect(try TraceVerifier(reader).verify().isSound)
        #expect(try images(scratch.file(), sessions: [1, 2]) == images(first, sessions: [1, 2]))
        #expect(try images(scratch.file(), sessions: [3, 4]) == images(second, sessions: [1, 2]))
        #expect(try images(scratch.file(), sessions: [5, 6]) == images(third, sessions: [1, 2]))
        #expect(
            try reader.paths(of: SessionID(rawValue: 5)).map(\.info.name) == [
                "dsl", "lte", "sat",
            ])
        #expect(
            try query(scratch.file(), "SELECT count(*), sum(late) FROM outcomes")
                == [
                    try [first, second, third].reduce(0) { sum, path in
                        sum + (Int(try query(path, "SELECT sum(late) FROM outcomes")[0]) ?? 0)
                    }
                ].map { "2214|\($0)" })
        #expect(access(scratch.file() + "-wal", F_OK) != 0)
    }

    /// The same recording twice, in a copy that ended earlier, and in an earlier merge.
    @Test func whatIsThereAlreadyIsRefused() throws {
        let scratch = Scratch()
        let (whole, part) = (scratch.file("a.trace"), scratch.file("b.trace"))
        let (other, merged) = (scratch.file("c.trace"), scratch.file("d.trace"))
        try writeSoundTrace(to: whole, decisions: 600)
        try writeSoundTrace(to: part, decisions: 30)
        try writeSoundTrace(to: other, decisions: 30, seed: 79)
        _ = try TraceMerger([whole, other]).merge(into: merged, programVersion: "1")
        for (inputs, pair) in [
            ([whole, whole], (whole, whole)), ([whole, part], (whole, part)),
            ([other, merged], (other, merged)),
        ] {
            let session = pair.1 == merged ? 3 : 1
            #expect(
                throws: TraceError.repeated(
                    "session 1 of '\(pair.0)'", "session \(session) of '\(pair.1)'")
            ) {
                try TraceMerger(inputs).merge(into: scratch.file(), programVersion: "1")
            }
            #expect(access(scratch.file(), F_OK) != 0)
        }
    }

    @Test func whatCannotBeMergedLeavesNothing() throws {
        let scratch = Scratch()
        let good = scratch.file("a.trace")
        let bad = scratch.file("b.trace")
        try writeSoundTrace(to: good, decisions: 20)
        try writeSoundTrace(to: bad, decisions: 20)
        try edit(bad, "UPDATE decision_blocks SET data = zeroblob(100)")
        #expect(throws: TraceError.self) {
            try TraceMerger([good, bad]).merge(into: scratch.file(), programVersion: "1")
        }
        #expect(access(scratch.file(), F_OK) != 0)
        try edit(
            bad, "UPDATE meta SET value = 'ffff' WHERE key = 'schema_hash'; DELETE FROM checksums")
        #expect(
            throws: TraceError.otherSchema(path: bad, found: "ffff", expected: "0123abcd")
        ) { try TraceMerger([good, bad]) }
        #expect(throws: TraceError.exists(path: good)) {
            try TraceMerger([good]).merge(into: good, programVersion: "1")
        }
        #expect(try TraceReader(path: good).info().decisions == 40)
    }
}
