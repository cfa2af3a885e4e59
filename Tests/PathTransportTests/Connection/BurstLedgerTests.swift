import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathTransport

@Suite struct BurstLedgerTests {
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    private func open(
        _ ledger: inout BurstLedger, copies: Int = 1, deadline: Int64 = 100, packets: Int,
        at time: Int64 = 0
    ) -> UInt64 {
        var action = PathSet.wait
        for path in 0..<copies { action.formUnion(PathSet(PathID(path))) }
        var distribution = ActionDistribution()
        distribution.append(action, 1)
        let number = ledger.open(
            BurstContext(
                bytes: 1000, deadline: .milliseconds(deadline), trafficClass: .message),
            candidate: Candidate(path: PathID(0)),
            decision: Decision(distribution: distribution, chosen: 0), now: at(time))
        for _ in 0..<packets { ledger.handleSent(number) }
        return number
    }

    private func isQuiet(_ ledger: inout BurstLedger) -> Bool { ledger.popClosed() == nil }

    private func next(_ ledger: inout BurstLedger) throws -> BurstLedger.Closed {
        let closed = ledger.popClosed()
        return try #require(closed)
    }

    @Test func closesWithTheLastPacket() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 2)
        ledger.handleAcknowledged(number, arrival: at(30), now: at(40))
        ledger.handleAcknowledged(number, arrival: at(20), now: at(45))
        let quiet1 = isQuiet(&ledger)
        #expect(quiet1, "more packets may follow")
        ledger.handleComplete(number, now: at(50))
        let closed = try next(&ledger)
        #expect(closed.outcome.decision == number && !closed.outcome.isLate)
        #expect(
            abs((closed.outcome.delivery ?? 0) - 0.03) < 1e-12,
            "the latest arrival counts, not the latest word")
        let quiet2 = isQuiet(&ledger)
        #expect(quiet2)
        // Late word of a closed decision changes nothing.
        ledger.handleAcknowledged(number, arrival: at(60), now: at(60))
        ledger.handleLost(number, now: at(60))
        let quiet3 = isQuiet(&ledger)
        #expect(quiet3)
    }

    @Test func unansweredIsLateAtItsDeadline() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 1)
        ledger.handleComplete(number, now: at(0))
        #expect(ledger.timeout == at(100))
        ledger.handleTimeout(now: at(99))
        let quiet4 = isQuiet(&ledger)
        #expect(quiet4)
        ledger.handleTimeout(now: at(100))
        let closed = try next(&ledger)
        #expect(closed.outcome.isLate && closed.outcome.delivery == nil)
        #expect(closed.outcome.deadline == 0.1 && closed.outcome.closedAt == at(100))
        #expect(ledger.timeout == .distantFuture)
    }

    @Test func arrivalAfterTheDeadlineIsLate() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 1)
        ledger.handleComplete(number, now: at(0))
        ledger.handleAcknowledged(number, arrival: at(101), now: at(99))
        let closed = try next(&ledger)
        #expect(closed.outcome.isLate)
    }

    @Test func aLossClosesUnlessCopiesAreUnderWay() throws {
        var ledger = BurstLedger()
        let single = open(&ledger, packets: 2)
        let double = open(&ledger, copies: 2, packets: 2)
        ledger.handleComplete(single, now: at(1))
        ledger.handleComplete(double, now: at(1))
        ledger.handleLost(single, now: at(20))
        ledger.handleLost(double, now: at(20))
        let lost = try next(&ledger)
        #expect(lost.outcome.decision == single && lost.outcome.isLate)
        #expect(lost.outcome.lostPackets == 1)
        let quiet5 = isQuiet(&ledger)
        #expect(quiet5)
        ledger.handleAcknowledged(double, arrival: at(25), now: at(30))
        let arrived = try next(&ledger)
        #expect(
            arrived.outcome.decision == double
                && abs((arrived.outcome.delivery ?? 0) - 0.025) < 1e-12)
    }

    @Test func aDecisionThatSentNothingLeavesNoOutcome() {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 0)
        ledger.handleComplete(number, now: at(1))
        ledger.handleTimeout(now: at(1000))
        let quiet6 = isQuiet(&ledger)
        #expect(quiet6)
        #expect(ledger.timeout == .distantFuture)
    }

    /// Memory is bounded: beyond the limit the oldest closes as late.
    @Test func theOldestGivesWay() throws {
        var ledger = BurstLedger()
        for _ in 0..<BurstLedger.capacityLimit {
            _ = open(&ledger, deadline: 1_000_000, packets: 1)
        }
        let quiet7 = isQuiet(&ledger)
        #expect(quiet7)
        let last = open(&ledger, deadline: 1_000_000, packets: 1)
        let closed = try next(&ledger)
        #expect(closed.outcome.decision == 0 && closed.outcome.isLate)
        #expect(last == UInt64(BurstLedger.capacityLimit))
    }

    /// Every decision with packets has exactly one outcome, whatever comes in whatever order.
    @Test(arguments: Array(UInt64(1)...10))
    func oneOutcomeEach(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var ledger = BurstLedger()
        var opened: Set<UInt64> = []
        var closed: [UInt64] = []
        for step in Int64(0)..<3000 {
            let number = open(
                &ledger, copies: generator.uniform() < 0.2 ? 2 : 1, packets: 2, at: step)
            opened.insert(number)
            ledger.handleComplete(number, now: at(step))
            for _ in 0..<3 {
                let other = number - min(number, UInt64(generator.uniform() * 150))
                if generator.uniform() < 0.8 {
                    ledger.handleAcknowledged(other, arrival: at(step), now: at(step))
                } else {
                    ledger.handleLost(other, now: at(step))
                }
            }
            ledger.handleTimeout(now: at(step))
            while let entry = ledger.popClosed() { closed.append(entry.outcome.decision) }
        }
        ledger.handleTimeout(now: at(100_000))
        while let entry = ledger.popClosed() { closed.append(entry.outcome.decision) }
        #expect(closed.count == opened.count && Set(closed) == opened)
    }
}
