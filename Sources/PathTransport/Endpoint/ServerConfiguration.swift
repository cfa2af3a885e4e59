public import PathLearning
import PathTelemetry

/// What a server is set up with.
public struct ServerConfiguration: Sendable {
    public var key: PrivateKey
    /// Clients that are let in, each with its pre-shared key if it has one.
    public var clients: [PublicKey: PresharedKey?]
    /// Of every connection.
    public var connection = ConnectionConfiguration()
    /// Chooses the paths of what the server sends.
    public var policy: PolicySpecification
    public var model: Model?
    /// Connections at once.
    public var connectionLimit = 64
    /// Connections at once that have not proved their keys yet.
    public var halfOpenLimit = 64
    /// Handshakes a second above which clients have to prove their address first.
    public var handshakesBeforeCookies = 32
    /// Handshakes a second from one proved address.
    public var handshakesPerAddress = 8

    public init(key: PrivateKey, clients: [PublicKey: PresharedKey?], policy: PolicySpecification) {
        self.key = key
        self.clients = clients
        self.policy = policy
    }
}

/// What a server's handshakes came to; all of it without state for the refused.
public struct ServerStatistics: Sendable {
    public var initiations: UInt64 = 0
    public var accepted: UInt64 = 0
    public var repeated: UInt64 = 0
    public var retries: UInt64 = 0
    public var refusedWrongKey: UInt64 = 0
    public var refusedUnknownClient: UInt64 = 0
    public var refusedPresharedKey: UInt64 = 0
    public var refusedBusy: UInt64 = 0
    /// Dropped without an answer: damaged, or over a limit.
    public var dropped: UInt64 = 0

    public init() {}
}

/// An initiation that passed all checks: what a server's connection starts from.
struct AcceptedInitiation {
    var clientKey: PublicKey
    var localIndex: UInt32
    var remoteIndex: UInt32
    var suite: CipherSuite
    var secrets: TrafficSecrets
    var parameters: TransportParameters
    var path: PathID
    var socket: Int
    var remote: SocketAddress
    var local: SocketAddress?
    var responseLength: Int
}

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

/// Handshakes of each proved address in the running second; a fixed table, so that many addresses
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
        var hash = salt ^ 0xcbf2_9ce4_8422_2325
        // The port is left out: one host has many.
        let bytes = address.addressBytes
        for index in bytes.indices {
            hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3
        }
        let index = Int(hash >> 52)
        guard cells[index] < limit else { return false }
        cells[index] += 1
        return true
    }
}
