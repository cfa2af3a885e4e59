import Glibc
import PathTelemetry
import PathTrace
import Testing

@testable import PathLearning

/// Outcomes may come in any order and late: the reader returns each with its decision.
@Suite struct OutcomeOrderTests {
    private static let count = 6000

    enum Order: String, CaseIterable, Sendable {
        case inOrder, reversedAtTheEnd, shuffled, lateByThousands, beforeTheirDecisions
    }

    private func write(_ path: String, _ order: Order) throws -> [[UInt64]] {
        var generator = SeededGenerator(seed: 21)
        let writer = try TraceWriter(path: path, schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        var decision = generator.soundDecision(number: 0, time: .zero)
        let outcomes = (0..<OutcomeOrderTests.count).map { number in
            var outcome = generator.outcome(
                of: UInt64(number * 2), at: Instant(nanoseconds: Int64(number)))
            outcome.lostPackets = 0
            return outcome
        }
        var rest: [Outcome] = []
        for number in 0..<OutcomeOrderTests.count {
            if order == .beforeTheirDecisions { ring.record(outcomes[number], session: session) }
            // Every other number is missing, as after drops.
            decision.number = UInt64(number * 2)
            ring.record(decision, session: session)
            switch order {
            case .inOrder: ring.record(outcomes[number], session: session)
            case .lateByThousands:
                if number >= 4500 { ring.record(outcomes[number - 4500], session: session) }
                if number >= OutcomeOrderTests.count - 4500 { rest.append(outcomes[number]) }
            case .beforeTheirDecisions: break
            default: rest.append(outcomes[number])
            }
            if number % 700 == 0 { try writer.flush() }
        }
        if order == .reversedAtTheEnd { rest.reverse() }
        if order == .shuffled {
            for index in rest.indices.dropFirst().reversed() {
                rest.swapAt(index, generator.below(index + 1))
            }
        }
        for (index, outcome) in rest.enumerated() {
            ring.record(outcome, session: session)
            if index % 700 == 0 { try writer.flush() }
        }
        // A second outcome of a decision changes nothing.
        var second = outcomes[17]
        second.packets = 999
        ring.record(second, session: session)
        try writer.close()
        #expect(writer.statistics.refused == 1)
        return outcomes.map { image($0) }
    }

    @Test(arguments: Order.allCases)
    func eachOutcomeIsWithItsDecision(order: Order) throws {
        let scratch = Scratch()
        let outcomes = try write(scratch.file(), order)
        var read = 0
        let reader = try TraceReader(path: scratch.file())
        try reader.forEachDecision { decision in
            #expect(decision.record.number == UInt64(read * 2))
            #expect(image(decision.outcome) == outcomes[read])
            read += 1
        }
        #expect(read == OutcomeOrderTests.count)
        #expect(try reader.info().outcomes == OutcomeOrderTests.count)
        #expect(try TraceVerifier(reader).verify().isSound)
    }
}
