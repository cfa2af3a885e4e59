import PathTelemetry

/// The client's side of the handshake: one Noise message, sent again and over other paths until an
/// answer fits it.
///
/// A new message is made only when the server says, authentically, that this one is not newer than
/// those it took before. docs/protocol.md, section 2.
struct ClientHandshake: ~Copyable {
    static let firstInterval = TimeDelta.milliseconds(200)
    /// A refusal is not authenticated; it is believed when nothing better came for this long.
    static let refusalPatience = TimeDelta.milliseconds(1500)
    /// The least time to wait after "busy", which doubles with each up to the last.
    static let busyInterval = TimeDelta.milliseconds(100)
    static let busyDoublings: Int64 = 2

    /// A first message, and the state that waits for its answer.
    private struct Opening: ~Copyable {
        var noise: NoiseHandshake
        let message: [UInt8]
    }

    private let identity: ClientIdentity
    private let parameters: TransportParameters
    /// What the caller's clocks showed at the start.
    private let started: (stamp: InitiationStamp, now: Instant)
    private var opening: Opening
    /// Of the present message.
    private var stamp: InitiationStamp
    private let mac: HandshakeMAC
    /// Index under which the server addresses this connection.
    let index: UInt32
    let deadline: Instant
    private var cookies: InlineArray<16, [UInt8]> = InlineArray(repeating: [])
    private(set) var nextAttemptAt: Instant
    private var attempts: Int64 = 0
    private(set) var refusal: RefusalReason?
    private var refusedAt = Instant.distantFuture
    private var busyAnswers: Int64 = 0
    /// The server was busy: the next attempt is a new message, for the stamp of this one ages.
    private var isOutdated = false
    /// Spreads the next attempts of clients that were refused together.
    private var jitter: SeededGenerator
    /// An answer came that the keys do not fit.
    var sawWrongAnswer: Bool { wrongAnswerAt != .distantFuture }
    private var wrongAnswerAt = Instant.distantFuture

    init(
        identity: ClientIdentity, parameters: TransportParameters, timeout: TimeDelta,
        stamp: InitiationStamp, seed: UInt64, now: Instant
    ) throws(CryptoError) {
        // Everything that can fail comes before the first stored property.
        let mac = try HandshakeMAC(responder: identity.peer)
        let index = try Crypto.randomNumber(UInt32.self)
        let opening = try ClientHandshake.open(identity, parameters, stamp)
        self.identity = identity
        self.parameters = parameters
        self.opening = opening
        self.mac = mac
        self.index = index
        started = (stamp, now)
        self.stamp = stamp
        jitter = SeededGenerator(seed: seed)
        deadline = now + timeout
        nextAttemptAt = now
    }

    private static func open(
        _ identity: ClientIdentity, _ parameters: TransportParameters, _ stamp: InitiationStamp
    ) throws(CryptoError) -> Opening {
        let shared = try PresharedKey.orNone(identity.presharedKey)
        let ephemeral = try PrivateKey.generate()
        let payload = try HandshakePayload.encode(
            parameters, stamp: stamp, key: shared, ephemeral: ephemeral.publicKey.rawBytes)
        var noise = try NoiseHandshake(
            initiator: identity.key, remoteStaticKey: identity.peer, pattern: .ikpsk2,
            cipher: identity.suite.noiseCipher, presharedKey: shared,
            prologue: HandshakePrologue.bytes(suite: identity.suite), ephemeralKey: ephemeral)
        let message = try noise.writeMessage(payload: payload)
        return Opening(noise: noise, message: message)
    }

    var suite: CipherSuite { identity.suite }
    var timeout: Instant { min(min(nextAttemptAt, deadline), refusalDeadline) }
    /// When a refusal, or an answer that does not fit, is believed.
    var refusalDeadline: Instant {
        min(refusedAt, wrongAnswerAt) + ClientHandshake.refusalPatience
    }
    /// How many attempts were made: the caller goes through its paths with it.
    var attempt: Int { Int(attempts) }

