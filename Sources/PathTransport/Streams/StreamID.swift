/// The number of a stream; its two low bits tell who opened it and in which directions it sends.
///
/// Source: RFC 9000, section 2.1. Bit 0: opened by the server; bit 1: unidirectional.
public struct StreamID: RawRepresentable, Hashable, Comparable, Sendable {
    /// How many streams of one kind a connection can ever have: 2^60.
    public static let limit: UInt64 = 1 << 60

    public var rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Makes the number of the stream with this index among those of its kind.
    public init(index: UInt64, isServerInitiated: Bool, isUnidirectional: Bool) {
        rawValue = index &<< 2 | (isUnidirectional ? 2 : 0) | (isServerInitiated ? 1 : 0)
    }

    var isServerInitiated: Bool { rawValue & 1 != 0 }
    var isUnidirectional: Bool { rawValue & 2 != 0 }
    /// The index among the streams of the same kind, from zero.
    public var index: UInt64 { rawValue &>> 2 }

    public static func < (left: StreamID, right: StreamID) -> Bool {
        left.rawValue < right.rawValue
    }
}
