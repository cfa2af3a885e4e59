public import PathLearning
public import PathTelemetry

/// One multipath connection, client or server: the protocol without sockets, clocks or threads.
///
/// It is deterministic: it takes events and the time as arguments, and returns packets, timers,
/// events and records. Two endpoints that see the same calls do the same things. No call allocates
/// per packet once its buffers have grown to what the traffic needs.
///
/// Its methods are of four kinds:
///
/// - *handle*, events in: `handleDatagram`, `handleTimeout`, `handleSocketFault`, `addPath`,
///   `removePath`;
/// - *application*: `openStream`, `write`, `finish`, `read`, `sendMessage`, `receiveMessage`,
///   `close`;
/// - *poll*, work out: `pollTransmit`, `pollTimeout`, `pollEvent`, `drainRecords`;
/// - *read*, getters.
///
/// After any *handle* or *application* call, call `pollTransmit` until it returns nil, take events
/// and records, then sleep until `pollTimeout`. Times passed in must not go backwards.
public struct Connection: ~Copyable {
    enum Phase {
        case handshaking
        case established
        /// Close frames are still answered, so that the peer learns of the end.
        case closing(until: Instant)
        case closed
    }

    private let pin = Pin()
    let isServer: Bool
    public let configuration: ConnectionConfiguration
    /// Static key of the peer: given to a client, proved to a server.
    public let peerKey: PublicKey

    var phase: Phase
    var handshake: ClientHandshake?
    var protection: PacketProtection?
    /// The index by which the peer addresses this side, and the one for the other direction.
    var localIndex: UInt32
    var remoteIndex: UInt32 = 0
    var peerParameters: TransportParameters?

    var paths: PathTable
    var session: Session
    /// What the policy needs of the transport.
    var needs: PolicyNeeds { session.engine.needs }
    let origin: Instant
    var news: ConnectionNews
    var closeReason: CloseReason?
    var closing = Closing()
    var statusSequence: UInt64 = 0
    /// When the latest authentic packet came.
    public internal(set) var lastReceivedAt: Instant
    /// The connection does not end by the idle time-out before; docs/protocol.md, section 5.
    var graceUntil = Instant.zero
    var lastAppLimitedAt: Instant?
    var probes: ProbeBudget
    var messageBurst: MessageBurst?
    var share = StreamShare()
    /// The path of the latest loss; its data is retransmitted elsewhere if possible.
    var lastLossPath: PathID?
    var lastAckPingAt: Instant
    /// When `pollTransmit` last had nothing to send.
    var lastEmptyPollAt = Instant.zero
    var nextReinjectionAt = Instant.zero
    /// Server only: the address of the first message; the first packet under the keys validates it.
    var handshakeRemote: SocketAddress?

    /// Makes a client's connection; add its paths, then poll.
    ///
    /// - Parameter stamp: the wall clock, above the stamps of this process's earlier connections.
    ///
    /// Errors: `backend` when libcrypto fails.
    public init(
        client identity: ClientIdentity, configuration: ConnectionConfiguration,
        selector: PathSelector, stamp: InitiationStamp, now: Instant
    ) throws(CryptoError) {
        let handshake = try ClientHandshake(
            identity: identity, parameters: configuration.parameters,
            timeout: configuration.handshakeTimeout, stamp: stamp, seed: configuration.seed,
            now: now)
        self.init(
            isServer: false, peerKey: identity.peer, localIndex: handshake.index,
            configuration: configuration, selector: selector, now: now)
        self.handshake = consume handshake
    }

