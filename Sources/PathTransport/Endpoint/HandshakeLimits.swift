import PathTelemetry

/// Counts events of the running second.
struct SecondCounter {
    private var start = Instant.zero
    private(set) var count = 0
    private var previous = 0

    /// Counts one event; the number in this second, or in the last one if that had more.
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

/// Handshakes of each proved address in the running second that came to nothing; a fixed table, so that many addresses
/// cost no memory: those that fall into one cell share its limit.
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

    /// A handshake came about: it does not count, so that many clients of one host get in together.
    mutating func forgive(_ address: SocketAddress) {
        let index = cell(of: address)
        if cells[index] > 0 { cells[index] -= 1 }
    }

    private func cell(of address: SocketAddress) -> Int {
        var hash = salt ^ 0xcbf2_9ce4_8422_2325
        // The port is left out: one host has many.
        let bytes = address.addressBytes
        for index in bytes.indices {
            hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3
        }
        return Int(hash >> 52)
    }
}

/// The newest stamp of each client's first messages: eight bytes for each key that is allowed and
/// was used, and nothing for strangers.
///
/// A server that starts knows of no message before. It takes none whose stamp is below the time of its
/// start, so what was recorded before is refused too. A client with a clock behind the server's is
/// told and comes again above it.
struct StampLedger {
    private let floor: InitiationStamp
    private var newest: [PublicKey: InitiationStamp] = [:]

    init(floor: InitiationStamp) { self.floor = floor }

    /// What a client's next stamp has to be above.
    func newest(of client: PublicKey) -> InitiationStamp { newest[client] ?? floor }

    mutating func note(_ stamp: InitiationStamp, of client: PublicKey) { newest[client] = stamp }
}
