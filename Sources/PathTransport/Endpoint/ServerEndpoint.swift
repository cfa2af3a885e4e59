import PathLearning
public import PathTelemetry

/// A connection on the heap, so that a server can keep many; there is one object per connection.
public final class ConnectionBox {
    var connection: Connection
    /// The identity of the client's first message, to recognise its repetition.
    let initiation: InitiationIdentity
    /// When its driver has to poll it next, for the driver's use; zero at first and after a
    /// datagram or a call of the application.
    public var due = Instant.zero

    init(_ connection: consuming Connection, initiation: InitiationIdentity) {
        self.connection = connection
        self.initiation = initiation
    }

    /// Lends the connection for one call.
    @inline(never)
    public func with<Result, Failure: Error>(
        _ body: (inout Connection) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(&connection)
    }
}

/// What drivers call for each datagram, without a closure.
extension ConnectionBox {
    /// Whether the connection is over and can be removed.
    public var isClosed: Bool { connection.isClosed }
    /// When the next samples of a recording are due.
    public var sampleTimeout: Instant { connection.sampleTimeout }

    /// The connection's next datagrams; see `Connection.pollTransmit`.
    public func pollTransmit(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        connection.pollTransmit(into: buffer, now: now)
    }

    /// When the connection wants to be called next; see `Connection.pollTimeout`.
    public func pollTimeout(now: Instant) -> Instant { connection.pollTimeout(now: now) }

    /// Does everything that is due; see `Connection.handleTimeout`.
    public func handleTimeout(now: Instant) { connection.handleTimeout(now: now) }

    /// Takes the samples of a recording that are due.
    public func takeSamples(now: Instant) { connection.takeSamples(now: now) }
}

/// What distinguishes a client's first message from all others: its index and ephemeral key.
struct InitiationIdentity: Hashable {
    var index: UInt32
    var ephemeral: [UInt8]
}

/// A server without sockets: it answers handshakes and finds the connection of every datagram.
///
/// It keeps no state of clients that it refuses and about a kilobyte of those that have not used
/// their keys, and never answers with more bytes than it got. *Handle*: `handleDatagram`,
/// `handleTimeout`. *Poll*: `pollReply`, `pollTimeout`, then each connection that `handleDatagram`
/// returned.
public struct ServerEndpoint: ~Copyable {
    /// A stateless answer that waits to be sent.
    struct Reply {
        var bytes: [UInt8]
        var origin: Origin
    }

    /// Where a datagram came from, and the own address that received it.
    struct Origin {
        var remote: SocketAddress
        var local: SocketAddress?
        var socket: Int
        /// DSCP and ECN of the datagram; nil if they are not known.
        var trafficClass: UInt8?
    }

    static let replyLimit = 256
    /// The most refusals that wait to be read.
    static let refusalLimit = 64
    /// The most resets a second, so that strangers cannot cost much.
    static let resetLimit = 128

    public internal(set) var configuration: ServerConfiguration
    public internal(set) var statistics = ServerStatistics()
    /// The connections, by the index that clients put into their packets.
    var connections: [UInt32: ConnectionBox] = [:]
    /// Connections that began since `takeNewConnections`.
    var newConnections: [ConnectionBox] = []
    /// The index of every client, half-open or not, by its first message, so that a repeated
    /// message does not make a second connection.
    var initiations: [InitiationIdentity: UInt32] = [:]
    var halfOpen = HalfOpenTable()
    var stamps: StampLedger
    var replies = FIFO<Reply>()
    var refusals = FIFO<RefusedClient>()
    let mac: HandshakeMAC
    let cookies: CookieJar
    let mint: ResetMint
    var resets = SecondCounter()
    var load = SecondCounter()
    var limiter: AddressLimiter
    var policySeeds: SeededGenerator

    /// - Parameter startedAt: the wall clock now; first messages that were made earlier are
    ///   refused.
    ///
    /// Errors: `backend` when libcrypto fails.
    public init(
        _ configuration: ServerConfiguration, startedAt: InitiationStamp
    ) throws(CryptoError) {
        let mac = try HandshakeMAC(responder: configuration.key.publicKey)
        let cookies = try CookieJar()
        let mint = try ResetMint(configuration.key)
        let salt = try Crypto.randomNumber(UInt64.self)
        self.configuration = configuration
        self.mac = mac
        self.cookies = cookies
        self.mint = mint
        limiter = AddressLimiter(salt: salt)
        stamps = StampLedger(floor: startedAt)
        policySeeds = SeededGenerator(seed: configuration.connection.seed)
    }

