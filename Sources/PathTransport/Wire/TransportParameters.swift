public import PathTelemetry

/// The limits that each side announces inside the handshake's encrypted payloads.
///
/// They are written as (number, value) pairs of variable-length integers; unknown numbers are
/// skipped, so that later versions may add some. docs/protocol.md, section 2.3.
public struct TransportParameters: Equatable, Sendable {
    /// Initial flow-control limit of all streams together, bytes (RFC 9000, 4.1).
    public var maximumData: UInt64 = 16 << 20
    /// Initial flow-control limit of each stream, bytes.
    public var maximumStreamData: UInt64 = 16 << 20
    /// Streams that the peer may open.
    public var maximumStreams: UInt64 = 64
    /// A connection that receives nothing for this long is over.
    public var idleTimeout: TimeDelta = .seconds(10)
    /// Longest delay of an acknowledgement.
    public var maximumAckDelay: TimeDelta = .milliseconds(5)
    /// Largest datagram (UDP payload) that the sender of the parameter accepts.
    public var maximumDatagram: Int = 9000
    /// Largest message that the sender of the parameter accepts, bytes.
    public var maximumMessage: Int = 65_536
    /// Longest name of a path that the sender of the parameter accepts, bytes; zero for none.
    public var maximumPathName: Int = 64
    /// Proves later that the server has forgotten the connection; only a server has one.
    var resetToken: ResetToken?

    public init() {}

    private enum Number {
        static let maximumData: UInt64 = 1
        static let maximumStreamData: UInt64 = 2
        static let maximumStreams: UInt64 = 3
        static let idleTimeout: UInt64 = 4
        static let maximumAckDelay: UInt64 = 5
        static let maximumDatagram: UInt64 = 6
        static let maximumMessage: UInt64 = 7
        static let maximumPathName: UInt64 = 8
        static let resetTokenHigh: UInt64 = 9
        static let resetTokenLow: UInt64 = 10
    }

    /// What a peer means that leaves a number out; part of the protocol, so it never changes.
    private enum Omitted {
        static let maximumData: UInt64 = 16 << 20
        static let maximumStreamData: UInt64 = 16 << 20
        static let maximumStreams: UInt64 = 64
        static let maximumMessage: UInt64 = 65_536
    }

    /// The numbers in `Omitted` are left out if they have that value.
    func encoded() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 128) { buffer, count in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(buffer))
            func write(_ number: UInt64, _ value: UInt64, unless omitted: UInt64? = nil) {
                guard value != omitted else { return }
                writer.varint(number)
                writer.varint(value)
            }
            write(Number.maximumData, maximumData, unless: Omitted.maximumData)
            write(
                Number.maximumStreamData, maximumStreamData, unless: Omitted.maximumStreamData)
            write(Number.maximumStreams, maximumStreams, unless: Omitted.maximumStreams)
            write(Number.idleTimeout, UInt64(max(0, idleTimeout.microseconds)))
            write(Number.maximumAckDelay, UInt64(max(0, maximumAckDelay.microseconds)))
            write(Number.maximumDatagram, UInt64(max(0, maximumDatagram)))
            write(
                Number.maximumMessage, UInt64(max(0, maximumMessage)),
                unless: Omitted.maximumMessage)
            write(Number.maximumPathName, UInt64(max(0, maximumPathName)))
            if let resetToken {
                write(Number.resetTokenHigh, resetToken.high)
                write(Number.resetTokenLow, resetToken.low)
            }
            count = writer.offset
        }
    }

    /// Nil when a value is outside what any version allows.
    init?(_ bytes: UnsafeRawBufferPointer) {
        self.init()
        maximumData = Omitted.maximumData
        maximumStreamData = Omitted.maximumStreamData
        maximumStreams = Omitted.maximumStreams
        maximumMessage = Int(Omitted.maximumMessage)
        // A peer that omits the parameter does not support names.
        maximumPathName = 0
        var token: (high: UInt64, low: UInt64) = (0, 0)
        var reader = ByteReader(bytes)
        while !reader.isAtEnd {
            guard let number = reader.varint(), let value = reader.varint() else { return nil }
            switch number {
            case Number.maximumData: maximumData = value
            case Number.maximumStreamData: maximumStreamData = value
            case Number.maximumStreams:
                guard value <= 1 << 20 else { return nil }
                maximumStreams = value
            case Number.idleTimeout:
                guard value >= 100_000, value <= 3_600_000_000 else { return nil }
                idleTimeout = .microseconds(Int64(value))
            case Number.maximumAckDelay:
                guard value <= 1_000_000 else { return nil }
                maximumAckDelay = .microseconds(Int64(value))
            case Number.maximumDatagram:
                guard value >= 1200, value <= 65_535 else { return nil }
                maximumDatagram = Int(value)
            case Number.maximumMessage:
                guard value <= 1 << 24 else { return nil }
                maximumMessage = Int(value)
            case Number.maximumPathName:
                maximumPathName = Int(clamping: min(value, 255))
            case Number.resetTokenHigh: token.high = value
            case Number.resetTokenLow: token.low = value
            default: break
            }
        }
        resetToken = ResetToken(high: token.high, low: token.low)
    }
}
