import PathTelemetry

/// The packet ciphers of both directions, and their change while packets fly, after RFC 9001,
/// section 6.
///
/// Two bits of the header name the key's generation, not one: with several paths, packets of the
/// old and the new key arrive in any order, and all must be told apart.
struct PacketProtection: ~Copyable {
    /// Packets under one key at the most, over all paths: far below the limits of AES-GCM for
    /// 2^16-byte packets (RFC 9001, section 6.6 and appendix B).
    static let packetLimit: UInt64 = 1 << 22
    /// A key is changed after this time even on a quiet connection, as WireGuard does.
    static let keyLifetime = TimeDelta.seconds(120)
    /// Failed openings after which the connection is closed (RFC 9001, section 6.6).
    static let forgeryLimit: UInt64 = 1 << 36

    private(set) var sendKeys: DirectionKeys
    private var sendCipher: PacketCipher
    private var receiveCipher: PacketCipher
    private(set) var nextReceiveKeys: DirectionKeys
    private var nextReceiveCipher: PacketCipher
    /// Late packets of the generation before; kept until the next change.
    private var previousReceiveCipher: PacketCipher?

    private var receiveGeneration = 0
    private var sentUnderKey: UInt64 = 0
    private var keySince: Instant
    /// When the generation last changed, by whichever side: packets of the one before are opened
    /// until the next change.
    private(set) var advancedAt = Instant.zero
    /// The peer has sealed with the present generation: only then may the next change start.
    private var isConfirmed = true
    private(set) var forgeries: UInt64 = 0
    /// Generation of the keys that seal; changes so far.
    private(set) var generation = 0

    /// What goes into the header of the next packet.
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

    /// The key has done enough, and the peer follows.
    func wantsChange(now: Instant) -> Bool {
        isConfirmed
            && (sentUnderKey >= PacketProtection.packetLimit
                || now - keySince >= PacketProtection.keyLifetime)
    }

    /// Starts sealing under the next key; the peer follows when it opens the first such packet.
    ///
    /// False, and nothing happens, while the peer has not followed the change before: it could not
    /// tell what is two generations ahead.
    mutating func changeKeys(now: Instant) throws(CryptoError) -> Bool {
        guard isConfirmed else { return false }
        try advanceSending(now: now)
        try advanceReceiving(now: now)
        isConfirmed = false
        return true
    }

    /// So much was forged that the key's integrity is no longer certain (RFC 9001, section 6.6).
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
        // The present cipher becomes the previous one, the next becomes the present.
        var moved = followingCipher
        swap(&moved, &nextReceiveCipher)
        swap(&moved, &receiveCipher)
        previousReceiveCipher = consume moved
        receiveGeneration += 1
        advancedAt = now
    }

    /// Seals in place; `packet` holds header, payload and room for the tag.
    ///
    /// The sealed length.
    mutating func seal(
        packet: UnsafeMutableRawBufferPointer, payloadLength: Int, path: PathID, number: UInt64
    ) -> Int {
        sentUnderKey &+= 1
        return sendCipher.seal(
            packet: packet, headerLength: DataHeader.length, payloadLength: payloadLength,
            path: UInt32(path.rawValue), packetNumber: number)
    }

    /// Opens in place; the payload's length, or nil for a forged or damaged packet.
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
                // The peer changed its keys: follow.
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
