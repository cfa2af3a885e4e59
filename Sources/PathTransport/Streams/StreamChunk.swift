/// A piece of a stream that one packet carries.
struct StreamChunk: Hashable, Sendable {
    /// Offset of the first byte in the stream.
    var offset: UInt64
    /// Bytes; zero only for a chunk that carries the end of the stream alone.
    var length: Int
    /// The stream ends with this chunk.
    var isFinal: Bool
    /// Some of it was sent before.
    var isRetransmission = false

    /// Offset just after the last byte.
    var end: UInt64 { offset &+ UInt64(length) }
    var range: Range<UInt64> { Range(uncheckedBounds: (offset, end)) }

    /// Highest offset that a stream can have; RFC 9000, section 4.5.
    static let maximumOffset: UInt64 = 1 << 62 - 1
}

/// The abrupt end of a stream: error code of the application, and the bytes sent before it.
struct StreamReset: Hashable, Sendable {
    var code: UInt64
    var finalSize: UInt64
}
