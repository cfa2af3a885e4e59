/// A piece of a stream that one packet carries.
struct StreamChunk: Hashable, Sendable {
    /// Offset of the first byte in the stream.
    var offset: UInt64
    /// Length in bytes; zero only for a chunk that carries just the end of the stream.
    var length: Int
    /// Whether the stream ends with this chunk.
    var isFinal: Bool
    /// Whether some of it was sent before.
    var isRetransmission = false

    /// Offset just after the last byte.
    var end: UInt64 { offset &+ UInt64(length) }
    var range: Range<UInt64> { Range(uncheckedBounds: (offset, end)) }

    /// Highest offset that a stream can have; RFC 9000, section 4.5.
    static let maximumOffset: UInt64 = 1 << 62 - 1
}

/// The abrupt end of a stream: the application's error code and the final size.
struct StreamReset: Hashable, Sendable {
    var code: UInt64
    var finalSize: UInt64
}
