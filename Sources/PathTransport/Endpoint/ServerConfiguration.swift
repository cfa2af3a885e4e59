public import PathLearning
import PathTelemetry

/// The settings of a server.
public struct ServerConfiguration: Sendable {
    public var key: PrivateKey
    /// Allowed clients, each with its pre-shared key if it has one.
    public var clients: [PublicKey: PresharedKey?]
    /// Settings of every connection.
    public var connection = ConnectionConfiguration()
    /// The policy that chooses the paths of the data that the server sends.
    public var policy: PolicySpecification
    public var model: Model?
    /// The most connections at once; further clients are told to wait.
    public var connectionLimit = 256
    /// The most clients at once that have not used their keys yet, about a kilobyte each.
    public var halfOpenLimit = 256
    /// Handshakes per second above which clients have to prove their address first.
    public var handshakesBeforeCookies = 32
    /// Failed handshakes per second that one proved address may cause under load.
    ///
    /// Such messages are stale or come from unknown clients; each costs about 0.15 ms of processor
    /// time.
    public var handshakesPerAddress = 256

    public init(key: PrivateKey, clients: [PublicKey: PresharedKey?], policy: PolicySpecification) {
        self.key = key
        self.clients = clients
        self.policy = policy
    }
}

/// Counts of the results of a server's handshakes.
public struct ServerStatistics: Sendable {
    public var initiations: UInt64 = 0
    public var accepted: UInt64 = 0
    public var repeated: UInt64 = 0
    public var retries: UInt64 = 0
    public var refusedWrongKey: UInt64 = 0
    public var refusedUnknownClient: UInt64 = 0
    public var refusedPresharedKey: UInt64 = 0
    /// Told to wait, because the server was full or the address came too often.
    public var refusedBusy: UInt64 = 0
    /// First messages that were not newer than an earlier one of their client.
    public var refusedStale: UInt64 = 0
    /// Asked only whether the server answers, and what it sees.
    public var questions: UInt64 = 0
    /// Dropped without an answer: damaged or unreadable.
    public var dropped: UInt64 = 0

    public init() {}
}

/// A client that was refused for its keys.
///
/// It has proved its key, but its first message may be a recorded one of somebody else.
public struct RefusedClient: Sendable {
    public var key: PublicKey
    /// Where the message came from.
    public var remote: SocketAddress
    /// `unknownClient` or `presharedKey`.
    public var reason: RefusalReason
}

/// An initiation that passed all checks, from which a server's connection is made.
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
