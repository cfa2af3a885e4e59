/// A frame about streams that carries no stream data; RFC 9000, sections 19.4, 19.5, 19.9-19.14.
enum StreamControl: Hashable, Sendable {
    case maxData(UInt64)
    case maxStreamData(StreamID, UInt64)
    case maxStreams(UInt64, isUnidirectional: Bool)
    case reset(StreamID, StreamReset)
    case stopSending(StreamID, code: UInt64)
    case dataBlocked(UInt64)
    case streamDataBlocked(StreamID, UInt64)
    case streamsBlocked(UInt64, isUnidirectional: Bool)
}

/// Events about streams for the application.
enum StreamEvent: Hashable, Sendable {
    /// There are bytes to read, or the end of the stream was reached.
    case readable(StreamID)
    /// A write that was cut short can continue.
    case writable(StreamID)
    /// The peer has all bytes and the end of the stream.
    case delivered(StreamID)
    /// The peer abandoned its sending half.
    case reset(StreamID, code: UInt64)
    /// The peer asked this side to stop sending; the sending half was reset.
    case stopped(StreamID, code: UInt64)
}

/// A piece of a stream, with the number of the stream.
struct StreamFrame: Hashable, Sendable {
    var id: StreamID
    var chunk: StreamChunk
}

/// Limits and sizes of this side.
struct StreamConfiguration: Sendable {
    /// Bytes held for sending, per stream.
    var sendCapacity = 8 << 20
    /// Initial and largest advertised window per stream, bytes.
    var streamWindow: UInt64 = 1 << 20
    var maximumStreamWindow: UInt64 = 16 << 20
    /// What the window of a new stream is made at once while little lies unread; zero leaves it.
    var firstStreamWindow: UInt64 = 0
    /// Initial and largest advertised window of all streams together, bytes.
    var connectionWindow: UInt64 = 2 << 20
    var maximumConnectionWindow: UInt64 = 32 << 20
    /// Streams that the peer may have open at once, of each kind.
    var maximumBidirectional: UInt64 = 128
    var maximumUnidirectional: UInt64 = 128
}

/// What the peer advertised when the connection began.
struct PeerStreamLimits: Hashable, Sendable {
    var maxData: UInt64
    var maxStreamData: UInt64
    var maxBidirectional: UInt64
    var maxUnidirectional: UInt64
}
