/// A first message of a handshake that every server refuses, to see whether one answers, and what it
/// sees of the message.
///
/// Its authenticator is random, so no server key fits. Where an initiation has its Noise message it
/// has a mark, by which a server that knows it answers with a `ServerReport`; an older one refuses
/// the message.
public struct ServerQuestion: Sendable {
    /// Bytes of the datagram.
    public static let length = InitiationPacket.length
    /// What stands behind the length of the Noise message, which is zero.
    private static let mark: StaticString = "pathwise question"
    private static let prefix = InitiationPacket.headerLength + mark.utf8CodeUnitCount

    /// The datagram.
    public let bytes: [UInt8]
    private let sender: UInt32

    public init() {
        var generator = SystemRandomNumberGenerator()
        sender = generator.next()
        var bytes: [UInt8] = [HandshakeKind.initiation, InitiationPacket.version, 0, 1]
        bytes += bigEndian(sender) + [0, 0]
        ServerQuestion.mark.withUTF8Buffer { bytes += $0 }
        bytes += [UInt8](repeating: 0, count: InitiationPacket.length - bytes.count)
        for index in 0..<InitiationPacket.authenticatorLength {
            bytes[InitiationPacket.authenticatorOffset + index] = generator.next()
        }
        self.bytes = bytes
    }

    /// Whether an initiation, by its length and first byte, is such a question.
    static func isOne(_ initiation: UnsafeRawBufferPointer) -> Bool {
        guard initiation.count == length, initiation[8] == 0, initiation[9] == 0 else {
            return false
        }
        return mark.withUTF8Buffer { mark in
            initiation[InitiationPacket.headerLength..<prefix].elementsEqual(mark)
        }
    }

    /// Whether a datagram is a server's answer to this one: it reports or refuses it, or asks for a
    /// cookie.
    public func isAnswer(_ datagram: UnsafeRawBufferPointer) -> Bool {
        if let refusal = RefusalPacket.parse(datagram) { return refusal.receiver == sender }
        if report(in: datagram) != nil { return true }
        return RetryPacket.parse(datagram)?.receiver == sender
    }

    /// What the server saw of this question; nil if the datagram is another answer, or none.
    public func report(in datagram: UnsafeRawBufferPointer) -> ServerReport? {
        guard let (receiver, report) = ServerReport.parse(datagram, question: bytes),
            receiver == sender
        else { return nil }
        return report
    }
}

/// What a server saw of a question: where it came from, and its mark of congestion.
///
/// The address is masked by random bytes of the question, as translators on the way replace
/// addresses that they find in datagrams (STUN, RFC 8489, section 14.2).
public struct ServerReport: Hashable, Sendable {
    static let length = 26
    /// The mark if the server's system does not tell it.
    private static let unknownMark: UInt8 = 255

    /// The address that the question came from, as the server saw it.
    public var source: SocketAddress
    /// The two bits of ECN of the question (RFC 3168, section 5) when it arrived; nil if the server
    /// does not know them.
    public var mark: UInt8?

    /// The answer to a question.
    ///
    /// - Parameters:
    ///   - question: a datagram for which `ServerQuestion.isOne` holds.
    ///   - source: where it came from.
    ///   - trafficClass: DSCP and ECN with which it arrived; nil if that is not known.
    static func encode(
        answering question: UnsafeRawBufferPointer, from source: SocketAddress,
        trafficClass: UInt8?
    ) -> [UInt8] {
        let mask = InitiationPacket.authenticatorOffset
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            buffer[0] = HandshakeKind.report
            buffer[1] = source.family.rawValue
            buffer[2] = trafficClass.map { $0 & 3 } ?? unknownMark
            buffer[3] = 0
            for index in 0..<4 { buffer[4 + index] = question[4 + index] }
            let address = source.addressBytes
            for index in 0..<16 { buffer[8 + index] = address[index] ^ question[mask + index] }
            buffer[24] = UInt8(truncatingIfNeeded: source.port >> 8) ^ question[mask]
            buffer[25] = UInt8(truncatingIfNeeded: source.port) ^ question[mask + 1]
            count = length
        }
    }

    /// Reads an answer; nil if it is none, or not well-formed.
    static func parse(
        _ bytes: UnsafeRawBufferPointer, question: [UInt8]
    ) -> (receiver: UInt32, report: ServerReport)? {
        guard bytes.count == length, bytes[0] == HandshakeKind.report,
            let family = SocketAddress.Family(rawValue: bytes[1]),
            bytes[2] < 4 || bytes[2] == unknownMark
        else { return nil }
        let mask = question[InitiationPacket.authenticatorOffset...].prefix(16).map { $0 }
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { sum, index in
                sum << 8 | UInt64(bytes[8 + offset + index] ^ mask[(offset + index) % 16])
            }
        }
        let port = UInt16(truncatingIfNeeded: number(16, 2))
        let source: SocketAddress =
            switch family {
            case .ipv4: SocketAddress(ipv4: UInt32(truncatingIfNeeded: number(0, 4)), port: port)
            case .ipv6: SocketAddress(ipv6High: number(0, 8), low: number(8, 8), port: port)
            }
        let receiver = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        return (
            receiver, ServerReport(source: source, mark: bytes[2] < 4 ? bytes[2] : nil)
        )
    }
}