    // MARK: read

    /// All connections, in no order.
    public var boxes: [ConnectionBox] { Array(connections.values) }
    var connectionCount: Int { connections.count }

    // MARK: handle

    /// Takes one datagram and returns its connection, which then has to be polled.
    ///
    /// - Parameters:
    ///   - bytes: of the datagram, which are decrypted in place.
    ///   - remote: where it came from.
    ///   - local: the own address that it came to, if answers have to be sent from there.
    ///   - socket: the number of the socket.
    ///   - trafficClass: DSCP and ECN with which it arrived; nil if that is not known.
    ///   - receivedAt: when it arrived.
    ///   - now: the time.
    public mutating func handleDatagram(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: SocketAddress,
        to local: SocketAddress? = nil, socket: Int, trafficClass: UInt8? = nil,
        receivedAt: Instant, now: Instant
    ) -> ConnectionBox? {
        guard let header = DataHeader(UnsafeRawBufferPointer(bytes)) else {
            handleInitiation(
                UnsafeRawBufferPointer(bytes),
                from: Origin(
                    remote: remote, local: local, socket: socket, trafficClass: trafficClass),
                now: now)
            return nil
        }
        var box = connections[header.receiver]
        if box == nil, let entry = halfOpen[header.receiver] {
            box = confirm(entry, UnsafeRawBufferPointer(bytes), header, now: now)
        } else if box == nil {
            answerUnknown(
                header, bytes: bytes.count,
                Origin(remote: remote, local: local, socket: socket), now: now)
        }
        box?.connection.handleDatagram(
            bytes, from: remote, to: local, socket: socket, receivedAt: receivedAt, now: now)
        return box
    }

    /// The connections that began since the last call.
    public mutating func takeNewConnections() -> [ConnectionBox] {
        guard !newConnections.isEmpty else { return [] }
        defer { newConnections = [] }
        return newConnections
    }

    /// Allows these clients from now on, and no others.
    ///
    /// A client that stays with the same pre-shared key notices nothing.
    ///
    /// - Returns: the connections of the other clients, which the caller has to close.
    public mutating func setClients(_ clients: [PublicKey: PresharedKey?]) -> [ConnectionBox] {
        let former = configuration.clients
        configuration.clients = clients
        func isKept(_ client: PublicKey) -> Bool {
            guard let new = clients[client], let old = former[client] else { return false }
            return PresharedKey.areSame(new, old)
        }
        for entry in halfOpen.entries where !isKept(entry.accepted.clientKey) { forget(entry) }
        return connections.values.filter { !isKept($0.connection.peerKey) }
    }

    /// Changes what connections begin with from now on; those that exist keep what they have.
    ///
    /// - Parameter settings: whose policy, model and settings of connections are taken, and no more.
    public mutating func setDefaults(_ settings: ServerConfiguration) {
        configuration.policy = settings.policy
        configuration.model = settings.model
        configuration.connection = settings.connection
    }

    /// Drops clients that have not used their keys in time.
    public mutating func handleTimeout(now: Instant) {
        while let oldest = halfOpen.oldest(after: HalfOpen.lifetime, now: now) { forget(oldest) }
    }

    /// Forgets a connection that has ended.
    public mutating func remove(_ box: ConnectionBox) {
        guard connections.removeValue(forKey: box.connection.localIndex) != nil else { return }
        initiations[box.initiation] = nil
    }

    // MARK: poll

    /// When `handleTimeout` should be called next; connections have their own timers.
    public func pollTimeout() -> Instant { halfOpen.timeout }

    /// The next client that was refused for its keys; of very many at once some are left out.
    public mutating func takeRefusal() -> RefusedClient? { refusals.popFirst() }

    /// The next stateless answer, copied into the buffer.
    public mutating func pollReply(into buffer: UnsafeMutableRawBufferPointer) -> Transmit? {
        guard let reply = replies.popFirst(), reply.bytes.count <= buffer.count else { return nil }
        buffer.copyBytes(from: reply.bytes)
        return Transmit(
            path: PathID(0), socket: reply.origin.socket, remote: reply.origin.remote,
            local: reply.origin.local, length: reply.bytes.count, segmentSize: reply.bytes.count)
    }
}
