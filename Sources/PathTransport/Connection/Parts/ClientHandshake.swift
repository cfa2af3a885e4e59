import PathTelemetry

/// The client's side of the handshake: one Noise message, sent over all paths at once, as nobody
/// knows which one answers first, and again until a matching answer arrives.
///
/// A new message is made only when the server says, authenticated, that this one is not newer than
/// an earlier one, or after "busy". See docs/protocol.md, section 2.
struct ClientHandshake: ~Copyable {
    static let firstInterval = TimeDelta.milliseconds(200)
    /// A refusal is not authenticated, so it is accepted only if nothing better arrives in this
    /// time.
    static let refusalPatience = TimeDelta.milliseconds(1500)
    /// The least time to wait after "busy", and how often further ones double it.
    static let busyInterval = TimeDelta.milliseconds(100)
    static let busyDoublings: Int64 = 2

    /// A first message and the state that handles its answer.
    private struct Opening: ~Copyable {
        var noise: NoiseHandshake
        let message: [UInt8]
    }

    private let identity: ClientIdentity
    private let parameters: TransportParameters
    /// The caller's clocks at the start.
    private let started: (stamp: InitiationStamp, now: Instant)
    private var opening: Opening
    /// Stamp of the present message.
    private var stamp: InitiationStamp
    private let mac: HandshakeMAC
    /// Index by which the server addresses this connection.
    let index: UInt32
    let deadline: Instant
    private var cookies: InlineArray<16, [UInt8]> = InlineArray(repeating: [])
    private(set) var nextAttemptAt: Instant
    private var attempts: Int64 = 0
    /// Paths on which the message has to be sent now.
    private var due = PathSet.wait
    private(set) var refusal: RefusalReason?
    private var refusedAt = Instant.distantFuture
    private var busyAnswers: Int64 = 0
    /// Whether the server was busy: the next attempt is then a new message with a newer stamp.
    private var isOutdated = false
    /// Spreads the next attempts of clients that were refused at the same time.
    private var jitter: SeededGenerator
    /// Whether an answer came that does not fit the keys.
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
    /// Why the handshake has failed for good; nil while it may still succeed.
    func failure(now: Instant) -> CloseReason? {
        guard now >= min(refusalDeadline, deadline) else { return nil }
        if let refusal { return .refused(refusal) }
        return sawWrongAnswer ? .handshakeFailed : .handshakeTimeout
    }

    /// When a refusal, or an answer that does not fit, is accepted as final.
    var refusalDeadline: Instant {
        min(refusedAt, wrongAnswerAt) + ClientHandshake.refusalPatience
    }

    /// The next path on which the message has to be sent now; nil for none.
    ///
    /// - Parameters:
    ///   - paths: all that exist.
    ///   - reserve: those of them that are spared in the first attempt, unless there are no others.
    mutating func nextPath(of paths: PathSet, reserve: PathSet, now: Instant) -> PathID? {
        guard !paths.isEmpty else { return nil }
        if nextAttemptAt <= now {
            let spared = attempts == 0 && reserve != paths ? reserve : .wait
            due = paths.subtracting(spared)
            nextAttemptAt = now + ClientHandshake.firstInterval * (Int64(1) << min(attempts, 3))
            attempts += 1
        }
        due.formIntersection(paths)
        return due.popFirst()
    }

    /// Writes the initiation for a path; returns false when it does not fit.
    mutating func writeInitiation(
        path: PathID, to buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Bool {
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

    /// Takes a packet of the server; returns the answer if it opens the connection.
    ///
    /// - Parameter kind: the packet's first byte.
    mutating func handle(
        _ bytes: UnsafeRawBufferPointer, kind: UInt8, path: PathID, now: Instant
    ) throws(CryptoError) -> Answer? {
        switch kind {
        case HandshakeKind.retry: handleRetry(bytes, path: path, now: now)
        case HandshakeKind.refusal: handleRefusal(bytes, now: now)
        case HandshakeKind.stale: try handleStale(bytes, path: path, now: now)
        case HandshakeKind.response: return handleResponse(bytes, now: now)
        default: break
        }
        return nil
    }

    /// Takes the server's demand to prove this path's address.
    private mutating func handleRetry(_ bytes: UnsafeRawBufferPointer, path: PathID, now: Instant) {
        guard let retry = RetryPacket.parse(bytes), retry.receiver == index else { return }
        // Each new cookie triggers one retransmission, so that nobody can make this side send more.
        guard cookies[path.index] != retry.cookie else { return }
        cookies[path.index] = retry.cookie
        repeatNow(on: path, now)
    }

    private mutating func handleRefusal(_ bytes: UnsafeRawBufferPointer, now: Instant) {
        guard let parsed = RefusalPacket.parse(bytes), parsed.receiver == index else { return }
        guard parsed.reason == .busy else {
            refusal = parsed.reason
            refusedAt = min(refusedAt, now)
            return
        }
        // This is not final, as there may be room later. A client that never finds any gets it at
        // the end.
        if refusedAt == .distantFuture { refusal = .busy }
        // The same message may be refused on each path.
        guard !isOutdated else { return }
        let doublings = min(busyAnswers, ClientHandshake.busyDoublings)
        busyAnswers += 1
        isOutdated = true
        let wait = ClientHandshake.busyInterval * (Int64(1) << doublings)
        nextAttemptAt = now + wait + wait * jitter.uniform()
    }

    /// The server accepted a newer message of this client's key: makes a message with a higher
    /// stamp and sends it at once.
    ///
    /// Errors: `backend` when libcrypto fails.
    mutating func handleStale(
        _ bytes: UnsafeRawBufferPointer, path: PathID, now: Instant
    ) throws(CryptoError) {
        guard let stale = StalePacket(bytes), stale.receiver == index else { return }
        let expected = try opening.noise.authenticator(
            of: StalePacket.body(receiver: index, newest: stale.newest), label: StalePacket.label,
            length: StalePacket.authenticatorLength)
        guard Crypto.equal(expected.span.bytes, stale.authenticator.span.bytes) else { return }
        try renew(above: max(stale.newest, stamp), now: now)
        repeatNow(on: path, now)
    }

    /// Makes a new message whose stamp is the present time and above `least`.
    private mutating func renew(
        above least: InitiationStamp, now: Instant
    ) throws(CryptoError) {
        let clock = started.stamp.advanced(by: now - started.now)
        stamp = max(least.advanced(by: TimeDelta(nanoseconds: 1)), clock)
        opening = try ClientHandshake.open(identity, parameters, stamp)
        isOutdated = false
    }

    /// Sends the message again on a path whose answer asks for it.
    private mutating func repeatNow(on path: PathID, _ now: Instant) {
        due.insert(PathSet(path))
        nextAttemptAt = max(nextAttemptAt, now + ClientHandshake.firstInterval)
    }

    /// The parts of the server's answer that open the connection.
    typealias Answer = (
        remoteIndex: UInt32, parameters: TransportParameters, keys: TrafficSecrets
    )

    /// Takes the server's answer.
    ///
    /// Returns nil when it does not fit, as the genuine one may still come.
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

/// The keys of a client and of the server that it wants to reach.
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

/// Version and cipher on which both sides must agree; mixed into the handshake's hash.
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
