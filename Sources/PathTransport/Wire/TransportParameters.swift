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
    }

    func encoded() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 128) { buffer, count in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(buffer))
            let pairs: InlineArray<8, (UInt64, UInt64)> = [
                (Number.maximumData, maximumData),
                (Number.maximumStreamData, maximumStreamData),
                (Number.maximumStreams, maximumStreams),
                (Number.idleTimeout, UInt64(max(0, idleTimeout.microseconds))),
                (Number.maximumAckDelay, UInt64(max(0, maximumAckDelay.microseconds))),
                (Number.maximumDatagram, UInt64(max(0, maximumDatagram))),
                (Number.maximumMessage, UInt64(max(0, maximumMessage))),
                (Number.maximumPathName, UInt64(max(0, maximumPathName))),
            ]
            for index in pairs.indices {
                writer.varint(pairs[index].0)
                writer.varint(pairs[index].1)
            }
            count = writer.offset
        }
    }

    /// Nil when a value is outside what any version allows.
    init?(_ bytes: UnsafeRawBufferPointer) {
        self.init()
        // A peer that omits the parameter does not support names.
        maximumPathName = 0
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
            default: break
            }
        }
    }
}
