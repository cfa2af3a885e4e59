import PathTelemetry

/// Datagrams before there are keys.
///
/// docs/protocol.md, section 2.
enum HandshakeKind {
    static let initiation: UInt8 = 0x01
    static let response: UInt8 = 0x02
    static let retry: UInt8 = 0x03
    static let refusal: UInt8 = 0x04
    static let stale: UInt8 = 0x05
}

/// Why a server refuses.
///
/// A hint only: the datagram is not authenticated, so a client goes on trying for a while before it
/// believes it.
public enum RefusalReason: UInt8, Sendable {
    /// The initiation was made for another server key.
    case wrongServerKey = 1
    /// The client's key is not allowed.
    case unknownClient = 2
    /// Another protocol version.
    case version = 3
    /// The server has all the connections, or all the handshakes, that it takes at this time.
    ///
    /// A client waits and tries again.
    case busy = 4
    /// A cipher suite that the server does not take.
    case cipherSuite = 5
    /// The pre-shared key is not the one that the server has for this client.
    case presharedKey = 6
}

/// The first datagram of a client, padded so that the answer is never larger than three times it.
struct InitiationPacket {
    static let version: UInt8 = 2
    /// RFC 9000, section 14.1: the first datagram proves a path MTU of 1200.
    static let length = 1200
    static let headerLength = 10
    static let authenticatorLength = 16
    static let cookieLength = 16
    /// Where the first authenticator (over all before it) starts, and the cookie after it.
    static let authenticatorOffset = length - authenticatorLength - cookieLength
    static let cookieOffset = length - cookieLength

    var path: PathID
    var suite: UInt8
    /// Index that the server puts into its packets to this client.
    var sender: UInt32
    var noise: UnsafeRawBufferPointer

    /// Nil when the datagram is none, or its lengths do not fit.
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

/// A server under load asks the client to prove its address by sending the cookie back.
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

/// A server that will not take the client says why.
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

/// A server says that a first message is not newer than those it took of that client.
///
/// Its authenticator is made with keys that only the two have after that message, so nobody else can
/// move a client's stamps. The server keeps nothing for it.
struct StalePacket {
    static let length = 32
    /// What the authenticator covers: all before it.
    static let authenticatorOffset = length - authenticatorLength
    static let authenticatorLength = 16
    static let label = "pathwise stale"

    var receiver: UInt32
    /// The newest stamp that the server took.
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

/// The bytes of a number, the highest first.
func bigEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}