    /// Writes the initiation for a path; false when it does not fit.
    mutating func writeInitiation(
        path: PathID, pathCount: Int, to buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Bool {
        let backoff = Int64(1) << min(attempts / Int64(max(1, pathCount)), 3)
        attempts += 1
        nextAttemptAt = now + ClientHandshake.firstInterval * backoff
        if isOutdated {
            guard (try? renew(above: stamp, now: now)) != nil else { return false }
        }
        guard buffer.count >= InitiationPacket.length,
            InitiationPacket.write(
                path: path, suite: suite.rawValue, sender: index, noise: opening.message,
                to: buffer)
        else { return false }
        let authenticated = UnsafeRawBufferPointer(
            rebasing: UnsafeRawBufferPointer(buffer)[..<InitiationPacket.authenticatorOffset])
        guard let tag = try? mac.mac(of: authenticated.bytes) else { return false }
        for (offset, byte) in tag.enumerated() {
            buffer[InitiationPacket.authenticatorOffset + offset] = byte
        }
        for (offset, byte) in cookies[path.index].enumerated() {
            buffer[InitiationPacket.cookieOffset + offset] = byte
        }
        return true
    }

    /// Takes a packet of the server; what it answered when that opens the connection.
    ///
    /// - Parameter kind: the packet's first byte.
    mutating func handle(
        _ bytes: UnsafeRawBufferPointer, kind: UInt8, path: PathID, now: Instant
    ) throws(CryptoError) -> Answer? {
        switch kind {
        case HandshakeKind.retry: handleRetry(bytes, path: path, now: now)
        case HandshakeKind.refusal: handleRefusal(bytes, now: now)
        case HandshakeKind.stale: try handleStale(bytes, now: now)
        case HandshakeKind.response: return handleResponse(bytes, now: now)
        default: break
        }
        return nil
    }

    /// The server wants proof of this path's address.
    private mutating func handleRetry(_ bytes: UnsafeRawBufferPointer, path: PathID, now: Instant) {
        guard let retry = RetryPacket.parse(bytes), retry.receiver == index else { return }
        // One repetition at once for each new cookie, so that nobody is driven to send more.
        guard cookies[path.index] != retry.cookie else { return }
        cookies[path.index] = retry.cookie
        repeatNow(now)
    }

    private mutating func handleRefusal(_ bytes: UnsafeRawBufferPointer, now: Instant) {
        guard let parsed = RefusalPacket.parse(bytes), parsed.receiver == index else { return }
        guard parsed.reason == .busy else {
            refusal = parsed.reason
            refusedAt = min(refusedAt, now)
            return
        }
        // No verdict: there may be room a moment later. Who never finds any is told at the end.
        if refusedAt == .distantFuture { refusal = .busy }
        let doublings = min(busyAnswers, ClientHandshake.busyDoublings)
        busyAnswers += 1
        isOutdated = true
        let wait = ClientHandshake.busyInterval * (Int64(1) << doublings)
        nextAttemptAt = now + wait + wait * jitter.uniform()
    }

    /// The server took a newer message of this client's key: makes one above it, and sends it at
    /// once.
    ///
    /// Errors: `backend` when libcrypto fails.
    mutating func handleStale(
        _ bytes: UnsafeRawBufferPointer, now: Instant
    ) throws(CryptoError) {
        guard let stale = StalePacket(bytes), stale.receiver == index else { return }
        let expected = try opening.noise.authenticator(
            of: StalePacket.body(receiver: index, newest: stale.newest), label: StalePacket.label,
            length: StalePacket.authenticatorLength)
        guard Crypto.equal(expected.span.bytes, stale.authenticator.span.bytes) else { return }
        try renew(above: max(stale.newest, stamp), now: now)
        repeatNow(now)
    }

    /// Makes a new message whose stamp is the time, and above another.
    private mutating func renew(
        above least: InitiationStamp, now: Instant
    ) throws(CryptoError) {
        let clock = started.stamp.advanced(by: now - started.now)
        stamp = max(least.advanced(by: TimeDelta(nanoseconds: 1)), clock)
        opening = try ClientHandshake.open(identity, parameters, stamp)
        isOutdated = false
    }

    /// The next attempt is due, on the path of the one before.
    private mutating func repeatNow(_ now: Instant) {
        attempts = max(0, attempts - 1)
        nextAttemptAt = now
    }

    /// What the server's answer opens the connection with.
    typealias Answer = (
        remoteIndex: UInt32, parameters: TransportParameters, keys: TrafficSecrets
    )

    /// The server's answer.
    ///
    /// Nil when it does not fit: a true one may still come.
    private mutating func handleResponse(
        _ bytes: UnsafeRawBufferPointer, now: Instant
    ) -> Answer? {
        guard let response = ResponsePacket(bytes), response.receiver == index else { return nil }
        guard let payload = try? opening.noise.readMessage(response.noise.bytes),
            let secrets = try? opening.noise.split(),
            let parameters = payload.withUnsafeBytes({ TransportParameters($0) })
        else {
            wrongAnswerAt = min(wrongAnswerAt, now)
            return nil
        }
        return (
            response.sender, parameters,
            TrafficSecrets(sending: secrets.send, receiving: secrets.receive)
        )
    }
}

/// The secrets of both directions after a handshake.
struct TrafficSecrets {
    var sending: TrafficSecret
    var receiving: TrafficSecret
}

/// Who a client is, and whom it wants to reach.
public struct ClientIdentity: Sendable {
    public var key: PrivateKey
    public var peer: PublicKey
    public var presharedKey: PresharedKey?
    /// Cipher of the packets; the handshake uses the same family.
    public var suite: CipherSuite

    public init(
        key: PrivateKey, peer: PublicKey, presharedKey: PresharedKey? = nil,
        suite: CipherSuite = .aes128gcm
    ) {
        self.key = key
        self.peer = peer
        self.presharedKey = presharedKey
        self.suite = suite
    }
}

/// What both sides must agree on before the first byte; mixed into the handshake's hash.
enum HandshakePrologue {
    static func bytes(suite: CipherSuite) -> [UInt8] {
        Array("pathwise/\(InitiationPacket.version)/\(suite.name)".utf8)
    }
}

extension PresharedKey {
    /// Without a pre-shared key the handshake mixes in 32 zero bytes, as WireGuard does.
    static func orNone(_ given: PresharedKey?) throws(CryptoError) -> PresharedKey {
        if let given { return given }
        guard let key = PresharedKey([UInt8](repeating: 0, count: 32)) else {
            throw .wrongLength(what: "pre-shared key", expected: 32, found: 32)
        }
        return key
    }
}

extension CipherSuite {
    /// The cipher of the handshake that goes with the packets' cipher.
    var noiseCipher: NoiseCipher { self == .chacha20poly1305 ? .chachapoly : .aesgcm }
}