    /// Makes a server's connection; `ServerEndpoint` does so at the first packet under the keys.
    ///
    /// - Parameter provesAddress: only one address got the answer, so a packet validates it.
    init(
        server accepted: AcceptedInitiation, provesAddress: Bool,
        configuration: ConnectionConfiguration, selector: PathSelector, now: Instant
    ) throws(CryptoError) {
        self.init(
            isServer: true, peerKey: accepted.clientKey, localIndex: accepted.localIndex,
            configuration: configuration, selector: selector, now: now)
        remoteIndex = accepted.remoteIndex
        try establish(
            suite: accepted.suite, secrets: accepted.secrets, peer: accepted.parameters, now: now)
        handshakeRemote = provesAddress ? accepted.remote : nil
        makePath(
            accepted.path, traits: PathTraits(), socket: accepted.socket, remote: accepted.remote,
            local: accepted.local, datagramLimit: configuration.parameters.maximumDatagram, now: now
        )
        paths[0].noteHandshake(
            received: InitiationPacket.length, answered: max(0, accepted.responseLength))
    }

    private init(
        isServer: Bool, peerKey: PublicKey, localIndex: UInt32,
        configuration: ConnectionConfiguration, selector: PathSelector, now: Instant
    ) {
        self.isServer = isServer
        self.peerKey = peerKey
        self.localIndex = localIndex
        self.configuration = configuration
        paths = PathTable(boundPath: selector.specification.needs.boundPath)
        probes = ProbeBudget(configuration)
        phase = .handshaking
        session = Session(
            isServer: isServer, configuration: configuration, selector: selector, now: now)
        origin = now
        lastReceivedAt = now
        lastAckPingAt = now
        news = ConnectionNews(journal: Journal(configuration, now: now))
    }

    /// Starts to carry data, now that the keys are known.
    mutating func establish(
        suite: CipherSuite, secrets: TrafficSecrets, peer: TransportParameters, now: Instant
    ) throws(CryptoError) {
        protection = try PacketProtection(
            suite: suite, sending: secrets.sending, receiving: secrets.receiving, now: now)
        peerParameters = peer
        session.handlePeerParameters(peer)
        phase = .established
        lastReceivedAt = now
        news.events.append(.established)
    }

    // MARK: read

    public var isEstablished: Bool {
        if case .established = phase { return true }
        return false
    }
    var isHandshaking: Bool {
        if case .handshaking = phase { return true }
        return false
    }
    /// Whether the connection is over: nothing is sent or received any more.
    public var isClosed: Bool {
        if case .closed = phase { return true }
        return false
    }
    public var reason: CloseReason? { closeReason }
    public var statistics: ConnectionStatistics { news.statistics }
    public var policyName: String { session.engine.policy }
    public var modelHash: UInt64 { session.engine.modelHash }
    /// The paths that exist, in the order of their creation.
    public var pathIDs: [PathID] {
        paths.indices.filter { paths[$0].isAlive }.map { paths[$0].id }
    }

    /// The state of a path; nil when it does not exist.
    public func state(of path: PathID) -> PathState? { index(of: path).map { paths[$0].state } }

    /// What is known of a path now; nil when it does not exist.
    public func snapshot(of path: PathID, now: Instant) -> PathSnapshot? {
        index(of: path).map { paths[$0].snapshot(now: now) }
    }
    /// The client's name of a path, safe to show; `path 3` if it gave none.
    public func name(of path: PathID) -> String {
        index(of: path).map { paths[$0].shownName } ?? "path \(path.rawValue)"
    }
    /// The counters of a path; nil when it does not exist.
    public func statistics(of path: PathID) -> PathStatistics? {
        index(of: path).map { paths[$0].totals }
    }
    /// The distribution of the delays of a path.
    public func delays(of path: PathID) -> PathDelays? { index(of: path).map { paths[$0].delays } }
    /// What a later connection may `resume` a path from, and when it was measured: nil means before.
    public func capacity(of path: PathID) -> (saved: SavedCapacity, measuredAt: Instant?)? {
        index(of: path).flatMap { paths[$0].capacity }
    }
    /// When the connection was made.
    public var startedAt: Instant { origin }
    /// Remote address, local socket and path MTU (UDP payload bytes).
    public func endpoint(
        of path: PathID
    ) -> (remote: SocketAddress, socket: Int, maximumDatagram: Int)? {
        index(of: path).map { (paths[$0].remote, paths[$0].socket, paths[$0].mtu.current) }
    }

    func index(of path: PathID) -> Int? { paths.index(of: path) }
}
