import Glibc
import PathTelemetry
import PathTrace
import Testing

@testable import PathLearning

@Suite struct DiskFullTests {
    /// A file system of one megabyte, or nil if this process may not mount one.
    private static func mountSmall(at path: String) -> Bool {
        mount("tmpfs", path, "tmpfs", 0, "size=1m") == 0
    }

    static let mayMount: Bool = {
        guard geteuid() == 0 else { return false }
        let scratch = Scratch()
        guard mountSmall(at: scratch.path) else { return false }
        umount2(scratch.path, Int32(MNT_DETACH))
        return true
    }()

    @Test(.enabled(if: mayMount, "needs root, to mount a file system of one megabyte"))
    func aFullDiskStopsTheRecordingAndNothingElse() throws {
        let scratch = Scratch()
        try #require(DiskFullTests.mountSmall(at: scratch.path))
        defer { umount2(scratch.path, Int32(MNT_DETACH)) }
        let path = scratch.file()
        var generator = SeededGenerator(seed: 31)
        let writer = try TraceWriter(path: path, schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        var decision = generator.decision(number: 0, time: .zero, candidates: 8)
        // A waiting ring must not wait for ever for a writer that has stopped.
        for number in 0..<2_000 {
            decision = generator.decision(
                number: UInt64(number), time: .zero, candidates: 8)
            ring.record(decision, session: session)
            if number == 19 { try writer.flush() }
        }
        #expect(throws: TraceError.diskFull(path: path)) { try writer.flush() }
        #expect(writer.error == .diskFull(path: path))
        let before = ring.drops.decisions
        #expect(!ring.record(decision, session: session))
        #expect(ring.drops.decisions == before + 1)
        #expect(throws: TraceError.diskFull(path: path)) { try writer.close() }
        // Everything committed before is there, in order and without a gap.
        var count: UInt64 = 0
        try TraceReader(path: path).forEachDecision { decision in
            #expect(decision.record.number == count)
            count += 1
        }
        #expect(count >= 20 && count < 2_000)
    }

    @Test func aFolderThatIsNotThereIsNamed() {
        do throws(TraceError) {
            _ = try TraceWriter(
                path: "/nonexistent/t.trace", schema: testSchema, programVersion: "1")
            Issue.record("it was created")
        } catch {
            #expect(
                error.description == "cannot open trace '/nonexistent/t.trace': "
                    + "No such file or directory; check the path and its permissions")
        }
    }
}
