/// A first message of a handshake that every server refuses, to see whether one answers.
///
/// Its authenticator is random, so no server key fits.
public struct ServerQuestion: Sendable {
    /// Bytes of the datagram.
    public static let length = InitiationPacket.length

    /// The datagram.
    public let bytes: [UInt8]
    private let sender: UInt32

    public init() {
        var generator = SystemRandomNumberGenerator()
        sender = generator.next()
        var bytes: [UInt8] = [HandshakeKind.initiation, InitiationPacket.version, 0, 1]
        bytes += bigEndian(sender)
        bytes += [UInt8](repeating: 0, count: InitiationPacket.length - bytes.count)
        for index in 0..<InitiationPacket.authenticatorLength {
            bytes[InitiationPacket.authenticatorOffset + index] = generator.next()
        }
        self.bytes = bytes
    }

    /// Whether a datagram is a server's answer to this one: it refuses it, or asks for a cookie.
    public func isAnswer(_ datagram: UnsafeRawBufferPointer) -> Bool {
        if let refusal = RefusalPacket.parse(datagram) { return refusal.receiver == sender }
        return RetryPacket.parse(datagram)?.receiver == sender
    }
}
