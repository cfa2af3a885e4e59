/// The handshake patterns in use.
///
/// Both need the responder's static key beforehand and take one round trip.
public enum NoisePattern: Sendable, CaseIterable {
    /// `-> e, es, s, ss` and `<- e, ee, se`.
    case ik
    /// As `ik`, with a pre-shared key mixed in at the end of the second message.
    case ikpsk2

    /// The word in a Noise protocol name.
    public var name: String { self == .ik ? "IK" : "IKpsk2" }
}

/// One side of a Noise handshake over X25519 and SHA-256.
///
/// Source: Perrin, "The Noise Protocol Framework", revision 34. Initiator: `writeMessage`,
/// `readMessage`, then `split`. Responder: `readMessage`, then `writeMessage`, then `split`. A call
/// that throws leaves the handshake as it was: a forged answer does not harm the side that waits
/// for the genuine one. Payloads of the first message can be replayed by an attacker and are not
/// forward-secret against loss of the responder's key.
public struct NoiseHandshake: ~Copyable, Sendable {
    /// Noise's size limit of one message, bytes.
    static let messageLimit = 65_535
    /// Bytes that the first message adds to its payload: e, encrypted s, tag.
    static let firstMessageOverhead = 96
    /// Bytes that the second message adds to its payload: e, tag.
    static let secondMessageOverhead = 48

    private enum Step { case writeFirst, readFirst, writeSecond, readSecond, complete }

    private let pattern: NoisePattern
    private let isInitiator: Bool
    private let staticKey: PrivateKey
    private var ephemeralKey: PrivateKey?
    private var remoteEphemeralKey: PublicKey?
    private var presharedKey: PresharedKey?
    private var state: SymmetricState
    private var step: Step
    /// The peer's static key: given for the initiator, known after message 1 for the responder.
    private(set) var remoteStaticKey: PublicKey?

    /// Makes the side that sends first and knows the peer's key.
    ///
    /// - Parameters:
    ///   - presharedKey: needed by `ikpsk2` only, before message 2 is read.
    ///   - prologue: bytes that must be equal on both sides, such as a protocol version.
    ///   - ephemeralKey: nil for a fresh one; a given one is for reproducing test vectors.
    public init(
        initiator staticKey: PrivateKey, remoteStaticKey: PublicKey, pattern: NoisePattern,
        cipher: NoiseCipher, presharedKey: PresharedKey? = nil, prologue: [UInt8] = [],
        ephemeralKey: PrivateKey? = nil
    ) throws(CryptoError) {
        state = try NoiseHandshake.initialState(
            responder: remoteStaticKey, pattern: pattern, cipher: cipher, prologue: prologue)
        self.pattern = pattern
        isInitiator = true
        self.staticKey = staticKey
        self.remoteStaticKey = remoteStaticKey
        self.presharedKey = presharedKey
        self.ephemeralKey = ephemeralKey
        step = .writeFirst
    }

    /// Makes the side that answers any initiator that knows its public key.
    ///
    /// - Parameters:
    ///   - presharedKey: may be set after message 1 has shown who the peer is.
    ///   - prologue: bytes that must be equal on both sides.
    ///   - ephemeralKey: nil for a fresh one; a given one is for reproducing test vectors.
    public init(
        responder staticKey: PrivateKey, pattern: NoisePattern, cipher: NoiseCipher,
        presharedKey: PresharedKey? = nil, prologue: [UInt8] = [],
        ephemeralKey: PrivateKey? = nil
    ) throws(CryptoError) {
        state = try NoiseHandshake.initialState(
            responder: staticKey.publicKey, pattern: pattern, cipher: cipher, prologue: prologue)
        self.pattern = pattern
        isInitiator = false
        self.staticKey = staticKey
        self.presharedKey = presharedKey
        self.ephemeralKey = ephemeralKey
        step = .readFirst
    }

    private static func initialState(
        responder: PublicKey, pattern: NoisePattern, cipher: NoiseCipher, prologue: [UInt8]
    ) throws(CryptoError) -> SymmetricState {
        var state = try SymmetricState(
            protocolName: "Noise_\(pattern.name)_25519_\(cipher.name)_SHA256", cipher: cipher)
        try unsafe state.mix(hash: prologue.span.bytes)
        // The pre-message `<- s`.
        try unsafe state.mix(hash: responder.bytes.storage.span.bytes)
        return state
    }

