import Glibc
import Testing

@testable import PathLearning
@testable import PathTelemetry
@testable import PathTrace

@Suite struct RoundTripTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func everyRecordComesBackBitForBit(seed: UInt64) throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: seed)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "0.1.0")
        let ring = writer.makeRing()
        let session = writer.beginSession(sessionInfo())
        let other = writer.beginSession(sessionInfo(policy: "steady"))

        var decisions: [[UInt64]] = []
        var outcomes: [[UInt64]] = []
        var samples: [[UInt64]] = []
        var events: [TraceEvent] = []
        var paths: [PathInfo] = []
        for index in 0..<500 {
            let time = Instant(nanoseconds: Int64(index) * 1_000_003)
            let decision = generator.decision(number: UInt64(index), time: time)
            #expect(ring.record(decision, session: session))
            decisions.append(image(decision))
            if generator.below(3) > 0 {
                let outcome = generator.outcome(of: UInt64(index), at: time)
                ring.record(outcome, session: session)
                outcomes.append(image(outcome))
            } else {
                outcomes.append([])
            }
            let sample = generator.sample(at: time)
            ring.record(.sample(sample), session: session)
            samples.append(image(sample))
            let event = TraceEvent(
                time: time, kind: index % 2 == 0 ? .failover : .note,
                path: index % 3 == 0 ? nil : PathID(index % 16), text: "ü\(index)",
                value: index % 5 == 0 ? nil : generator.uniform())
            ring.record(event, session: session)
            events.append(event)
        }
        for index in 0..<3 {
            let info = PathInfo(
                path: PathID(index), name: "lte\(index)", local: "10.0.0.\(index):1",
                remote: "[2001:db8::\(index)]:9", traits: generator.traits(),
                added: Instant(nanoseconds: 7))
            ring.record(added: info, session: session)
            paths.append(info)
        }
        ring.record(removed: PathID(1), at: Instant(nanoseconds: 99), session: session)
        ring.record(
            generator.decision(number: 0, time: .zero, candidates: 2), session: other)
        writer.endSession(session, at: Instant(nanoseconds: 555))
        try writer.close()
        #expect(writer.statistics.refused == 0)

        let reader = try TraceReader(path: scratch.file())
        #expect(reader.schema == testSchema)
        #expect(reader.programVersion == "0.1.0")
        let sessions = try reader.sessions()
        #expect(sessions.map(\.id) == [session, other])
        #expect(sessions.map(\.info) == [sessionInfo(), sessionInfo(policy: "steady")])
        #expect(sessions.map(\.ended) == [Instant(nanoseconds: 555), nil])

        var read = 0
        try reader.forEachDecision(of: session) { decision in
            #expect(image(decision.record) == decisions[read])
            #expect(image(decision.outcome) == outcomes[read])
            read += 1
        }
        #expect(read == 500)
        var readSamples: [[UInt64]] = []
        try reader.forEachSample { _, sample in readSamples.append(image(sample)) }
        #expect(readSamples == samples)
        var readEvents: [TraceEvent] = []
        try reader.forEachEvent(of: session) { _, event in readEvents.append(event) }
        #expect(readEvents == events)
        let readPaths = try reader.paths()
        #expect(readPaths.map(\.info) == paths)
        #expect(readPaths.map(\.removed) == [nil, Instant(nanoseconds: 99), nil])
    }

    /// The writer computes the deferred probabilities of Thompson sampling.
    @Test func openProbabilitiesAreWorkedOutByTheWriter() throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: 9)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "0.1.0")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(sessionInfo(policy: "lin-ts"))
        var selector = try PathSelector(PolicySpecification(parsing: "lin-ts"), seed: 1)
        var expected: [[UInt64]] = []
        for number in 0..<300 as Range<UInt64> {
            let time = Instant(nanoseconds: Int64(number) * 1_000_003)
            var record = generator.soundDecision(number: number, time: time)
            var decision = Decision()
            record.draw = selector.decide(
                record.candidates, burst: record.burst, now: time, into: &decision)
            record.decision = decision
            #expect(decision.distribution.isOpen)
            #expect(ring.record(record, session: session))
            record.decision.distribution.workOut(chosen: decision.chosen)
            #expect(record.decision.propensity > 0)
            expected.append(image(record))
        }
        try writer.close()
        var read = 0
        try TraceReader(path: scratch.file()).forEachDecision(of: session) { decision in
            #expect(image(decision.record) == expected[read])
            read += 1
        }
        #expect(read == 300)
    }

    @Test func aClosedTraceIsOneFile() throws {
        let scratch = Scratch()
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        #expect(access(scratch.file() + "-wal", F_OK) == 0)
        try writer.close()
        #expect(access(scratch.file() + "-wal", F_OK) != 0)
        #expect(access(scratch.file() + "-shm", F_OK) != 0)
        #expect(access(scratch.file() + "-journal", F_OK) != 0)
    }

    @Test func appendingAddsSessions() throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: 5)
        for run in 1...3 {
            let writer = try TraceWriter(
                path: scratch.file(), schema: testSchema, programVersion: "1", ifExists: .append)
            let ring = writer.makeRing()
            let session = writer.beginSession(sessionInfo())
            #expect(session.rawValue == UInt32(run))
            ring.record(generator.decision(number: 0, time: .zero), session: session)
            try writer.close()
        }
        let reader = try TraceReader(path: scratch.file())
        var sessions: [UInt32] = []
        try reader.forEachDecision { sessions.append($0.session.rawValue) }
        #expect(sessions == [1, 2, 3])

        #expect(throws: TraceError.exists(path: scratch.file())) {
            try TraceWriter(path: scratch.file(), schema: testSchema, programVersion: "1")
        }
        let other = TraceWriter.Schema(hash: "ffff", text: "")
        #expect(
            throws: TraceError.otherSchema(
                path: scratch.file(), found: "0123abcd", expected: "ffff")
        ) {
            try TraceWriter(
                path: scratch.file(), schema: other, programVersion: "1", ifExists: .append)
        }
    }

    @Test func longTextsAreCutAtACharacter() throws {
        let scratch = Scratch()
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing()
        let session = writer.beginSession(sessionInfo())
        let text = "x" + String(repeating: "ü", count: 2000)
        ring.record(TraceEvent(time: .zero, kind: .note, text: text), session: session)
        try writer.close()
        var read: [String] = []
        try TraceReader(path: scratch.file()).forEachEvent { read.append($1.text) }
        #expect(read == ["x" + String(repeating: "ü", count: 499)])
    }

    @Test func aNumberTakenTwiceIsRefusedAndCounted() throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: 9)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing()
        let session = writer.beginSession(sessionInfo())
        let first = generator.decision(number: 3, time: .zero)
        ring.record(first, session: session)
        ring.record(generator.decision(number: 3, time: .zero), session: session)
        ring.record(generator.decision(number: 1 << 40, time: .zero), session: session)
        try writer.close()
        #expect(writer.statistics.refused == 2)
        var read: [[UInt64]] = []
        try TraceReader(path: scratch.file()).forEachDecision { read.append(image($0.record)) }
        #expect(read == [image(first)])
    }
}
