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
    /// Connections at once; who comes above it is told to wait.
    public var connectionLimit = 256
    /// Clients at once that have not used their keys yet, about a kilobyte each.
    public var halfOpenLimit = 256
    /// Handshakes a second above which clients have to prove their address first.
    public var handshakesBeforeCookies = 32
    /// Handshakes a second from one proved address that may come to nothing under load.
    ///
    /// Those are messages that are stale, or of strangers; one costs a processor about 0.15 ms.
    public var handshakesPerAddress = 256

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
    /// Told to wait, for want of room or for coming too often.
    public var refusedBusy: UInt64 = 0
    /// First messages that were not newer than those taken of their client before.
    public var refusedStale: UInt64 = 0
    /// Dropped without an answer: damaged or unreadable.
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
