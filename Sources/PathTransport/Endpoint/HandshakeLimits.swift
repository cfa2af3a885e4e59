import PathTelemetry

/// Counts events of the running second.
struct SecondCounter {
    private var start = Instant.zero
    private(set) var count = 0
    private var previous = 0

    /// Counts one event; returns the count of this second, or of the previous one if it is larger.
    mutating func add(now: Instant) -> Int {
        if now - start >= .seconds(1) {
            previous = now - start < .seconds(2) ? count : 0
            start = now
            count = 0
        }
        count += 1
        return max(count, previous)
    }
}

/// Counts the failed handshakes of each proved address in the running second.
///
/// The table has a fixed size, so that many addresses cost no memory; addresses with the same cell
/// share its limit.
struct AddressLimiter {
    private var cells = [UInt16](repeating: 0, count: 4096)
    private var start = Instant.zero
    private let salt: UInt64

    init(salt: UInt64) { self.salt = salt }

    mutating func allows(_ address: SocketAddress, limit: Int, now: Instant) -> Bool {
        if now - start >= .seconds(1) {
            start = now
            for index in cells.indices { cells[index] = 0 }
        }
        let index = cell(of: address)
        guard cells[index] < min(limit, Int(UInt16.max)) else { return false }
        cells[index] += 1
        return true
    }

    /// Takes a successful handshake off the count, so that many clients of one host get in
    /// together.
    mutating func forgive(_ address: SocketAddress) {
        let index = cell(of: address)
        if cells[index] > 0 { cells[index] -= 1 }
    }

    private func cell(of address: SocketAddress) -> Int {
        var hash = StableHash(salt: salt)
        // The port is left out, since one host has many.
        let bytes = address.addressBytes
        for index in bytes.indices { hash.add(bytes[index]) }
        return Int(hash.value >> 52)
    }
}

/// The newest stamp of each client's first messages: eight bytes for each allowed key that was
/// used, and nothing for unknown keys.
///
/// A server that starts does not know earlier messages. It refuses stamps below its start time, and
/// with them all messages recorded before. A client whose clock is behind is told so and retries
/// with a higher stamp.
struct StampLedger {
    private let floor: InitiationStamp
    private var newest: [PublicKey: InitiationStamp] = [:]

    init(floor: InitiationStamp) { self.floor = floor }

    /// The stamp that the client's next one has to exceed.
    func newest(of client: PublicKey) -> InitiationStamp { newest[client] ?? floor }

    mutating func note(_ stamp: InitiationStamp, of client: PublicKey) { newest[client] = stamp }
}
