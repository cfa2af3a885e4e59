import PathTelemetry

@testable import PathTransport

/// Tests of the recovery of one path.
protocol RecoveryTests {}

extension RecoveryTests {
    /// A time after the start of a test.
    func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    /// The recovery of a path with CUBIC.
    func recovery() -> PathRecovery {
        PathRecovery(
            path: PathID(0),
            configuration: CongestionConfiguration(
                maximumPacketSize: 1200, initialWindowPackets: 100),
            algorithm: .cubic)
    }

    /// Sends ack-eliciting packets of 1000 bytes, each with its number as its decision.
    func send(_ recovery: inout PathRecovery, _ numbers: Range<UInt64>, at time: Instant) {
        for number in numbers {
            var packet = SentPacket(sentAt: time, bytes: 1000, isAckEliciting: true)
            packet.decision = number
            recovery.handleSent(packet, now: time)
        }
    }

    /// Takes an acknowledgement of ranges of packets, newest first.
    func ack<Sink: SentFrameSink & ~Copyable>(
        _ recovery: inout PathRecovery, _ sink: inout Sink, _ ranges: [ClosedRange<UInt64>],
        at time: Instant
    ) -> AckResult? {
        var frame = AckFrame(path: PathID(0), delay: .zero)
        for range in ranges {
            frame.append(range: AckFrame.Range(first: range.lowerBound, last: range.upperBound))
        }
        return recovery.handleAck(frame, now: time, isAppLimited: false, sink: &sink)
    }
}
