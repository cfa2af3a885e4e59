import PathLearning
public import PathTelemetry

/// A connection on the heap, so that a server can keep many; one object a connection.
public final class ConnectionBox {
    var connection: Connection
    /// Where the client's first message came from, to recognise its repetition.
    let initiation: InitiationIdentity
    let response: [UInt8]

    init(_ connection: consuming Connection, initiation: InitiationIdentity, response: [UInt8]) {
        self.connection = connection
        self.initiation = initiation
        self.response = response
    }

    /// Lends the connection for one call.
    @inline(never)
    public func with<Result, Failure: Error>(
        _ body: (inout Connection) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(&connection)
    }
}

/// What tells one client's first message from all others: its index and ephemeral key.
struct InitiationIdentity: Hashable {
    var index: UInt32
    var ephemeral: [UInt8]
}

/// A server without sockets: answers handshakes, and finds the connection of every datagram.
///
/// It keeps nothing of clients that it refuses, and never answers with more than it got. *Handle*:
/// `handleDatagram`. *Poll*: `pollReply`, then each connection that `handleDatagram` named.
public struct ServerEndpoint: ~Copyable {
    /// A stateless answer that waits to be sent.
    private struct Reply {
        var bytes: [UInt8]
        var origin: Origin
    }

    /// Where a datagram came from, and by which of our addresses.
    private struct Origin {
        var remote: SocketAddress
        var local: SocketAddress?
        var socket: Int
    }

    static let replyLimit = 256

    public let configuration: ServerConfiguration
    public private(set) var statistics = ServerStatistics()
    /// By the index that clients put into their packets.
    private var connections: [UInt32: ConnectionBox] = [:]
    /// Of every connection, so that a repeated or late first message makes no second one.
    private var initiations: [InitiationIdentity: UInt32] = [:]
    private var halfOpenCount = 0
    private var replies: [Reply] = []
    private let mac: HandshakeMAC
    private let cookies: CookieJar
    private var load = SecondCounter()
    private var limiter: AddressLimiter
    private var generator: SeededGenerator
    /// Of the policies' draws: each connection has a seed of its own.
    private var seeds: SeededGenerator