    /// Whether both messages were exchanged, so that `split` is possible.
    public var isComplete: Bool { step == .complete }

    /// h: the same on both sides when complete, and bound to all exchanged messages.
    var handshakeHash: [UInt8] { state.hash.array }

    /// Chooses the preshared key for the peer, up to the message that mixes it in.
    mutating func setPresharedKey(_ key: PresharedKey) { presharedKey = key }

    /// The next message of this side, with `payload` encrypted in it.
    ///
    /// Errors: `outOfOrder`, `messageTooLong`, `presharedKeyMissing`, `weakPublicKey`, `backend`.
    public mutating func writeMessage(payload: [UInt8] = []) throws(CryptoError) -> [UInt8] {
        switch step {
        case .writeFirst: return try writeFirst(payload)
        case .writeSecond: return try writeSecond(payload)
        default: throw .outOfOrder(operation: "writing a message")
        }
    }

    /// Reads the next message of the peer and returns its payload.
    ///
    /// Errors: `outOfOrder`, `messageTooShort`, `messageTooLong`, `authenticationFailed`,
    /// `peerRefused`, `presharedKeyMissing`, `weakPublicKey`, `backend`.
    ///
    /// - Parameter admitting: asked by the responder as soon as the initiator's static key is
    ///   decrypted and before it is proved, so that an unknown key costs only one Diffie-Hellman
    ///   operation.
    public mutating func readMessage(
        _ message: RawSpan, admitting: (PublicKey) -> Bool = { _ in true }
    ) throws(CryptoError) -> [UInt8] {
        guard message.byteCount <= NoiseHandshake.messageLimit else {
            throw .messageTooLong(found: message.byteCount)
        }
        switch step {
        case .readFirst: return try readFirst(message, admitting: admitting)
        case .readSecond: return try readSecond(message)
        default: throw .outOfOrder(operation: "reading a message")
        }
    }

    /// Reads the next message of the peer and returns its payload.
    public mutating func readMessage(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
        try unsafe readMessage(message.span.bytes)
    }

    /// The secrets of both directions: one for sending, one for receiving.
    ///
    /// Errors: `outOfOrder` before both messages were exchanged.
    public func split() throws(CryptoError) -> (send: TrafficSecret, receive: TrafficSecret) {
        guard isComplete else { throw .outOfOrder(operation: "splitting") }
        let (first, second) = try state.split()
        let (ours, theirs) = isInitiator ? (first, second) : (second, first)
        return (TrafficSecret(ours), TrafficSecret(theirs))
    }

    /// Authenticates a message that replaces message 2: the first bytes of an HMAC-SHA256 over
    /// `message` and h, which only the two sides can compute.
    ///
    /// Errors: `outOfOrder` at any other point, `backend`.
    func authenticator(
        of message: [UInt8], label: String, length: Int
    ) throws(CryptoError) -> [UInt8] {
        guard step == .readSecond || step == .writeSecond else {
            throw .outOfOrder(operation: "an answer to message 1")
        }
        let full = try state.authenticator(of: message.span.bytes, label: label)
        return Array(full.array.prefix(length))
    }

    // MARK: -> e, es, s, ss

    private mutating func writeFirst(_ payload: [UInt8]) throws(CryptoError) -> [UInt8] {
        try checkLength(payload.count, NoiseHandshake.firstMessageOverhead)
        guard let remoteStaticKey else { throw .outOfOrder(operation: "writing a message") }
        var next = state
        let ephemeral = try ownEphemeral()
        var message = try write(ephemeral.publicKey, into: &next)
        try next.mix(key: ephemeral.sharedSecret(with: remoteStaticKey))
        try unsafe next.encryptAndHash(
            staticKey.publicKey.bytes.storage.span.bytes, appendingTo: &message)
        try next.mix(key: staticKey.sharedSecret(with: remoteStaticKey))
        try unsafe next.encryptAndHash(payload.span.bytes, appendingTo: &message)
        (state, ephemeralKey, step) = (next, ephemeral, .readSecond)
        return message
    }

