/// The packet keys of one direction and one generation.
///
/// A peer keeps the keys of the previous, the current and the next generation; two bits in the
/// packet's header say which one applies (QUIC has one bit, RFC 9001 section 6).
public struct DirectionKeys: Sendable {
    /// The cipher that the keys are for.
    public let suite: CipherSuite
    let secret: TrafficSecret
    let key: SecretBytes
    /// The 12-byte IV as two big-endian numbers, ready to be XORed with path and packet number.
    let ivHigh: UInt32
    let ivLow: UInt64

    /// Derives key and IV: HKDF-Expand-Label with "pathwise key" and "pathwise iv".
    ///
    /// Errors: `backend` when libcrypto fails.
    public init(suite: CipherSuite, secret: TrafficSecret) throws(CryptoError) {
        self.suite = suite
        self.secret = secret
        key = try Crypto.expandLabel(
            secret.secret, label: "pathwise key", length: suite.keyLength)
        let iv = try Crypto.expandLabel(secret.secret, label: "pathwise iv", length: 12)
        (ivHigh, ivLow) = unsafe iv.withBytes { bytes in
            let raw = unsafe UnsafeRawPointer(bytes)
            let high = unsafe raw.loadUnaligned(as: UInt32.self)
            let low = unsafe raw.loadUnaligned(fromByteOffset: 4, as: UInt64.self)
            return (UInt32(bigEndian: high), UInt64(bigEndian: low))
        }
    }

    /// The keys of the next generation; the present ones cannot be derived from them.
    ///
    /// The secret is replaced through the label "pathwise ku", as in RFC 9001 section 6.1.
    public func next() throws(CryptoError) -> DirectionKeys {
        let next = try Crypto.expandLabel(
            secret.secret, label: "pathwise ku", length: SecretBytes.length)
        return try DirectionKeys(suite: suite, secret: TrafficSecret(next))
    }
}

/// Encrypts or decrypts the packets of one direction under one key, and lives as long as the key.
///
/// The nonce is the path number (4 bytes, big-endian) and the packet number (8 bytes), XORed with
/// the IV. A pair of path and packet number must never be used twice under one key: each path has
/// its own packet-number space, and a revived path continues its numbers. No call allocates.
public struct PacketCipher: ~Copyable {
    private var context: AEADContext
    private let ivHigh: UInt32
    private let ivLow: UInt64

    /// Errors: `backend` when libcrypto lacks memory or the algorithm.
    public init(_ keys: DirectionKeys) throws(CryptoError) {
        context = try AEADContext(suite: keys.suite, key: keys.key)
        ivHigh = keys.ivHigh
        ivLow = keys.ivLow
    }

    /// Derives the keys of the secret's generation and sets them up.
    public init(suite: CipherSuite, secret: TrafficSecret) throws(CryptoError) {
        try self.init(try DirectionKeys(suite: suite, secret: secret))
    }

    /// Encrypts the payload in place and appends the 16-byte tag; the header is authenticated.
    ///
    /// `packet` holds the header, the payload and room for the tag. Returns the length of the
    /// sealed packet, or 0 when the lengths do not fit into `packet` or libcrypto refuses.
    public mutating func seal(
        packet: UnsafeMutableRawBufferPointer, headerLength: Int, payloadLength: Int, path: UInt32,
        packetNumber: UInt64
    ) -> Int {
        let room = packet.count &- CipherSuite.tagLength
        guard headerLength >= 0, payloadLength >= 0, room >= 0, headerLength <= room,
            payloadLength <= room &- headerLength,
            let start = unsafe packet.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return 0 }
        let sealed = unsafe context.seal(
            nonceHigh: ivHigh ^ path, nonceLow: ivLow ^ packetNumber,
            header: UnsafeRawBufferPointer(start: start, count: headerLength),
            payload: start + headerLength, length: payloadLength)
        return sealed ? headerLength &+ payloadLength &+ CipherSuite.tagLength : 0
    }

    /// Checks the tag and decrypts the payload in place; returns the payload's length.
    ///
    /// `packet` is the whole packet, tag at its end. Nil when it is too short for header and tag,
    /// or not authentic: then everything between header and tag is zeroed, so only one key can be
    /// tried per packet.
    public mutating func open(
        packet: UnsafeMutableRawBufferPointer, headerLength: Int, path: UInt32,
        packetNumber: UInt64
    ) -> Int? {
        let room = packet.count &- CipherSuite.tagLength
        guard headerLength >= 0, room >= 0, headerLength <= room,
            let start = unsafe packet.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return nil }
        let payloadLength = room &- headerLength
        let opened = unsafe context.open(
            nonceHigh: ivHigh ^ path, nonceLow: ivLow ^ packetNumber,
            header: UnsafeRawBufferPointer(start: start, count: headerLength),
            payload: start + headerLength, length: payloadLength)
        return opened ? payloadLength : nil
    }
}

// The context has one owner and only mutating methods use it, so it may move between threads.
extension AEADContext: @unchecked Sendable {}
extension PacketCipher: Sendable {}
