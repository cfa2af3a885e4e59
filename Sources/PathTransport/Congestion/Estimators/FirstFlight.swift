/// Finds the packet with which the first flight of a path begins: many packets at once, after the few
/// of the handshake and of probes.
struct FirstFlight: Sendable {
    /// The packet after the last moment at which nothing was in flight.
    private var start: UInt64 = 0
    private var isFound = false
    private var isOver = false

    /// Takes a packet that leaves.
    ///
    /// - Parameters:
    ///   - bytesInFlight: without it.
    ///   - whole: bytes of an initial window, half of which is a flight.
    mutating func handleSent(_ number: UInt64, bytes: Int, bytesInFlight: Int, whole: Int) {
        guard !isFound else { return }
        if bytesInFlight <= 0 { start = number }
        isFound = max(bytesInFlight, 0) &+ bytes >= whole / 2
    }

    /// Whether an acknowledgement up to this packet is the first of the flight; true once.
    mutating func begins(with largestAcked: UInt64) -> Bool {
        guard isFound, !isOver, largestAcked >= start else { return false }
        isOver = true
        return true
    }
}
