import Testing

@testable import PathTelemetry
@testable import PathTransport

/// Records the fate of packets, identified by their decision's number.
private struct Sink: SentFrameSink, ~Copyable {
    var acknowledged: [UInt64] = []
    var lost: [UInt64] = []
    var reinjected: [UInt64] = []

    mutating func handleAcknowledged(
        _ packet: SentPacket, path: PathID, receiveTime: UInt64?, now: Instant
    ) { acknowledged.append(packet.decision) }

    mutating func handleLost(
        _ packet: SentPacket, path: PathID, isCertain: Bool, now: Instant
    ) {
        if isCertain { lost.append(packet.decision) } else { reinjected.append(packet.decision) }
    }
}

@Suite struct PathRecoveryTests: RecoveryTests {
    private func acknowledged(
        _ recovery: inout PathRecovery, _ sink: inout Sink, _ ranges: [ClosedRange<UInt64>],
        at time: Instant
    ) throws -> AckResult {
        let result = ack(&recovery, &sink, ranges, at: time)
        return try #require(result)
    }

    // RFC 9002, section 6.1.1.
    @Test func threePacketsAboveMeanLost() throws {
        var recovery = recovery()
        var sink = Sink()
        send(&recovery, 0..<10, at: at(0))
        var result = try acknowledged(&recovery, &sink, [2...2], at: at(20))
        #expect(result.lostPackets == 0, "0 and 1 may still come: two above at the most")
        result = try acknowledged(&recovery, &sink, [3...4], at: at(21))
        #expect(sink.lost == [0, 1])
        #expect(result.lostPackets == 2 && result.lostBytes == 2000 && result.longestLossRun == 2)
        #expect(sink.acknowledged == [2, 3, 4])
        #expect(recovery.bytesInFlight == 5000)
    }

    @Test func whatWaitedBehindOthersIsCounted() throws {
        var recovery = recovery()
        var sink = Sink()
        recovery.leastRawDelay = .milliseconds(10)
        send(&recovery, 0..<4, at: at(0))
        send(&recovery, 4..<5, at: at(30))
        // They arrive 12, 13, 20 and 20 ms after the start of the receiver's clock, and at 45.
        var frame = AckFrame(path: PathID(0), delay: .zero)
        frame.append(range: AckFrame.Range(first: 0, last: 4))
        for (first, time) in [(4, 45_000), (2, 20_000), (1, 13_000), (0, 12_000)] {
            frame.append(stamp: AckFrame.Stamp(first: UInt64(first), time: UInt64(time)))
        }
        let result = recovery.handleAck(frame, now: at(60), isAppLimited: false, sink: &sink)
        let counted = try #require(result)
        // The first has none before it, and the last was sent after the one before had arrived.
        #expect(counted.queuedBytes == 3000)
        #expect(counted.queuedTime == .milliseconds(8))
    }

    @Test func messagesAreLeftOutWhereTheyFollowOneByOne() {
        var recovery = recovery()
        var sink = Sink()
        send(&recovery, 0..<1, at: at(0))
        var packet = SentPacket(sentAt: at(0), bytes: 1000, isAckEliciting: true)
        packet.decision = 1
        packet.add(
            .message(
                MessageChunk(
                    number: 7, offset: 0, length: 900, total: 900, deadline: .distantFuture)))
        recovery.handleSent(packet, now: at(0))
        recovery.reinject(now: at(50), sparesMessages: true, sink: &sink)
        #expect(sink.reinjected == [0])
        recovery.reinject(now: at(60), sink: &sink)
        #expect(sink.reinjected == [0, 1])
    }