    /// Errors: `backend` when libcrypto fails.
    public init(_ configuration: ServerConfiguration) throws(CryptoError) {
        let mac = try HandshakeMAC(responder: configuration.key.publicKey)
        let cookies = try CookieJar()
        let random = try Crypto.randomBytes(count: 8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        self.configuration = configuration
        self.mac = mac
        self.cookies = cookies
        limiter = AddressLimiter(salt: random)
        generator = SeededGenerator(seed: configuration.connection.seed)
        seeds = SeededGenerator(seed: configuration.connection.seed)
    }

    // MARK: read

    /// All connections, in no order.
    public var boxes: [ConnectionBox] { Array(connections.values) }
    var connectionCount: Int { connections.count }

    // MARK: handle

    /// Takes one datagram; the connection that it belonged to, which then has to be polled.
    public mutating func handleDatagram(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: SocketAddress,
        to local: SocketAddress? = nil, socket: Int, receivedAt: Instant, now: Instant
    ) -> ConnectionBox? {
        if let header = DataHeader(UnsafeRawBufferPointer(bytes)) {
            guard let box = connections[header.receiver] else { return nil }
            let wasConfirmed = box.connection.isConfirmed
            box.connection.handleDatagram(
                bytes, from: remote, to: local, socket: socket, receivedAt: receivedAt, now: now)
            if !wasConfirmed, box.connection.isConfirmed { halfOpenCount -= 1 }
            return box
        }
        return handleInitiation(
            UnsafeRawBufferPointer(bytes),
            from: Origin(remote: remote, local: local, socket: socket), now: now)
    }

    /// Forgets a connection that has ended.
    public mutating func remove(_ box: ConnectionBox) {
        guard connections.removeValue(forKey: box.connection.localIndex) != nil else { return }
        initiations[box.initiation] = nil
        if !box.connection.isConfirmed { halfOpenCount -= 1 }
    }

    /// The next answer to a stranger, copied into the buffer.
    public mutating func pollReply(into buffer: UnsafeMutableRawBufferPointer) -> Transmit? {
        guard !replies.isEmpty else { return nil }
        let reply = replies.removeFirst()
        guard reply.bytes.count <= buffer.count else { return nil }
        buffer.copyBytes(from: reply.bytes)
        return Transmit(
            path: PathID(0), socket: reply.origin.socket, remote: reply.origin.remote,
            local: reply.origin.local, length: reply.bytes.count, segmentSize: reply.bytes.count)
    }

    // MARK: handshakes

    private mutating func handleInitiation(
        _ bytes: UnsafeRawBufferPointer, from origin: Origin, now: Instant
    ) -> ConnectionBox? {
        guard bytes.count == InitiationPacket.length, bytes[0] == HandshakeKind.initiation else {
            statistics.dropped += 1
            return nil
        }
        statistics.initiations += 1
        let authenticated = UnsafeRawBufferPointer(
            rebasing: bytes[..<InitiationPacket.authenticatorOffset])
        let tag = UnsafeRawBufferPointer(
            rebasing: bytes[InitiationPacket.authenticatorOffset..<InitiationPacket.cookieOffset])
        let sender = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard bytes[1] == InitiationPacket.version else {
            refuse(.version, sender, origin)
            return nil
        }
        guard mac.isValid(tag.bytes, of: authenticated.bytes) else {
            statistics.refusedWrongKey += 1
            refuse(.wrongServerKey, sender, origin)
            return nil
        }
        guard let packet = InitiationPacket(bytes), packet.noise.count >= 32 else {
            statistics.dropped += 1
            return nil
        }
        let identity = InitiationIdentity(
            index: packet.sender, ephemeral: Array(packet.noise.prefix(32)))
        if let index = initiations[identity], let box = connections[index] {
            statistics.repeated += 1
            guard !box.connection.isConfirmed else { return nil }
            // Two addresses have the answer now: neither is proved by the use of the keys.
            if box.connection.handshakeRemote != origin.remote {
                box.connection.handshakeRemote = nil
            }
            reply(box.response, origin)
            return nil
        }
        guard provesAddress(bytes, origin, packet.sender, now: now) else { return nil }
        return accept(packet, identity, origin, now: now)
    }

    /// Under load a client has to send back the cookie of its address before anything is computed.
    private mutating func provesAddress(
        _ bytes: UnsafeRawBufferPointer, _ origin: Origin, _ sender: UInt32, now: Instant
    ) -> Bool {
        let isLoaded =
            load.add(now: now) > configuration.handshakesBeforeCookies
            || halfOpenCount >= configuration.halfOpenLimit / 2
        guard isLoaded else { return true }
        let address = origin.remote.bytes
        let cookie = UnsafeRawBufferPointer(rebasing: bytes[InitiationPacket.cookieOffset...])
        guard cookies.isValid(cookie.bytes, for: address.span.bytes, now: now) else {
            if let fresh = try? cookies.cookie(for: address.span.bytes, now: now) {
                statistics.retries += 1
                reply(RetryPacket.encode(receiver: sender, cookie: fresh), origin)
            }
            return false
        }
        guard limiter.allows(origin.remote, limit: configuration.handshakesPerAddress, now: now)
        else {
            statistics.dropped += 1
            return false
        }
        return true
    }

    private mutating func accept(
        _ packet: InitiationPacket, _ identity: InitiationIdentity, _ origin: Origin, now: Instant
    ) -> ConnectionBox? {
        guard let suite = CipherSuite(rawValue: packet.suite) else {
            refuse(.cipherSuite, packet.sender, origin)
            return nil
        }
        guard connections.count < configuration.connectionLimit,
            halfOpenCount < configuration.halfOpenLimit
        else {
            statistics.refusedBusy += 1
            refuse(.busy, packet.sender, origin)
            return nil
        }
        do throws(CryptoError) {
            var noise = try NoiseHandshake(
                responder: configuration.key, pattern: .ikpsk2, cipher: suite.noiseCipher,
                prologue: HandshakePrologue.bytes(suite: suite))
            let clients = configuration.clients
            let payload = try noise.readMessage(packet.noise.bytes) { clients[$0] != nil }
            guard let client = noise.remoteStaticKey, let shared = clients[client] else {
                return nil
            }
            let key = try PresharedKey.orNone(shared)
            guard
                try HandshakePayload.isProved(payload, by: key, ephemeral: identity.ephemeral),
                let parameters = HandshakePayload.parameters(payload)
            else {
                statistics.refusedPresharedKey += 1
                refuse(.presharedKey, packet.sender, origin)
                return nil
            }
            noise.setPresharedKey(key)
            let answer = try noise.writeMessage(
                payload: configuration.connection.parameters.encoded())
            let secrets = try noise.split()
            let index = freeIndex()
            let response = ResponsePacket.encode(
                receiver: packet.sender, sender: index, noise: answer)
            return try connect(
                AcceptedInitiation(
                    clientKey: client, localIndex: index, remoteIndex: packet.sender, suite: suite,
                    secrets: TrafficSecrets(sending: secrets.send, receiving: secrets.receive),
                    parameters: parameters, path: packet.path, socket: origin.socket,
                    remote: origin.remote, local: origin.local, responseLength: response.count),
                identity, response, origin, now: now)
        } catch .peerRefused {
            statistics.refusedUnknownClient += 1
            refuse(.unknownClient, packet.sender, origin)
        } catch {
            statistics.dropped += 1
        }
        return nil
    }

    private mutating func connect(
        _ accepted: AcceptedInitiation, _ identity: InitiationIdentity, _ response: [UInt8],
        _ origin: Origin, now: Instant
    ) throws(CryptoError) -> ConnectionBox? {
        var setup = configuration.connection
        setup.seed = seeds.next()
        let selector: PathSelector
        do {
            selector = try PathSelector(
                configuration.policy, model: configuration.model, seed: setup.seed)
        } catch {
            // A policy that cannot be set up was refused before the server started.
            statistics.dropped += 1
            return nil
        }
        let box = ConnectionBox(
            try Connection(
                server: accepted, configuration: setup, selector: selector,
                now: now),
            initiation: identity, response: response)
        connections[accepted.localIndex] = box
        initiations[identity] = accepted.localIndex
        halfOpenCount += 1
        statistics.accepted += 1
        reply(response, origin)
        return box
    }

    private mutating func freeIndex() -> UInt32 {
        while true {
            let index = UInt32(truncatingIfNeeded: generator.next())
            if index != 0, connections[index] == nil { return index }
        }
    }

    private mutating func reply(_ bytes: [UInt8], _ origin: Origin) {
        guard replies.count < ServerEndpoint.replyLimit else { return }
        replies.append(Reply(bytes: bytes, origin: origin))
    }

    private mutating func refuse(
        _ reason: RefusalReason, _ sender: UInt32, _ origin: Origin
    ) {
        reply(RefusalPacket.encode(receiver: sender, reason: reason), origin)
    }
}
