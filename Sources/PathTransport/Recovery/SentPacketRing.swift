import PathTelemetry

/// The packets of one path that are not settled yet, by packet number.
///
/// It grows by doubling up to `capacityLimit`, shrinks when it was nearly empty for a while, and
/// allocates at no other time.
struct SentPacketRing {
    /// The most packets in flight: 2^16 of 1,400 bytes are 90 MB on one path.
    static let capacityLimit = 1 << 16
    private static let leastCapacity = 256
    /// How long it must have been nearly empty before it shrinks: longer than a window takes to
    /// open again after a fault of the path.
    static let reviewInterval = TimeDelta.seconds(5)

    private var storage = SentPacketRing.storage(for: SentPacketRing.leastCapacity)
    private var mask = SentPacketRing.leastCapacity - 1
    /// Number of the oldest packet kept.
    private(set) var first: UInt64 = 0
    /// Number of the next packet sent.
    private(set) var next: UInt64 = 0
    /// The most packets that were in it since the last review.
    private var peak = 0
    private var nextReview = Instant.zero

    private static func storage(for capacity: Int) -> [SentPacket] {
        Array(
            repeating: SentPacket(sentAt: .zero, bytes: 0, isAckEliciting: false), count: capacity)
    }

    var isEmpty: Bool { first == next }
    var count: Int { Int(next - first) }
    var capacity: Int { storage.count }
    var needsGrowth: Bool { count > mask }
    var isFull: Bool { count >= SentPacketRing.capacityLimit }

    subscript(number: UInt64) -> SentPacket {
        @inline(__always) _read { yield storage[Int(truncatingIfNeeded: number) & mask] }
        @inline(__always) _modify { yield &storage[Int(truncatingIfNeeded: number) & mask] }
    }

    func contains(_ number: UInt64) -> Bool { number >= first && number < next }

    /// Appends the packet with the number `next`.
    mutating func append(_ packet: SentPacket) {
        if needsGrowth { move(to: storage.count * 2) }
        storage[Int(truncatingIfNeeded: next) & mask] = packet
        next += 1
        peak = max(peak, count)
    }

    /// Halves the memory, or more, if an eighth of it was enough since the last review.
    mutating func shrink(now: Instant) {
        guard storage.count > SentPacketRing.leastCapacity, now >= nextReview else { return }
        // The first review after a growth only begins to count.
        if nextReview != .zero, peak <= storage.count / 8 {
            var capacity = storage.count
            while capacity > SentPacketRing.leastCapacity, peak <= capacity / 8 { capacity /= 2 }
            move(to: capacity)
        }
        peak = count
        nextReview = now + SentPacketRing.reviewInterval
    }

    private mutating func move(to capacity: Int) {
        var other = SentPacketRing.storage(for: capacity)
        let otherMask = capacity - 1
        for number in first..<next {
            other[Int(truncatingIfNeeded: number) & otherMask] =
                storage[Int(truncatingIfNeeded: number) & mask]
        }
        storage = other
        mask = otherMask
    }

    /// Drops settled packets from the front; lost ones stay until `cutoff`, so that late
    /// acknowledgements are recognised.
    mutating func dropSettled(lostBefore cutoff: Instant) {
        while first < next {
            let packet = storage[Int(truncatingIfNeeded: first) & mask]
            switch packet.state {
            case .inFlight: return
            case .lost where packet.sentAt > cutoff: return
            default: first += 1
            }
        }
    }
}
