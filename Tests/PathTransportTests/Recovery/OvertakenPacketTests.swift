import PathTelemetry
import Testing

@testable import PathTransport

/// Notes when packets came by the receiver's clock, told apart by their decision's number.
private struct Sink: SentFrameSink, ~Copyable {
    var received: [UInt64: UInt64] = [:]

    mutating func handleAcknowledged(
        _ packet: SentPacket, path: PathID, receiveTime: UInt64?, now: Instant
    ) {
        received[packet.decision] = receiveTime
    }

    mutating func handleLost(
        _ packet: SentPacket, path: PathID, isCertain: Bool, now: Instant
    ) {}
}

/// Receive times where packets overtake each other.
@Suite struct OvertakenPacketTests {
    /// Packets are ten milliseconds apart, sometimes half a second, with delays of 15 to 55 ms; the
    /// sender's arrival times are exact within the acknowledgement delay.
    ///
    /// A packet assigned to an earlier run would seem to arrive half a second too early, and would
    /// make the clock offset wrong.
    @Test(arguments: Array(UInt64(1)...20)) func arriveWhenTheyArrive(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var sentAt: [Instant] = []
        var now = Instant.zero + .seconds(1)
        for _ in 0..<500 {
            now += generator.uniform() < 0.05 ? .milliseconds(540) : .milliseconds(10)
            sentAt.append(now)
        }
        let arrivals = sentAt.enumerated().map { number, sent in
            (
                number: UInt64(number),
                time: sent + TimeDelta(seconds: 0.015 + 0.04 * generator.uniform())
            )
        }.sorted { $0.time < $1.time }

        var recovery = PathRecovery(
            path: PathID(0),
            configuration: CongestionConfiguration(
                maximumPacketSize: 1200, initialWindowPackets: 100), algorithm: .cubic)
        var received = ReceivedPackets()
        var sink = Sink()
        var sent = 0
        var leastRaw = TimeDelta.seconds(1)
        func acknowledge(at time: Instant) {
            guard let frame = received.ackFrame(path: PathID(0), now: time) else { return }
            received.didAcknowledge(on: 0)
            let result = recovery.handleAck(
                frame, now: time + .milliseconds(3), isAppLimited: true, sink: &sink)
            if let result, let stamp = result.largestReceiveTime, let left = result.largestSentAt {
                leastRaw = min(
                    leastRaw, TimeDelta.microseconds(Int64(stamp)) - (left - Instant.zero))
            }
        }
        for (number, time) in arrivals {
            while sent < sentAt.count, sentAt[sent] <= time {
                var packet = SentPacket(sentAt: sentAt[sent], bytes: 1000, isAckEliciting: true)
                packet.decision = UInt64(sent)
                recovery.handleSent(packet, now: sentAt[sent])
                sent += 1
            }
            if received.ackDueAt < time { acknowledge(at: received.ackDueAt) }
            received.record(
                number, isAckEliciting: true, stamp: UInt64((time - Instant.zero).microseconds),
                receivedAt: time, now: time, wantsAckAtOnce: false)
            if received.ackDueAt <= time { acknowledge(at: time) }
        }
        var known = 0
        for (number, time) in arrivals {
            guard let stamp = sink.received[number] else { continue }
            known += 1
            let error = Int64(stamp) - (time - Instant.zero).microseconds
            #expect(error.magnitude <= 5000, "packet \(number): \(error) us")
        }
        #expect(known > 450)
        #expect(leastRaw >= .milliseconds(10), "none came before it could: \(leastRaw)")
    }

    /// A packet overtaken within one acknowledgement has the stamp of the one that overtook it.
    @Test func aRunBeginsWithWhatItOvertook() throws {
        var received = ReceivedPackets()
        for (number, time) in [(UInt64(0), UInt64(1000)), (3, 500_000), (4, 510_000)] {
            received.record(
                number, isAckEliciting: true, stamp: time, receivedAt: .zero, now: .zero,
                wantsAckAtOnce: false)
        }
        guard let frame = received.ackFrame(path: PathID(0), now: .zero) else {
            Issue.record("no acknowledgement")
            return
        }
        #expect(
            (0..<5).map { frame.receiveTime(of: $0) } == [1000, 500_000, 500_000, 500_000, 510_000])
    }
}