    private mutating func readFirst(
        _ message: RawSpan, admitting: (PublicKey) -> Bool
    ) throws(CryptoError) -> [UInt8] {
        var next = state
        let ephemeral = try readEphemeral(
            message, overhead: NoiseHandshake.firstMessageOverhead, into: &next)
        try next.mix(key: staticKey.sharedSecret(with: ephemeral))
        let encryptedKey = message.extracting(32..<80)
        let key = try next.decryptAndHash(encryptedKey, part: "the initiator's static key")
        guard let remote = PublicKey(key) else {
            throw .wrongLength(what: "static key", expected: 32, found: key.count)
        }
        guard admitting(remote) else { throw .peerRefused(remote) }
        try next.mix(key: staticKey.sharedSecret(with: remote))
        let payload = try next.decryptAndHash(
            message.extracting(80..<message.byteCount), part: "the first handshake message")
        (state, remoteStaticKey, step) = (next, remote, .writeSecond)
        remoteEphemeralKey = ephemeral
        return payload
    }

    // MARK: <- e, ee, se (, psk)

    private mutating func writeSecond(_ payload: [UInt8]) throws(CryptoError) -> [UInt8] {
        try checkLength(payload.count, NoiseHandshake.secondMessageOverhead)
        guard let remoteStaticKey, let remoteEphemeralKey else {
            throw .outOfOrder(operation: "writing a message")
        }
        var next = state
        let ephemeral = try ownEphemeral()
        var message = try write(ephemeral.publicKey, into: &next)
        try next.mix(key: ephemeral.sharedSecret(with: remoteEphemeralKey))
        try next.mix(key: ephemeral.sharedSecret(with: remoteStaticKey))
        try mixPresharedKey(into: &next)
        try unsafe next.encryptAndHash(payload.span.bytes, appendingTo: &message)
        finish(next)
        return message
    }

    private mutating func readSecond(_ message: RawSpan) throws(CryptoError) -> [UInt8] {
        guard let ephemeralKey else { throw .outOfOrder(operation: "reading a message") }
        var next = state
        let remote = try readEphemeral(
            message, overhead: NoiseHandshake.secondMessageOverhead, into: &next)
        try next.mix(key: ephemeralKey.sharedSecret(with: remote))
        try next.mix(key: staticKey.sharedSecret(with: remote))
        try mixPresharedKey(into: &next)
        let payload = try next.decryptAndHash(
            message.extracting(32..<message.byteCount), part: "the second handshake message")
        finish(next)
        return payload
    }

    // MARK: Tokens

    private mutating func finish(_ final: SymmetricState) {
        (state, ephemeralKey, presharedKey, step) = (final, nil, nil, .complete)
    }

    private func checkLength(_ payload: Int, _ overhead: Int) throws(CryptoError) {
        guard payload <= NoiseHandshake.messageLimit &- overhead else {
            throw .messageTooLong(found: payload &+ overhead)
        }
    }

    private func ownEphemeral() throws(CryptoError) -> PrivateKey {
        if let ephemeralKey { return ephemeralKey }
        return try PrivateKey.generate()
    }

    private func write(
        _ ephemeral: PublicKey, into next: inout SymmetricState
    ) throws(CryptoError) -> [UInt8] {
        try mix(ephemeral, into: &next)
        return ephemeral.rawBytes
    }

    private func readEphemeral(
        _ message: RawSpan, overhead: Int, into next: inout SymmetricState
    ) throws(CryptoError) -> PublicKey {
        guard message.byteCount >= overhead,
            let bytes = Bytes32(copying: message.extracting(0..<32))
        else { throw .messageTooShort(needed: overhead, found: message.byteCount) }
        let ephemeral = PublicKey(bytes: bytes)
        try mix(ephemeral, into: &next)
        return ephemeral
    }

    private func mix(
        _ ephemeral: PublicKey, into next: inout SymmetricState
    ) throws(CryptoError) {
        try unsafe next.mix(hash: ephemeral.bytes.storage.span.bytes)
        if pattern == .ikpsk2 { try next.mix(key: ephemeral) }
    }

    private func mixPresharedKey(into next: inout SymmetricState) throws(CryptoError) {
        guard pattern == .ikpsk2 else { return }
        guard let presharedKey else { throw .presharedKeyMissing }
        try next.mix(keyAndHash: presharedKey)
    }
}
