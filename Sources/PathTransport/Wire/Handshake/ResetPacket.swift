/// What a server gives each client in its answer, so that the client later believes that the server
/// has forgotten the connection: 124 bits, as two numbers that a transport parameter can hold.
///
/// Source: stateless reset, RFC 9000, section 10.3.
struct ResetToken: Equatable, Sendable {
    static let length = 16
    private static let mask: UInt64 = (1 << 62) - 1

    let high: UInt64
    let low: UInt64

    /// Nil for numbers that no server sends.
    init?(high: UInt64, low: UInt64) {
        // The highest bit is always set, so that all tokens have the same length in the answer.
        guard high >> 61 == 1, low >> 61 == 1 else { return nil }
        self.high = high
        self.low = low
    }

    fileprivate init(_ mac: [UInt8]) {
        var words: (UInt64, UInt64) = (0, 0)
        for byte in mac.prefix(8) { words.0 = words.0 << 8 | UInt64(byte) }
        for byte in mac.dropFirst(8).prefix(8) { words.1 = words.1 << 8 | UInt64(byte) }
        high = words.0 & ResetToken.mask | 1 << 61
        low = words.1 & ResetToken.mask | 1 << 61
    }

    var bytes: [UInt8] { bigEndian(high) + bigEndian(low) }
}

/// Makes the tokens of a server; a restarted server with the same key makes the same ones.
struct ResetMint: Sendable {
    private let secret: TrafficSecret

    /// Errors: `backend` when libcrypto fails.
    init(_ key: PrivateKey) throws(CryptoError) {
        var bytes = try key.derivedBytes(for: "pathwise reset")
        defer { Crypto.wipe(&bytes) }
        guard let secret = TrafficSecret(bytes) else {
            throw .wrongLength(what: "reset secret", expected: 32, found: bytes.count)
        }
        self.secret = secret
    }

    /// The token of the connection with this index.
    ///
    /// Errors: `backend` when libcrypto fails.
    func token(of index: UInt32) throws(CryptoError) -> ResetToken {
        let index = bigEndian(index)
        return ResetToken(
            try unsafe Crypto.hmac(key: secret.secret, index.span.bytes, RawSpan()).array)
    }
}

/// A server's answer to a packet of a connection that it does not know, usually because it was
/// restarted.
enum ResetPacket {
    static let length = 8 + ResetToken.length

    /// - Parameter index: of the connection, as in the packet that is answered.
    static func encode(index: UInt32, token: ResetToken) -> [UInt8] {
        [HandshakeKind.reset, 0, 0, 0] + bigEndian(index) + token.bytes
    }

    /// Whether the packet ends the connection with this index and token; compares in constant
    /// time.
    static func isValid(
        _ bytes: UnsafeRawBufferPointer, index: UInt32, token: ResetToken
    ) -> Bool {
        var reader = ByteReader(bytes)
        guard bytes.count == length, reader.byte() == HandshakeKind.reset, reader.bytes(3) != nil,
            reader.uint32() == index, let found = reader.bytes(ResetToken.length)
        else { return false }
        return Crypto.equal(found.bytes, token.bytes.span.bytes)
    }
}
