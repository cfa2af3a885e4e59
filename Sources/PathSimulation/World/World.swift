public import PathLearning
public import PathTelemetry
public import PathTransport

/// The application at both ends of a world: it writes into the client's connection and reads from
/// the server's.
public protocol WorldApplication {
    /// Handles the client; called after every event of it, and at `nextWake`.
    mutating func handleClient(_ connection: inout Connection, now: Instant)
    /// Handles the server's connection; called after every event of it, and at `nextServerWake`.
    mutating func handleServer(_ connection: inout Connection, now: Instant)
    /// When it wants to be called at the client even without an event there.
    var nextWake: Instant { get }
    /// The same at the server.
    var nextServerWake: Instant { get }
    /// Whether the run may end.
    var isDone: Bool { get }

    /// Inspects every datagram as it arrives, and may change it; returning false drops it.
    mutating func inspect(
        _ datagram: UnsafeMutableRawBufferPointer, path: Int, direction: LinkDirection,
        now: Instant
    ) -> Bool
    /// The source address of a path's packets at the server, which a NAT may change.
    func clientAddress(path: Int, usual: SocketAddress, now: Instant) -> SocketAddress
}

extension WorldApplication {
    /// By default this is the time of the client's wake.
    public var nextServerWake: Instant { nextWake }

    /// By default everything passes.
    public mutating func inspect(
        _ datagram: UnsafeMutableRawBufferPointer, path: Int, direction: LinkDirection,
        now: Instant
    ) -> Bool { true }

    /// By default this is the path's address.
    public func clientAddress(
        path: Int, usual: SocketAddress, now: Instant
    ) -> SocketAddress { usual }

    /// Lends the server's connection; a closure here knows the application alone and not its world.
    fileprivate mutating func handleServer(_ box: ConnectionBox, now: Instant) {
        box.with { handleServer(&$0, now: now) }
    }
}

/// Two real endpoints over simulated links, in virtual time; it runs the shipped code.
///
/// It is deterministic: the same specification and seed give the same run. Sockets are link
/// numbers; the two clocks differ by a fixed offset that neither side knows. `Link` lists what is
/// not modelled; in addition, hosts need no time to compute.
public struct World<Application: WorldApplication>: ~Copyable {
    public private(set) var now: Instant
    /// The links, and what paths share and compete with there.
    private(set) var network: Network
    public var client: Connection
    public private(set) var server: ServerEndpoint
    public var application: Application
    /// Offset of the server's clock.
    private(set) var serverClockOffset: TimeDelta
    /// Datagrams delivered to either end.
    public private(set) var datagramsDelivered = 0
    /// UDP payload bytes that the server sent, and those that reached it.
    private(set) var serverBytes = (sent: 0, received: 0)
    /// Why the run ended early; nil if it did not.
    ///
    /// It is set if an endpoint asked to be called repeatedly without progress of time, or sent
    /// without end, which is a fault of the endpoint, and if the network does not account for every
    /// packet and byte at the end, which is one of the simulation.
    public private(set) var stall: String?
    /// The most rounds at one instant; correct runs need fewer.
    private static var roundLimit: Int { 1000 }
    private static var transmitLimit: Int { 200_000 }

    private let buffer: UnsafeMutableRawBufferPointer
    private let addresses: [(client: SocketAddress, server: SocketAddress)]
    private var transcript = StableHash()
    /// The server's connections that have not ended, in the order in which they began.
    private var boxes: [ConnectionBox] = []
    /// Whether an end has had an event since it was last settled.
    private var isClientDue = true
    private var isServerDue = true
    /// When each end next wants to be called, by the client's clock, as of its latest settling.
    private var clientTimeout = Instant.distantFuture
    private var serverTimeout = Instant.distantFuture
    /// When the application wants to be called at each end; at the server, never without a connection.
    private var clientWake = Instant.distantFuture
    private var serverWake = Instant.distantFuture

    /// - Parameters:
    ///   - links: one link per path.
    ///   - traits: traits of the client's paths, in the same order; empty means defaults.
    ///   - seed: seed of links and policies.
    public init(
        links: [LinkSpecification], traits: [PathTraits] = [], settings: WorldSettings,
        application: Application, seed: UInt64
    ) throws {
        try self.init(
            network: NetworkSpecification(links: links), traits: traits, settings: settings,
            application: application, seed: seed)
    }

