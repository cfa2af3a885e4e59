import PathTelemetry
import Testing

@testable import PathLearning

@Suite struct BurstLedgerTests {
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    private func open(
        _ ledger: inout BurstLedger, copies: Int = 1, deadline: Int64 = 100, packets: Int,
        at time: Int64 = 0
    ) -> UInt64 {
        var action = PathSet.wait
        for path in 0..<copies { action.formUnion(PathSet(PathID(path))) }
        let number = ledger.open(
            BurstLedger.Open(
                time: at(time),
                burst: BurstContext(
                    bytes: 1000, deadline: .milliseconds(deadline), trafficClass: .message),
                path: PathID(0), features: FeatureVector(repeating: 0), predictedDelivery: 0.01,
                action: action, propensity: 1, memo: 0, isForced: false,
                closesAt: at(time) + .milliseconds(deadline) + .milliseconds(30)),
            now: at(time))
        for index in 0..<packets {
            let isFollowed = copies == 1
            ledger.handleSent(number, path: PathID(0), bytes: 1200, isFollowed: isFollowed)
            if !isFollowed { ledger.follow(piece(of: number, index), of: number) }
        }
        return number
    }

    /// The piece that the n-th packet of a decision carries, of a separate message.
    private func piece(of number: UInt64, _ index: Int) -> DataPiece {
        DataPiece(message: number, offset: index * 1000, length: 1000)
    }

    /// The n-th packet is lost.
    private func move(_ ledger: inout BurstLedger, _ number: UInt64, _ index: Int) {
        let pieces: InlineArray<2, DataPiece?> = [piece(of: number, index), nil]
        ledger.handleMoved(number, pieces.span)
    }

    private func expire(_ ledger: inout BurstLedger, at milliseconds: Int64) {
        ledger.handleTimeout(
            now: at(milliseconds), grace: InlineArray(repeating: .milliseconds(30)))
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
        // A late acknowledgement of a closed decision changes nothing.
        ledger.handleAcknowledged(number, arrival: at(60), now: at(60))
        ledger.handleLost(number)
        let quiet3 = isQuiet(&ledger)
        #expect(quiet3)
    }

