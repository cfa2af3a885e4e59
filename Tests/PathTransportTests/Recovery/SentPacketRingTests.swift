import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct SentPacketRingTests: RecoveryTests {
    private struct Sink: SentFrameSink, ~Copyable {
        mutating func handleAcknowledged(
            _ packet: SentPacket, path: PathID, receiveTime: UInt64?, now: Instant
        ) {}

        mutating func handleLost(
            _ packet: SentPacket, path: PathID, isCertain: Bool, now: Instant
        ) {}
    }

    /// Sends packets and has all of them acknowledged 20 ms later.
    private func carry(
        _ count: UInt64, on recovery: inout PathRecovery, at milliseconds: Int64
    ) throws {
        var sink = Sink()
        let first = recovery.packets.next
        send(&recovery, first..<first + count, at: at(milliseconds))
        let range = first...(first + count - 1)
        _ = try #require(ack(&recovery, &sink, [range], at: at(milliseconds + 20)))
    }

    /// A window of 4,000 packets is kept while it is used, given back when little follows, and grows
    /// again; the packets in flight stay what they are.
    @Test func memoryFollowsTheWindow() throws {
        var recovery = recovery()
        try carry(4000, on: &recovery, at: 0)
        #expect(recovery.packets.capacity == 4096)
        // A quarter of it, once in 4 seconds, is enough to keep it.
        for round in 1...10 {
            try carry(1000, on: &recovery, at: Int64(round) * 4000)
            #expect(recovery.packets.capacity == 4096)
        }
        // Then 50 packets at a time, which leave four times as much room in 256.
        for round in 11...14 { try carry(50, on: &recovery, at: Int64(round) * 4000) }
        #expect(recovery.packets.capacity == 256)
        let first = recovery.packets.next
        send(&recovery, first..<first + 3000, at: at(60_000))
        #expect(recovery.packets.capacity == 4096)
        #expect((first..<first + 3000).allSatisfy { recovery.packets[$0].decision == $0 })
    }

    /// Packets that are not settled when the memory shrinks stay what they are.
    @Test func packetsInFlightMove() {
        var ring = SentPacketRing()
        for number in 0..<UInt64(9000) {
            var packet = SentPacket(sentAt: at(0), bytes: 1000, isAckEliciting: true)
            packet.decision = number
            if number < 8990 { packet.state = .acknowledged }
            ring.append(packet)
        }
        ring.dropSettled(lostBefore: at(0))
        for (time, capacity) in [(0, 16_384), (4999, 16_384), (5000, 256)] {
            ring.shrink(now: at(Int64(time)) + .milliseconds(1))
            #expect(ring.capacity == capacity, "\(time) ms")
        }
        #expect(ring.first == 8990 && ring.next == 9000)
        #expect((ring.first..<ring.next).allSatisfy { ring[$0].decision == $0 })
    }
}