    /// - Parameters:
    ///   - specification: one link per path, and what the paths share.
    ///   - traits: traits of the client's paths, in the same order; empty means defaults.
    ///   - seed: seed of links, flows of others, and policies.
    public init(
        network specification: NetworkSpecification, traits: [PathTraits] = [],
        settings: WorldSettings, application: Application, seed: UInt64
    ) throws {
        let start = WorldClock.start
        let credentials = try settings.credentials ?? WorldCredentials()
        var serverSetup = ServerConfiguration(
            key: credentials.serverKey, clients: credentials.clients, policy: settings.serverPolicy)
        serverSetup.connection = settings.server
        serverSetup.model = settings.serverModel
        serverSetup.connection.seed = seed &+ 1
        // Virtual time is the wall clock of both ends; the client's is slightly ahead.
        let stamp = UInt64(start.nanoseconds)
        let server = try ServerEndpoint(
            serverSetup, startedAt: InitiationStamp(nanoseconds: stamp))
        var clientSetup = settings.client
        clientSetup.seed = seed
        var client = try Connection(
            client: ClientIdentity(
                key: credentials.clientKey, peer: credentials.expectedServer,
                presharedKey: credentials.presharedKey, suite: settings.suite),
            configuration: clientSetup,
            selector: try PathSelector(settings.policy, model: settings.model, seed: seed),
            stamp: InitiationStamp(nanoseconds: stamp + 1), now: start)
        var addresses: [(client: SocketAddress, server: SocketAddress)] = []
        for index in specification.links.indices {
            let port = UInt16(index)
            addresses.append((.loopback(port: 4000 + port), .loopback(port: 5000 + port)))
            client.addPath(
                PathID(index), name: specification.links[index].name ?? "",
                traits: index < traits.count ? traits[index] : PathTraits(),
                socket: index, remote: addresses[index].server,
                datagramLimit: settings.datagramLimit
                    ?? specification.maximumPacket(of: index)
                    - SocketAddress.Family.ipv4.headerBytes,
                now: start)
        }
        now = start
        serverClockOffset = settings.serverClockOffset
        network = Network(specification, seed: seed, origin: start)
        self.client = client
        self.server = server
        self.application = application
        self.addresses = addresses
        buffer = .allocate(byteCount: 65_536, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// The paths' links.
    public var links: [DuplexLink] { network.links }
    /// IP bytes that both ends have offered to each path; traffic of others is not in it.
    public var offeredBytes: [Int] { network.offered }
    /// Time since the start.
    public var elapsed: TimeDelta { now - WorldClock.start }
    /// Hash over all datagrams that were delivered, with their times: which is equal for equal
    /// runs.
    public var transcriptHash: UInt64 { transcript.value }
    /// Counts of the server's connection, once there is one.
    public var serverStatistics: ConnectionStatistics? {
        server.boxes.first?.with { $0.statistics }
    }
    /// The server's connection, once there is one.
    var serverBox: ConnectionBox? { server.boxes.first }

    /// Runs until the application is done or the time has passed.
    public mutating func run(for duration: TimeDelta) {
        let end = WorldClock.start + duration
        var rounds = 0
        // The caller may have changed either end.
        isClientDue = true
        isServerDue = true
        while now < end, !application.isDone, stall == nil {
            settle()
            let next = nextEvent(before: end)
            rounds = next > now ? 0 : rounds + 1
            if rounds > World.roundLimit { stall = describeStall() }
            sample(until: min(next, end))
            now = max(now, next)
            deliver()
            timers()
            if clientWake <= now { isClientDue = true }
            if serverWake <= now { isServerDue = true }
        }
        // What the latest events left for the application; nothing more is sent.
        application.handleClient(&client, now: now)
        for box in boxes { application.handleServer(box, now: now) }
        if stall == nil, let imbalance = network.imbalance { stall = imbalance }
    }

    /// Changes a path's link from a time on, or from now on if that is past: call it between two `run`.
    ///
    /// The options are those of links, as `rate=5,delay=40,loss=0.01`; what they do not name stays as it
    /// is at that time, and a change that was planned for later replaces all. `trace`, `rates`, `netem`
    /// and `down` cannot change, nor can a link without a rate get one. Packets whose turn is known keep
    /// it: without `aqm` those are all that wait. Nothing else is drawn differently than without the
    /// change: no other link, and no fault of this one whose options stay.
    ///
    /// - Parameter time: since the start of the run.
    public mutating func change(
        link: Int, at time: TimeDelta, _ options: String
    ) throws(SimulationError) {
        try change(network.links, link, at: time, options, hop: link)
    }

    /// Changes a bottleneck that paths share, as `change(link:at:_:)` does a link.
    public mutating func change(
        bottleneck: Int, at time: TimeDelta, _ options: String
    ) throws(SimulationError) {
        try change(
            network.bottlenecks, bottleneck, at: time, options,
            hop: network.pathCount + bottleneck)
    }

    private mutating func change(
        _ links: [DuplexLink], _ place: Int, at time: TimeDelta, _ options: String, hop: Int
    ) throws(SimulationError) {
        guard links.indices.contains(place) else {
            throw .conflictingOptions(
                keys: "'\(clipped(options))'", fix: "there are \(links.count) such links")
        }
        let time = max(elapsed, time)
        let before = LinkSpecification(
            forward: links[place].forward.parameters.asOf(time),
            backward: links[place].backward.parameters.asOf(time))
        var next = before
        try next.set(options: options)
        try next.checkChange(from: before)
        network.change(hop, to: next, at: WorldClock.start + time)
    }

    /// Lets the server's clock jump ahead, as if the client had slept for that time.
    mutating func jumpServer(by jump: TimeDelta) {
        serverClockOffset = serverClockOffset + max(.zero, jump)
    }

    /// Lets the client's clock jump ahead, as if the server had slept for that time.
    mutating func jumpClient(by jump: TimeDelta) {
        now = now + max(.zero, jump)
        serverClockOffset = serverClockOffset - max(.zero, jump)
    }

    /// Takes the samples of a recording before the next event, which they do not affect.
    private mutating func sample(until next: Instant) {
        while client.sampleTimeout < next {
            client.takeSamples(now: max(now, client.sampleTimeout))
        }
        for box in boxes {
            while box.sampleTimeout < next + serverClockOffset {
                box.takeSamples(now: max(now + serverClockOffset, box.sampleTimeout))
            }
        }
    }

    private func describeStall() -> String {
        let serverNow = now + serverClockOffset
        var text = "no time passes at \(elapsed.seconds) s:"
        let clientDue = client.pollTimeout(now: now)
        if clientDue <= now { text += " client due \((now - clientDue).seconds) s ago;" }
        for box in server.boxes {
            let due = box.pollTimeout(now: serverNow)
            if due <= serverNow { text += " server due \((serverNow - due).seconds) s ago;" }
        }
        if min(clientWake, serverWake) <= now { text += " application due;" }
        for path in client.pathIDs {
            if let snapshot = client.snapshot(of: path, now: now) {
                text += " path \(path.index) \(snapshot.state.name)"
            }
        }
        return text
    }

    /// Calls the application at the ends that had an event, and sends everything that may be sent
    /// now.
    private mutating func settle() {
        if isClientDue { settleClient() }
        if isServerDue { settleServer() }
    }

    private mutating func settleClient() {
        isClientDue = false
        application.handleClient(&client, now: now)
        var sent = 0
        while let transmit = client.pollTransmit(into: buffer, now: now) {
            send(transmit, forward: true)
            sent += 1
            if sent > World.transmitLimit {
                stall = "the client sends without end at \(elapsed.seconds) s"
                return
            }
        }
        clientTimeout = client.pollTimeout(now: now)
    }

    private mutating func settleServer() {
        isServerDue = false
        boxes += server.takeNewConnections()
        let serverNow = now + serverClockOffset
        while let transmit = server.pollReply(into: buffer) { send(transmit, forward: false) }
        var timeout = server.pollTimeout()
        var hasEnded = false
        for box in boxes {
            application.handleServer(box, now: now)
            var sent = 0
            while let transmit = box.pollTransmit(into: buffer, now: serverNow) {
                send(transmit, forward: false)
                sent += 1
                if sent > World.transmitLimit {
                    stall = "the server sends without end at \(elapsed.seconds) s"
                    return
                }
            }
            if box.isClosed {
                server.remove(box)
                hasEnded = true
            } else {
                timeout = min(timeout, box.pollTimeout(now: serverNow))
            }
        }
        if hasEnded { boxes.removeAll { $0.isClosed } }
        serverTimeout = timeout == .distantFuture ? timeout : timeout - serverClockOffset
    }

    /// Injects a datagram into the server now.
    mutating func injectToServer(
        _ bytes: [UInt8], path: Int, from remote: SocketAddress? = nil
    ) {
        var bytes = bytes
        isServerDue = true
        serverBytes.received += bytes.count
        let serverNow = now + serverClockOffset
        let address = remote ?? addresses[path].client
        bytes.withUnsafeMutableBytes {
            _ = server.handleDatagram(
                $0, from: address, socket: path, receivedAt: serverNow, now: serverNow)
        }
    }

    /// Injects a datagram into the client now.
    mutating func injectToClient(_ bytes: [UInt8], path: Int) {
        var bytes = bytes
        isClientDue = true
        let address = addresses[path].server
        bytes.withUnsafeMutableBytes {
            client.handleDatagram($0, from: address, socket: path, receivedAt: now, now: now)
        }
    }

    private mutating func send(_ transmit: Transmit, forward: Bool) {
        guard addresses.indices.contains(transmit.socket) else { return }
        if !forward { serverBytes.sent += transmit.length }
        var offset = 0
        while offset < transmit.length {
            let count = min(transmit.segmentSize, transmit.length - offset)
            let datagram = UnsafeRawBufferPointer(
                rebasing: UnsafeRawBufferPointer(buffer)[offset..<offset + count])
            offset += count
            network.send(
                datagram, path: transmit.socket, direction: forward ? .forward : .backward,
                now: now)
        }
    }

    /// The next event of an endpoint; what happens in the network before has happened then.
    private mutating func nextEvent(before limit: Instant) -> Instant {
        clientWake = application.nextWake
        serverWake = boxes.isEmpty ? .distantFuture : application.nextServerWake
        let next = min(min(clientTimeout, serverTimeout), min(clientWake, serverWake))
        return network.nextArrival(before: min(next, limit))
    }

    private mutating func deliver() {
        while let arrival = network.popArrival(now: now, into: buffer) {
            datagramsDelivered += 1
            transcript.add(word: UInt64(arrival.count))
            transcript.add(word: UInt64(bitPattern: arrival.time.nanoseconds))
            let packet = UnsafeMutableRawBufferPointer(rebasing: buffer[..<arrival.count])
            guard
                application.inspect(
                    packet, path: arrival.path, direction: arrival.direction, now: now)
            else { continue }
            let (client, server) = addresses[arrival.path]
            switch arrival.direction {
            case .forward:
                isServerDue = true
                serverBytes.received += packet.count
                let address = application.clientAddress(
                    path: arrival.path, usual: client, now: now)
                _ = self.server.handleDatagram(
                    packet, from: address, socket: arrival.path,
                    receivedAt: arrival.time + serverClockOffset, now: now + serverClockOffset)
            case .backward:
                isClientDue = true
                self.client.handleDatagram(
                    packet, from: server, socket: arrival.path, receivedAt: arrival.time, now: now)
            }
        }
    }

    /// Calls the ends whose time has come; a datagram may just have moved it.
    private mutating func timers() {
        if clientTimeout <= now {
            isClientDue = true
            if client.pollTimeout(now: now) <= now { client.handleTimeout(now: now) }
        }
        guard serverTimeout <= now else { return }
        isServerDue = true
        let serverNow = now + serverClockOffset
        server.handleTimeout(now: serverNow)
        for box in boxes where box.pollTimeout(now: serverNow) <= serverNow {
            box.handleTimeout(now: serverNow)
        }
    }
}

/// The clock of worlds.
public enum WorldClock {
    /// The time at which every run begins.
    public static let start = Instant(nanoseconds: 1_000_000_000_000)
}

/// The settings of a world's endpoints.
public struct WorldSettings: Sendable {
    public var policy = PolicySpecification.earliest
    public var model: Model?
    public var client = ConnectionConfiguration()
    public var server = ConnectionConfiguration()
    public var suite = CipherSuite.aes128gcm
    /// The policy that chooses the paths of the server's data, and the model that it starts from.
    public var serverPolicy = PolicySpecification.minRTT
    public var serverModel: Model?
    /// Keys of both sides; nil generates matching ones.
    var credentials: WorldCredentials?
    /// Largest UDP payload that the client's interfaces take; nil means that of the links.
    public var datagramLimit: Int?
    /// The server's clock minus the client's.
    public var serverClockOffset = TimeDelta.seconds(1234)

    public init() {}
}

/// The keys of a world: they match, and can be changed to test refusals.
public struct WorldCredentials: Sendable {
    /// The server's own key.
    var serverKey: PrivateKey
    /// The client's own key.
    public var clientKey: PrivateKey
    /// The server key that the client expects.
    var expectedServer: PublicKey
    /// The client's pre-shared key.
    public var presharedKey: PresharedKey?
    /// The clients that the server admits.
    public var clients: [PublicKey: PresharedKey?]

    /// Generates matching keys, without a pre-shared key.
    public init() throws(CryptoError) {
        serverKey = try PrivateKey.generate()
        clientKey = try PrivateKey.generate()
        expectedServer = serverKey.publicKey
        clients = [clientKey.publicKey: nil]
    }
}
