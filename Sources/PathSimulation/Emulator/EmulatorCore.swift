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
/// The links are those of the simulation; their outages and traces start at `origin`. Memory is
/// bounded by the number of clients and by the packets held.
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

    private var links: [DuplexLink]
    private var clients: EmulatorClients
    private var store: PacketStore
    /// The client of each packet in the store.
    private var owners: [EmulatorClient] = []

    /// - Parameters:
    ///   - paths: at most `ScenarioFile.maximumPaths`; more are ignored.
    ///   - overhead: bytes of IP and UDP headers per datagram.
    public init(
        paths: [LinkSpecification], seed: UInt64, origin: Instant,
        overhead: Int = SocketAddress.Family.ipv4.headerBytes, limits: Limits = Limits()
    ) {
        links = paths.prefix(ScenarioFile.maximumPaths).enumerated().map { index, path in
            DuplexLink(path, seed: seed, path: index, origin: origin, overhead: overhead)
        }
        clients = EmulatorClients(limit: limits.clients, idleTimeout: limits.clientIdle)
        let largest = links.map {
            max($0.forward.parameters.maximumPacket, $0.backward.parameters.maximumPacket)
        }
        store = PacketStore(slotSize: largest.max() ?? 1, capacity: limits.packets)
    }

    public var pathCount: Int { links.count }
    public var clientCount: Int { clients.count }

    // MARK: handle

    /// Takes a datagram from a client on a path's listening socket.
    public mutating func handleFromClient(
        path: Int, address: SocketAddress, datagram: UnsafeRawBufferPointer, now: Instant
    ) -> EmulatorAdmission {
        guard links.indices.contains(path) else { return .refused }
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
        // A datagram larger than a slot exceeds the MTU, so the link counts and drops it.
        let slot = store.insert(datagram)
        if slot == nil, datagram.count <= store.slotSize {
            unstored += 1
            return
        }
        let result = links[path][direction]
            .handleSend(bytes: datagram.count, token: slot ?? -1, now: now)
        guard let slot else { return }
        while owners.count <= slot { owners.append(client) }
        owners[slot] = client
        store.settle(slot, result)
    }

    // MARK: poll

    /// When the next datagram is due; nil if none is in flight.
    public var nextTimeout: Instant? {
        var next: Instant?
        for path in links.indices {
            guard let due = links[path].nextDelivery else { continue }
            next = min(next ?? due, due)
        }
        return next
    }

    /// Takes the earliest datagram that is due and copies it into `buffer`.
    ///
    /// A datagram larger than the buffer is dropped and counts as stale.
    public mutating func pollDelivery(
        now: Instant, into buffer: UnsafeMutableRawBufferPointer
    ) -> Delivery? {
        while let (path, direction) = earliest(now),
            let arrival = links[path][direction].popDelivery(now: now)
        {
            let client = owners[arrival.token]
            let count = store.copy(arrival.token, damage: arrival.damage, into: buffer)
            store.release(arrival.token)
            guard let key = clients.key(of: client), count == arrival.bytes else {
                stale += 1
                continue
            }
            return Delivery(
                path: path, direction: direction, client: client, address: key.address,
                time: arrival.time, count: count, isDuplicate: arrival.isDuplicate,
                isCorrupted: arrival.damage != nil)
        }
        return nil
    }

    private func earliest(_ now: Instant) -> (Int, LinkDirection)? {
        var found: (Int, LinkDirection)?
        var earliest = now
        for path in links.indices {
            if let due = links[path].forward.nextDelivery, due <= earliest,
                found == nil || due < earliest
            {
                (found, earliest) = ((path, .forward), due)
            }
            if let due = links[path].backward.nextDelivery, due <= earliest,
                found == nil || due < earliest
            {
                (found, earliest) = ((path, .backward), due)
            }
        }
        return found
    }

    // MARK: read

    /// The counters of one direction of a path.
    public mutating func counters(
        path: Int, direction: LinkDirection, now: Instant
    ) -> LinkCounters {
        guard links.indices.contains(path) else { return LinkCounters() }
        links[path][direction].advance(to: now)
        return links[path][direction].counters
    }
}
