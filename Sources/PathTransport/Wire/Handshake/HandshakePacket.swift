import PathTelemetry

/// The datagrams that are exchanged without keys.
///
/// docs/protocol.md, section 2.
enum HandshakeKind {
    static let initiation: UInt8 = 0x01
    static let response: UInt8 = 0x02
    static let retry: UInt8 = 0x03
    static let refusal: UInt8 = 0x04
    static let stale: UInt8 = 0x05
    static let reset: UInt8 = 0x06
    static let report: UInt8 = 0x07
}

/// Why a server refuses a client.
///
/// It is only a hint: the datagram is not authenticated, so a client keeps trying for a while
/// before it accepts it.
public enum RefusalReason: UInt8, Sendable {
    /// The initiation was made for another server key.
    case wrongServerKey = 1
    /// The client's key is not allowed.
    case unknownClient = 2
    /// The client uses another protocol version.
    case version = 3
    /// The server has reached its limit of connections or handshakes.
    ///
    /// A client waits and retries.
    case busy = 4
    /// The server does not support the cipher suite.
    case cipherSuite = 5
    /// The pre-shared key differs from the server's key for this client.
    case presharedKey = 6
}

/// The first datagram of a client, padded so that no answer is larger.
struct InitiationPacket {
    static let version: UInt8 = 2
    /// RFC 9000, section 14.1: the first datagram proves a path MTU of 1200.
    static let length = 1200
    static let headerLength = 10
    static let authenticatorLength = 16
    static let cookieLength = 16
    /// Offsets of the authenticator over everything before it, and of the cookie after it.
    static let authenticatorOffset = length - authenticatorLength - cookieLength
    static let cookieOffset = length - cookieLength

    var path: PathID
    var suite: UInt8
    /// Index that the server puts into its packets to this client.
    var sender: UInt32
    var noise: UnsafeRawBufferPointer

    /// Nil when the datagram is not an initiation, or its lengths do not fit.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == InitiationPacket.length else { return nil }
        var reader = ByteReader(
            UnsafeRawBufferPointer(rebasing: bytes[..<InitiationPacket.authenticatorOffset]))
        guard reader.byte() == HandshakeKind.initiation,
            reader.byte() == InitiationPacket.version,
            let path = reader.byte(), path < PathID.limit, let suite = reader.byte(),
            let sender = reader.uint32(), let count = reader.uint16(),
            let noise = reader.bytes(Int(count))
        else { return nil }
        self.path = PathID(rawValue: path)
        self.suite = suite
        self.sender = sender
        self.noise = noise
    }

    /// Writes all but the authenticators; `buffer` holds at least `length` bytes.
    static func write(
        path: PathID, suite: UInt8, sender: UInt32, noise: [UInt8],
        to buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var writer = ByteWriter(
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]))
        writer.byte(HandshakeKind.initiation)
        writer.byte(version)
        writer.byte(path.rawValue)
        writer.byte(suite)
        writer.uint32(sender)
        writer.uint16(UInt16(truncatingIfNeeded: noise.count))
        writer.bytes(noise)
        writer.zeros(max(0, length - writer.offset))
        return !writer.overflowed && headerLength + noise.count <= authenticatorOffset
    }
}

/// The server's answer: its index and the second message of the handshake.
struct ResponsePacket {
    var receiver: UInt32
    var sender: UInt32
    var noise: UnsafeRawBufferPointer

    init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard reader.byte() == HandshakeKind.response, reader.bytes(3) != nil,
            let receiver = reader.uint32(), let sender = reader.uint32(),
            let count = reader.uint16(), let noise = reader.bytes(Int(count)), reader.isAtEnd
        else { return nil }
        self.receiver = receiver
        self.sender = sender
        self.noise = noise
    }

    static func encode(receiver: UInt32, sender: UInt32, noise: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 14 + noise.count) { buffer, count in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(buffer))
            writer.byte(HandshakeKind.response)
            writer.zeros(3)
            writer.uint32(receiver)
            writer.uint32(sender)
            writer.uint16(UInt16(truncatingIfNeeded: noise.count))
            writer.bytes(noise)
            count = writer.offset
        }
    }
}

/// A server under load asks the client to prove its address by returning the cookie.
enum RetryPacket {
    static let length = 24

    static func parse(_ bytes: UnsafeRawBufferPointer) -> (receiver: UInt32, cookie: [UInt8])? {
        var reader = ByteReader(bytes)
        guard bytes.count == length, reader.byte() == HandshakeKind.retry, reader.bytes(3) != nil,
            let receiver = reader.uint32(), let cookie = reader.bytes(16)
        else { return nil }
        return (receiver, Array(cookie))
    }

    static func encode(receiver: UInt32, cookie: [UInt8]) -> [UInt8] {
        [HandshakeKind.retry, 0, 0, 0] + bigEndian(receiver) + cookie
    }
}

/// A server's reason for refusing a client.
enum RefusalPacket {
    static let length = 8

    static func parse(
        _ bytes: UnsafeRawBufferPointer
    ) -> (receiver: UInt32, reason: RefusalReason)? {
        var reader = ByteReader(bytes)
        guard bytes.count == length, reader.byte() == HandshakeKind.refusal,
            let code = reader.byte(), let reason = RefusalReason(rawValue: code),
            reader.bytes(2) != nil, let receiver = reader.uint32()
        else { return nil }
        return (receiver, reason)
    }

    static func encode(receiver: UInt32, reason: RefusalReason) -> [UInt8] {
        [HandshakeKind.refusal, reason.rawValue, 0, 0] + bigEndian(receiver)
    }
}

/// A server's answer to a first message that is not newer than an earlier one of that client.
///
/// Its authenticator needs keys that only the two sides have after that message, so nobody else can
/// advance a client's stamps. The server keeps no state for it.
struct StalePacket {
    static let length = 32
    /// Offset of the authenticator, which covers everything before it.
    static let authenticatorOffset = length - authenticatorLength
    static let authenticatorLength = 16
    static let label = "pathwise stale"

    var receiver: UInt32
    /// The newest stamp that the server accepted.
    var newest: InitiationStamp
    var authenticator: [UInt8]

    init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard bytes.count == StalePacket.length, reader.byte() == HandshakeKind.stale,
            reader.bytes(3) != nil, let receiver = reader.uint32(), let newest = reader.uint64(),
            let authenticator = reader.bytes(StalePacket.authenticatorLength)
        else { return nil }
        self.receiver = receiver
        self.newest = InitiationStamp(nanoseconds: newest)
        self.authenticator = Array(authenticator)
    }

    /// All but the authenticator, which follows.
    static func body(receiver: UInt32, newest: InitiationStamp) -> [UInt8] {
        [HandshakeKind.stale, 0, 0, 0] + bigEndian(receiver) + bigEndian(newest.nanoseconds)
    }
}

/// The bytes of a number, most significant first.
func bigEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}