    // RFC 9002, section 6.1.2: 9/8 of the round trip.
    @Test func timeMeansLostToo() throws {
        var recovery = recovery()
        var sink = Sink()
        send(&recovery, 0..<1, at: at(0))
        send(&recovery, 1..<2, at: at(2))
        _ = ack(&recovery, &sink, [1...1], at: at(22))
        #expect(sink.lost.isEmpty)
        let due = recovery.timeout
        #expect(
            due == Instant.zero + .microseconds(22_500), "1.125 round trips of 20 ms after sending")
        var result = AckResult()
        let isProbe = recovery.handleTimeout(now: at(23), result: &result, sink: &sink)
        #expect(!isProbe && sink.lost == [0] && result.lostPackets == 1)
        #expect(recovery.bytesInFlight == 0 && recovery.timeout == .distantFuture)
    }

    // RFC 9002, section 6.2.1: smoothed + max(4 variations, 1 ms) + the peer's delay, doubling.
    @Test func probeTimeoutsBackOffAndLoseNothing() throws {
        var recovery = recovery()
        var sink = Sink()
        send(&recovery, 0..<1, at: at(0))
        _ = ack(&recovery, &sink, [0...0], at: at(40))
        send(&recovery, 1..<2, at: at(100))
        // First sample: variation is half of it. 40 + 4 * 20 + 5 ms.
        #expect(recovery.timeout == at(225))
        var result = AckResult()
        let early = recovery.handleTimeout(now: at(224), result: &result, sink: &sink)
        #expect(!early)
        let isProbe = recovery.handleTimeout(now: at(225), result: &result, sink: &sink)
        #expect(isProbe)
        #expect(recovery.probeTimeouts == 1 && recovery.timeout == at(225 + 250))
        #expect(sink.lost.isEmpty && recovery.bytesInFlight == 1000)
        _ = ack(&recovery, &sink, [1...1], at: at(300))
        #expect(recovery.probeTimeouts == 0)
    }

    @Test func acknowledgementOfWhatWasNeverSentIsRefused() {
        var recovery = recovery()
        var sink = Sink()
        send(&recovery, 0..<3, at: at(0))
        let result = ack(&recovery, &sink, [1...3], at: at(10))
        #expect(result == nil)
        #expect(sink.acknowledged.isEmpty && recovery.bytesInFlight == 3000)
    }

    @Test func reinjectedOnceAndStillInFlight() {
        var recovery = recovery()
        var sink = Sink()
        send(&recovery, 0..<2, at: at(0))
        send(&recovery, 2..<4, at: at(10))
        recovery.reinject(now: at(30), sentBy: at(5), sink: &sink)
        #expect(sink.reinjected == [0, 1])
        recovery.reinject(now: at(30), sink: &sink)
        #expect(sink.reinjected == [0, 1, 2, 3] && sink.lost.isEmpty)
        #expect(recovery.bytesInFlight == 4000 && recovery.oldestUnanswered == at(0))
    }

    /// For any acknowledgements and losses, each packet ends once and the bytes add up.
    @Test(arguments: Array(UInt64(1)...20))
    func everyPacketIsSettledOnce(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var recovery = recovery()
        var sink = Sink()
        var sent: UInt64 = 0
        var time = at(0)
        for _ in 0..<400 {
            time += .milliseconds(Int64(generator.uniform() * 8))
            if generator.uniform() < 0.6 {
                let count = UInt64(generator.uniform() * 6)
                send(&recovery, sent..<(sent + count), at: time)
                sent += count
            } else if sent > 0 {
                let high = sent - 1 - UInt64(generator.uniform() * Double(min(sent, 12)))
                let low = high - min(high, UInt64(generator.uniform() * 4))
                _ = ack(&recovery, &sink, [low...high], at: time)
            }
            if recovery.timeout <= time {
                var result = AckResult()
                _ = recovery.handleTimeout(now: time, result: &result, sink: &sink)
            }
        }
        recovery.handleFailed(now: time, sink: &sink)
        #expect(recovery.bytesInFlight == 0 && recovery.oldestUnanswered == nil)
        #expect(Set(sink.acknowledged).count == sink.acknowledged.count)
        #expect(Set(sink.lost).count == sink.lost.count)
        #expect(Set(sink.acknowledged).union(sink.lost) == Set(0..<sent))
    }
}
