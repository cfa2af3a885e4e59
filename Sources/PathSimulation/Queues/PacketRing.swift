/// A packet that waits.
struct QueuedPacket: Sendable {
    var token = 0
    /// IP bytes.
    var size = 0
    /// Whose it is; queues that tell flows apart do it by this number.
    var flow = 0
    /// When it came, nanoseconds after the link's origin.
    var arrival: Int64 = 0
    /// Whether it can carry a mark of congestion (ECT, RFC 3168), and whether it does (CE).
    var isCapable = false
    var isMarked = false
}

/// Waiting packets, first in, first out; it grows to the largest load and allocates nothing after
/// that.
struct PacketRing: Sendable {
    private var packets = [QueuedPacket](repeating: QueuedPacket(), count: 16)
    private var head = 0
    private(set) var count = 0
    private(set) var bytes = 0

    mutating func append(_ packet: QueuedPacket) {
        if count == packets.count {
            let more = packets.count
            packets = Array(packets[head...] + packets[..<head])
            packets.append(contentsOf: repeatElement(QueuedPacket(), count: more))
            head = 0
        }
        packets[(head + count) & (packets.count - 1)] = packet
        count += 1
        bytes += packet.size
    }

    mutating func popFirst() -> QueuedPacket? {
        guard count > 0 else { return nil }
        let packet = packets[head]
        head = (head + 1) & (packets.count - 1)
        count -= 1
        bytes -= packet.size
        return packet
    }
}
