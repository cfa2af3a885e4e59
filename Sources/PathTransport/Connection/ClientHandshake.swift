import PathTelemetry

/// The client's side of the handshake: one Noise message, sent again and over other paths until an
/// answer fits it.
///
/// docs/protocol.md, section 2.
struct ClientHandshake: ~Copyable {
    static let firstInterval = TimeDelta.milliseconds(200)
    /// A refusal is not authenticated; it is believed when nothing better came for this long.
    static let refusalPatience = TimeDelta.milliseconds(1500)

    private var noise: NoiseHandshake
    private let mac: HandshakeMAC
    private let message: [UInt8]
    let suite: CipherSuite
    /// Index under which the server addresses this connection.
    let index: UInt32
    let deadline: Instant
    private var cookies: InlineArray<16, [UInt8]> = InlineArray(repeating: [])
    private(set) var nextAttemptAt: Instant
    private var attempts: Int64 = 0
    private(set) var refusal: RefusalReason?
    private var refusedAt = Instant.distantFuture
    /// An answer came that the keys do not fit.
    var sawWrongAnswer: Bool { wrongAnswerAt != .distantFuture }
    private var wrongAnswerAt = Instant.distantFuture

    init(
        identity: ClientIdentity, parameters: TransportParameters, timeout: TimeDelta, now: Instant
    ) throws(CryptoError) {
        // Everything that can fail comes before the first stored property.
        let shared = try PresharedKey.orNone(identity.presharedKey)
        let ephemeral = try PrivateKey.generate()
        let payload = try HandshakePayload.encode(
            parameters, key: shared, ephemeral: ephemeral.publicKey.rawBytes)
        let mac = try HandshakeMAC(responder: identity.peer)
        let random = try Crypto.randomBytes(count: 4)
        var noise = try NoiseHandshake(
            initiator: identity.key, remoteStaticKey: identity.peer, pattern: .ikpsk2,
            cipher: identity.suite.noiseCipher, presharedKey: shared,
            prologue: HandshakePrologue.bytes(suite: identity.suite), ephemeralKey: ephemeral)
        let message = try noise.writeMessage(payload: payload)
        self.noise = noise
        self.mac = mac
        self.message = message
        suite = identity.suite
        index = random.reduce(0) { $0 << 8 | UInt32($1) }
        deadline = now + timeout
        nextAttemptAt = now
    }

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
        guard buffer.count >= InitiationPacket.length,
            InitiationPacket.write(
                path: path, suite: suite.rawValue, sender: index, noise: message, to: buffer)
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

    /// The server wants proof of this path's address.
    mutating func handleRetry(_ bytes: UnsafeRawBufferPointer, path: PathID, now: Instant) {
        guard let retry = RetryPacket.parse(bytes), retry.receiver == index else { return }
        // One repetition at once for each new cookie, so that nobody is driven to send more.
        guard cookies[path.index] != retry.cookie else { return }
        cookies[path.index] = retry.cookie
        attempts = max(0, attempts - 1)
        nextAttemptAt = now
    }

    mutating func handleRefusal(_ bytes: UnsafeRawBufferPointer, now: Instant) {
        guard let parsed = RefusalPacket.parse(bytes), parsed.receiver == index else { return }
        refusal = parsed.reason
        refusedAt = min(refusedAt, now)
    }

    /// The server's answer.
    ///
    /// Nil when it does not fit: a true one may still come.
    mutating func handleResponse(
        _ bytes: UnsafeRawBufferPointer, now: Instant
    ) -> (remoteIndex: UInt32, parameters: TransportParameters, keys: TrafficSecrets)? {
        guard let response = ResponsePacket(bytes), response.receiver == index else { return nil }
        guard let payload = try? noise.readMessage(response.noise.bytes),
            let secrets = try? noise.split(),
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