    /// The acknowledgement of a timely arrival may still be in flight at the deadline.
    @Test func unansweredIsLateARoundTripAndFourVariationsAfterItsDeadline() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 1)
        ledger.handleComplete(number, now: at(0))
        #expect(ledger.timeout == at(130))
        expire(&ledger, at: 129)
        let quiet4 = isQuiet(&ledger)
        #expect(quiet4)
        expire(&ledger, at: 130)
        let closed = try next(&ledger)
        #expect(closed.outcome.isLate && closed.outcome.delivery == nil)
        #expect(closed.outcome.deadline == 0.1 && closed.outcome.closedAt == at(130))
        #expect(ledger.timeout == .distantFuture)
    }

    /// The round trip may have become longer since the decision.
    @Test func aLongerRoundTripIsWaitedFor() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 1)
        ledger.handleComplete(number, now: at(0))
        ledger.handleTimeout(now: at(130), grace: InlineArray(repeating: .milliseconds(80)))
        let quiet = isQuiet(&ledger)
        #expect(quiet)
        #expect(ledger.timeout == at(180))
        ledger.handleAcknowledged(number, arrival: at(99), now: at(170))
        let closed = try next(&ledger)
        #expect(!closed.outcome.isLate && closed.outcome.closedAt == at(170))
    }

    @Test func arrivalAfterTheDeadlineIsLate() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 1)
        ledger.handleComplete(number, now: at(0))
        ledger.handleAcknowledged(number, arrival: at(101), now: at(99))
        let closed = try next(&ledger)
        #expect(closed.outcome.isLate)
    }

    /// A burst has arrived when its bytes have, in whichever packet.
    @Test func aRepairInTimeMakesUpForALoss() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 2)
        ledger.handleComplete(number, now: at(1))
        ledger.handleAcknowledged(number, arrival: at(10), now: at(20))
        ledger.handleLost(number)
        move(&ledger, number, 1)
        let quiet5 = isQuiet(&ledger)
        #expect(quiet5, "the repair may come in time")
        // In two parts, one of them twice.
        for (offset, length, time) in [(1400, 600, 50), (1400, 600, 55), (1000, 400, 60)] {
            let pieces: InlineArray<1, DataPiece?> = [
                DataPiece(message: number, offset: offset, length: length)
            ]
            ledger.handleRepairSent(pieces.span, path: PathID(3), bytes: 700)
            if let piece = pieces[0] {
                ledger.handleArrived(piece, arrival: at(Int64(time)), now: at(80))
            }
        }
        let closed = try next(&ledger)
        #expect(!closed.outcome.isLate && closed.outcome.lostPackets == 1)
        #expect(abs((closed.outcome.delivery ?? 0) - 0.06) < 1e-12)
        #expect(closed.outcome.bytes[PathID(0)] == 2400)
        #expect(closed.outcome.bytes[PathID(3)] == 1400, "the third was of use to nobody")
    }

    /// The first copy of each byte counts, and duplicates do not count twice.
    @Test func copiesArriveByteByByte() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, copies: 2, packets: 2)
        for index in 0..<2 {
            ledger.handleSent(number, path: PathID(1), bytes: 1100, isFollowed: false)
            ledger.handleLost(number)
            ledger.handleArrived(
                piece(of: number, 0), arrival: at(20 + Int64(index)), now: at(30))
        }
        ledger.handleComplete(number, now: at(31))
        let quiet = isQuiet(&ledger)
        #expect(quiet, "the second packet is not there yet")
        ledger.handleArrived(piece(of: number, 1), arrival: at(25), now: at(40))
        let arrived = try next(&ledger)
        #expect(!arrived.outcome.isLate && arrived.outcome.packets == 4)
        #expect(abs((arrived.outcome.delivery ?? 0) - 0.025) < 1e-12)
        #expect(
            arrived.outcome.bytes[PathID(0)] == 2400 && arrived.outcome.bytes[PathID(1)] == 2200)
    }

    /// A burst that expired before it was sent completely cannot have arrived.
    @Test func aBurstThatWasCutIsLate() throws {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 1)
        ledger.handleComplete(number, isCut: true, now: at(50))
        ledger.handleAcknowledged(number, arrival: at(20), now: at(60))
        let quiet = isQuiet(&ledger)
        #expect(quiet)
        expire(&ledger, at: 130)
        let closed = try next(&ledger)
        #expect(closed.outcome.isLate)
    }

    @Test func aDecisionThatSentNothingLeavesNoOutcome() {
        var ledger = BurstLedger()
        let number = open(&ledger, packets: 0)
        ledger.handleComplete(number, now: at(1))
        expire(&ledger, at: 1000)
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
        var copied: Set<UInt64> = []
        for step in Int64(0)..<3000 {
            let copies = generator.uniform() < 0.2 ? 2 : 1
            let number = open(&ledger, copies: copies, packets: 2, at: step)
            if copies > 1 { copied.insert(number) }
            opened.insert(number)
            ledger.handleComplete(number, now: at(step))
            for _ in 0..<3 {
                let other = number - min(number, UInt64(generator.uniform() * 150))
                let place = Int(generator.uniform() * 2)
                let isCopied = copied.contains(other)
                switch generator.uniform() {
                case ..<0.5 where !isCopied:
                    ledger.handleAcknowledged(other, arrival: at(step), now: at(step))
                case ..<0.7 where !isCopied:
                    ledger.handleLost(other)
                    move(&ledger, other, place)
                default:
                    ledger.handleArrived(
                        piece(of: other, place), arrival: at(step), now: at(step))
                }
            }
            expire(&ledger, at: step)
            while let entry = ledger.popClosed() { closed.append(entry.outcome.decision) }
        }
        expire(&ledger, at: 100_000)
        while let entry = ledger.popClosed() { closed.append(entry.outcome.decision) }
        #expect(closed.count == opened.count && Set(closed) == opened)
    }
}
