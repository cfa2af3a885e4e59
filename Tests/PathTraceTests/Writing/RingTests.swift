import Glibc
import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathTrace

@Suite struct RingTests {
    @Test func whatFindsNoRoomIsCountedBySort() {
        var generator = SeededGenerator(seed: 1)
        let ring = TraceRing(bytes: 1 << 16, whenFull: .drop)
        let session = SessionID(rawValue: 1)
        let decision = generator.decision(number: 0, time: .zero, candidates: 16)
        var taken: UInt64 = 0
        for _ in 0..<100 where ring.record(decision, session: session) { taken += 1 }
        #expect(ring.drops.decisions == 100 - taken)
        #expect(
            taken
                == UInt64(
                    65536
                        / FrameLayout.decisionBytes(
                            candidates: 16, actions: decision.decision.distribution.count,
                            isOpen: false)))
        // Fills the rest, then adds one record of each kind.
        while ring.record(
            TraceEvent(time: .zero, kind: .note), session: session)
        {}
        ring.record(generator.outcome(of: 0, at: .zero), session: session)
        ring.record(generator.sample(at: .zero), session: session)
        ring.record(removed: PathID(0), at: .zero, session: session)
        #expect(ring.drops.outcomes == 1)
        #expect(ring.drops.samples == 1)
        #expect(ring.drops.events >= 1)
    }

    @Test func framesComeOutInOrderAcrossTheEnd() throws {
        var generator = SeededGenerator(seed: 2)
        let ring = TraceRing(bytes: 1 << 16, whenFull: .drop)
        var written: UInt64 = 0
        var read: UInt64 = 0
        for _ in 0..<20_000 {
            let record = generator.decision(number: written, time: .zero, candidates: nil)
            if ring.record(record, session: SessionID(rawValue: 7)) { written += 1 }
            if generator.below(3) == 0 {
                _ = try ring.drain(upTo: ring.head, limit: generator.below(20_000)) {
                    kind, session, frame throws(TraceError) in
                    #expect(kind == .decision)
                    #expect(session.rawValue == 7)
                    #expect(frame.load(as: UInt64.self) == read)
                    read += 1
                }
            }
        }
        _ = try ring.drain(upTo: ring.head, limit: .max) { _, _, _ in read += 1 }
        #expect(read == written)
        #expect(written > 10_000)
    }

    @Test func aDecisionWithoutItsActionIsNotTaken() {
        let ring = TraceRing(bytes: 1 << 16, whenFull: .drop)
        let empty = LoggedDecision.empty.record
        #expect(!ring.record(empty, session: SessionID(rawValue: 1)))
        #expect(ring.drops.decisions == 1)
    }

    @Test func dropsAreWrittenToTheTrace() throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: 3)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(bytes: 1 << 16)
        let session = writer.beginSession(sessionInfo())
        let decision = generator.decision(number: 0, time: .zero, candidates: 16)
        var dropped: Int64 = 0
        for number in 0..<3000 {
            var decision = decision
            decision.number = UInt64(number)
            if !ring.record(decision, session: session) { dropped += 1 }
        }
        try writer.close()
        #expect(dropped > 0)
        let reader = try TraceReader(path: scratch.file())
        let noted = try reader.database.integer("SELECT sum(decisions) FROM drops", while: "test")
        #expect(noted == dropped)
        #expect(try reader.info().decisions == Int(3000 - dropped))
        #expect(
            try query(scratch.file(), "SELECT count(*) FROM decisions") == ["\(3000 - dropped)"])
    }

    @Test func aWaitingRingLosesNothing() throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: 4)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(bytes: 1 << 16, whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        for number in 0..<500 {
            let decision = generator.decision(number: UInt64(number), time: .zero, candidates: 16)
            #expect(ring.record(decision, session: session))
        }
        try writer.close()
        #expect(ring.drops.total == 0)
        // After the end the ring accepts nothing and does not wait.
        #expect(!ring.record(generator.decision(number: 900, time: .zero), session: session))
        #expect(ring.drops.decisions == 1)
        var count = 0
        try TraceReader(path: scratch.file()).forEachDecision { _ in count += 1 }
        #expect(count == 500)
    }
}
