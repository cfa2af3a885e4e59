public import PathTelemetry
public import PathTransport

/// Emulated paths between clients and one target, for real datagrams, without sockets and clocks.
///
/// The socket loop owns one listening socket per path and one socket to the target per client, and
/// passes datagrams and the time to the core:
///
/// - *handle*: `handleFromClient`, `handleFromTarget`. A new client needs a socket to the target.
/// - *poll*: `pollDelivery` until nil, at the latest at `nextTimeout`. A forward delivery is sent
///   through the client's socket; a backward one through the path's listening socket to the
///   client's address.
/// - *read*: `counters`, `refused`, `stale`, `clientCount`.
///
/// The links are those of the simulation, with what paths share; their outages and traces start at
/// `origin`. Memory is bounded by the number of clients and by the packets held.
public struct EmulatorCore: Sendable {
    /// A datagram to forward, and its destination.
    public struct Delivery: Hashable, Sendable {
        public var path: Int
        public var direction: LinkDirection
        public var client: EmulatorClient
        /// The client's address.
        public var address: SocketAddress
        /// When it was due, which is before `now` if the loop is late.
        public var time: Instant
        /// Bytes written into the buffer.
        public var count: Int
        var isDuplicate: Bool
        var isCorrupted: Bool
    }

    /// Limits of the memory.
    public struct Limits: Hashable, Sendable {
        /// The most clients of all paths together.
        public var clients = 256
        /// Idle time after which a client may be replaced by another.
        var clientIdle = TimeDelta.seconds(30)
        /// The most packets held at once.
        public var packets = 65_536

        public init() {}
    }

    /// Datagrams of clients that were refused.
    public private(set) var refused = 0
    /// Datagrams from or for a client that was dropped meanwhile.
    public private(set) var stale = 0
    /// Datagrams that were dropped for lack of memory.
    public private(set) var unstored = 0

    private var network: Network
    private var clients: EmulatorClients

    /// - Parameters:
    ///   - paths: at most `ScenarioFile.maximumPaths`; more are ignored.
    ///   - overhead: bytes of IP and UDP headers per datagram.
    public init(
        paths: [LinkSpecification], seed: UInt64, origin: Instant,
        overhead: Int = SocketAddress.Family.ipv4.headerBytes, limits: Limits = Limits()
    ) {
        let paths = Array(paths.prefix(ScenarioFile.maximumPaths))
        self.init(
            network: NetworkSpecification(links: paths), seed: seed, origin: origin,
            overhead: overhead, limits: limits)
    }

    /// - Parameters:
    ///   - network: one link per path, and what the paths share.
    ///   - overhead: bytes of IP and UDP headers per datagram.
    public init(
        network: NetworkSpecification, seed: UInt64, origin: Instant,
        overhead: Int = SocketAddress.Family.ipv4.headerBytes, limits: Limits = Limits()
    ) {
        self.network = Network(
            network, seed: seed, origin: origin, overhead: overhead, capacity: limits.packets)
        clients = EmulatorClients(limit: limits.clients, idleTimeout: limits.clientIdle)
    }

    public var pathCount: Int { network.pathCount }
    public var clientCount: Int { clients.count }

    // MARK: handle

    /// Takes a datagram from a client on a path's listening socket.
    public mutating func handleFromClient(
        path: Int, address: SocketAddress, datagram: UnsafeRawBufferPointer, now: Instant
    ) -> EmulatorAdmission {
        guard (0..<pathCount).contains(path) else { return .refused }
        let key = EmulatorClients.Key(path: path, address: address)
        let admission = clients.admit(key, now: now)
        switch admission {
        case .refused: refused += 1
        case .known(let client), .new(let client, _):
            offer(datagram, of: client, path: path, direction: .forward, now: now)
        }
        return admission
    }

    /// Takes a datagram from the target on a client's socket.
    public mutating func handleFromTarget(
        client: EmulatorClient, datagram: UnsafeRawBufferPointer, now: Instant
    ) {
        guard let key = clients.key(of: client) else {
            stale += 1
            return
        }
        clients.touch(client, now: now)
        offer(datagram, of: client, path: key.path, direction: .backward, now: now)
    }

    /// Drops a client whose socket is gone, and its datagrams in flight.
    public mutating func forget(_ client: EmulatorClient) { clients.forget(client) }

    private mutating func offer(
        _ datagram: UnsafeRawBufferPointer, of client: EmulatorClient, path: Int,
        direction: LinkDirection, now: Instant
    ) {
        let sent = network.send(
            datagram, path: path, direction: direction, mark: client.mark, now: now)
        if sent == .unstored { unstored += 1 }
    }

    // MARK: poll

    /// When something happens next in the links; nil if nothing will.
    public var nextTimeout: Instant? { network.nextTimeout }

    /// Takes the earliest datagram that is due and copies it into `buffer`.
    ///
    /// A datagram larger than the buffer is dropped and counts as stale.
    public mutating func pollDelivery(
        now: Instant, into buffer: UnsafeMutableRawBufferPointer
    ) -> Delivery? {
        while let arrival = network.popArrival(now: now, into: buffer) {
            let client = EmulatorClient(mark: arrival.mark)
            guard let key = clients.key(of: client), arrival.count == arrival.bytes else {
                stale += 1
                continue
            }
            return Delivery(
                path: arrival.path, direction: arrival.direction, client: client,
                address: key.address, time: arrival.time, count: arrival.count,
                isDuplicate: arrival.isDuplicate, isCorrupted: arrival.isCorrupted)
        }
        return nil
    }

    // MARK: read

    /// The counters of one direction of a path's own link.
    public mutating func counters(
        path: Int, direction: LinkDirection, now: Instant
    ) -> LinkCounters {
        guard (0..<pathCount).contains(path) else { return LinkCounters() }
        return network.counters(path: path, direction: direction, now: now)
    }
}
