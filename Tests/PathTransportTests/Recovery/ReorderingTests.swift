import PathTelemetry
import Testing

@testable import PathTransport

/// Notes what became of packets, told apart by their decision's number.
private struct Sink: SentFrameSink, ~Copyable {
    var acknowledged: Set<UInt64> = []
    var lost: [UInt64] = []

    mutating func handleAcknowledged(
        _ packet: SentPacket, path: PathID, receiveTime: UInt64?, now: Instant
    ) { acknowledged.insert(packet.decision) }

    mutating func handleLost(_ packet: SentPacket, path: PathID, isCertain: Bool, now: Instant) {
        lost.append(packet.decision)
    }
}

/// Loss detection and round trips where packets overtake each other.
@Suite struct ReorderingTests: RecoveryTests {
    // RFC 8985, section 7: once packets were overtaken, their number means nothing.
    @Test func afterASpuriousLossTimeAloneDecides() throws {
        var recovery = recovery()
        var sink = Sink()
        send(&recovery, 0..<8, at: at(0))
        _ = ack(&recovery, &sink, [1...7], at: at(20))
        #expect(sink.lost == [0])
        let late = try #require(ack(&recovery, &sink, [0...7], at: at(21)))
        #expect(late.spuriousLosses == 1 && sink.acknowledged.contains(0))
        send(&recovery, 8..<400, at: at(30))
        _ = ack(&recovery, &sink, [9...399], at: at(50))
        #expect(sink.lost == [0], "390 above are not enough any more")
        var result = AckResult()
        let due = recovery.timeout
        #expect(due > at(52) && due <= at(30 + 2 * (21 + 40)), "\(due.nanoseconds)")
        _ = recovery.handleTimeout(now: due, result: &result, sink: &sink)
        #expect(sink.lost == [0, 8])
    }

    /// Ten seconds without reordering, and three packets above mean lost again.
    @Test func reorderingIsForgotten() {
        var recovery = recovery()
        var sink = Sink()
        send(&recovery, 0..<8, at: at(0))
        _ = ack(&recovery, &sink, [1...7], at: at(20))
        _ = ack(&recovery, &sink, [0...7], at: at(21))
        send(&recovery, 8..<16, at: at(10_100))
        _ = ack(&recovery, &sink, [9...15], at: at(10_120))
        #expect(sink.lost == [0, 8])
    }

    /// The mean counts those that were overtaken, and the minimum only the others.
    @Test func overtakenPacketsAreSamples() throws {
        var recovery = recovery()
        var sink = Sink()
        for round: Int64 in 0..<40 {
            let first = UInt64(round) * 2
            send(&recovery, first..<first + 2, at: at(round * 100))
            // The second comes after 10 ms, the first after 30.
            _ = ack(&recovery, &sink, [first + 1...first + 1], at: at(round * 100 + 10))
            let late = try #require(
                ack(&recovery, &sink, [first...first + 1], at: at(round * 100 + 30)))
            #expect(late.overtakenRTT == .milliseconds(30) && late.rttSample == nil)
        }
        #expect(sink.lost.isEmpty)
        #expect(recovery.rtt.minimum == .milliseconds(10))
        #expect(abs(recovery.rtt.smoothed.seconds - 0.020) < 0.003)
        #expect(abs(recovery.rtt.variation.seconds - 0.010) < 0.003)
    }

    /// Two hundred holes at once: the peer learns of every arrival, in whatever order they come.
    @Test(arguments: Array(UInt64(1)...10)) func everyArrivalIsReported(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var received = ReceivedPackets()
        var reported: Set<UInt64> = []
        var later: [UInt64] = (0..<200).map { $0 * 2 }
        for index in later.indices.reversed() {
            later.swapAt(index, Int(generator.uniform() * Double(index + 1)))
        }
        let order = (0..<200).map { $0 * 2 + 1 } + later
        for (place, number) in order.enumerated() {
            received.record(
                number, isAckEliciting: true, stamp: UInt64(place + 1),
                receivedAt: at(Int64(place)), now: at(Int64(place)), wantsAckAtOnce: false)
            // Up to forty arrivals between two acknowledgements.
            guard generator.uniform() < 0.1 || place % 40 == 0 || place == order.count - 1,
                let frame = received.ackFrame(path: PathID(0), now: at(Int64(place)))
            else { continue }
            for index in 0..<frame.rangeCount {
                reported.formUnion(frame.range(index).first...frame.range(index).last)
            }
            received.didAcknowledge(on: 0)
        }
        #expect(reported == Set(0..<400))
    }
}
