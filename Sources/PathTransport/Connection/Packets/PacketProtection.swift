import PathTelemetry

/// The packet ciphers of both directions, and the key update while packets are in flight, after RFC
/// 9001, section 6.
///
/// Two bits of the header, not one, name the key's generation: over several paths, packets of the
/// previous, present and next keys arrive in any order and must be told apart.
struct PacketProtection: ~Copyable {
    /// The most packets under one key, over all paths; far below the limits of AES-GCM for
    /// 2^16-byte packets (RFC 9001, section 6.6 and appendix B).
    static let packetLimit: UInt64 = 1 << 22
    /// A key is replaced after this time even on a quiet connection, as in WireGuard.
    static let keyLifetime = TimeDelta.seconds(120)
    /// Failed decryptions after which the connection is closed (RFC 9001, section 6.6).
    static let forgeryLimit: UInt64 = 1 << 36

    private(set) var sendKeys: DirectionKeys
    private var sendCipher: PacketCipher
    private var receiveCipher: PacketCipher
    private(set) var nextReceiveKeys: DirectionKeys
    private var nextReceiveCipher: PacketCipher
    /// Decrypts late packets of the previous generation; kept until the next change.
    private var previousReceiveCipher: PacketCipher?

    private var receiveGeneration = 0
    private var sentUnderKey: UInt64 = 0
    private var keySince: Instant
    /// When either side last changed the generation; packets of the previous one are accepted until
    /// the next change.
    private(set) var advancedAt = Instant.zero
    /// Whether the peer has used the present generation; only then may the next change start.
    private var isConfirmed = true
    private(set) var forgeries: UInt64 = 0
    /// Generation of the sending keys, which counts their changes.
    private(set) var generation = 0

    /// The generation bits for the header of the next packet.
    var phase: UInt8 { UInt8(truncatingIfNeeded: generation) & DataHeader.phaseMask }

    init(
        suite: CipherSuite, sending: TrafficSecret, receiving: TrafficSecret, now: Instant
    ) throws(CryptoError) {
        // Everything that can fail comes before the first stored property.
        let sendKeys = try DirectionKeys(suite: suite, secret: sending)
        let sendCipher = try PacketCipher(sendKeys)
        let receiveKeys = try DirectionKeys(suite: suite, secret: receiving)
        let receiveCipher = try PacketCipher(receiveKeys)
        let nextKeys = try receiveKeys.next()
        let nextCipher = try PacketCipher(nextKeys)
        self.sendKeys = sendKeys
        self.sendCipher = sendCipher
        self.receiveCipher = receiveCipher
        nextReceiveKeys = nextKeys
        nextReceiveCipher = nextCipher
        keySince = now
    }

    /// Whether the key is worn out and the peer has followed the previous change.
    func wantsChange(now: Instant) -> Bool {
        isConfirmed
            && (sentUnderKey >= PacketProtection.packetLimit
                || now - keySince >= PacketProtection.keyLifetime)
    }

    /// Starts to encrypt with the next key; the peer follows when it opens the first such packet.
    ///
    /// Returns false and does nothing while the peer has not followed the previous change, since it
    /// could not decrypt packets two generations ahead.
    mutating func changeKeys(now: Instant) throws(CryptoError) -> Bool {
        guard isConfirmed else { return false }
        try advanceSending(now: now)
        try advanceReceiving(now: now)
        isConfirmed = false
        return true
    }

    /// Whether so many packets were forged that the key's integrity is no longer certain (RFC 9001,
    /// section 6.6).
    var isWornByForgeries: Bool { forgeries >= PacketProtection.forgeryLimit }

    private mutating func advanceSending(now: Instant) throws(CryptoError) {
        sendKeys = try sendKeys.next()
        sendCipher = try PacketCipher(sendKeys)
        sentUnderKey = 0
        keySince = now
        generation += 1
    }

    private mutating func advanceReceiving(now: Instant) throws(CryptoError) {
        let following = try nextReceiveKeys.next()
        let followingCipher = try PacketCipher(following)
        nextReceiveKeys = following
        // The present cipher becomes the previous one, and the next becomes the present one.
        var moved = followingCipher
        swap(&moved, &nextReceiveCipher)
        swap(&moved, &receiveCipher)
        previousReceiveCipher = consume moved
        receiveGeneration += 1
        advancedAt = now
    }

    /// Encrypts in place; `packet` holds header, payload and room for the tag.
    ///
    /// Returns the length of the sealed packet.
    mutating func seal(
        packet: UnsafeMutableRawBufferPointer, payloadLength: Int, path: PathID, number: UInt64
    ) -> Int {
        sentUnderKey &+= 1
        return sendCipher.seal(
            packet: packet, headerLength: DataHeader.length, payloadLength: payloadLength,
            path: UInt32(path.rawValue), packetNumber: number)
    }

    /// Decrypts in place; returns the payload's length, or nil for a forged or damaged packet.
    mutating func open(
        packet: UnsafeMutableRawBufferPointer, header: DataHeader, now: Instant
    ) throws(CryptoError) -> Int? {
        let path = UInt32(header.path.rawValue)
        let number = header.packetNumber
        var length: Int?
        switch (header.phase &- UInt8(truncatingIfNeeded: receiveGeneration)) & DataHeader.phaseMask
        {
        case 0:
            length = receiveCipher.open(
                packet: packet, headerLength: DataHeader.length, path: path, packetNumber: number)
            if length != nil { isConfirmed = true }
        case 1:
            length = nextReceiveCipher.open(
                packet: packet, headerLength: DataHeader.length, path: path, packetNumber: number)
            if length != nil {
                // The peer changed its keys, so this side follows.
                try advanceReceiving(now: now)
                if generation < receiveGeneration { try advanceSending(now: now) }
                isConfirmed = true
            }
        case DataHeader.phaseMask:
            length = previousReceiveCipher?.open(
                packet: packet, headerLength: DataHeader.length, path: path, packetNumber: number)
        default: break
        }
        if length == nil { forgeries &+= 1 }
        return length
    }
}
