import PathTelemetry

/// The frames of a data packet's payload.
///
/// docs/protocol.md, section 4.
enum FrameKind {
    static let padding: UInt8 = 0x00
    static let ping: UInt8 = 0x01
    static let ack: UInt8 = 0x02
    static let maxData: UInt8 = 0x04
    static let maxStreamData: UInt8 = 0x05
    static let maxStreams: UInt8 = 0x06
    static let resetStream: UInt8 = 0x07
    /// Types 0x08 to 0x0b: bit 0 is FIN, bit 1 says that a length follows.
    static let stream: UInt8 = 0x08
    static let stopSending: UInt8 = 0x0c
    static let maxStreamsUnidirectional: UInt8 = 0x0d
    static let dataBlocked: UInt8 = 0x0e
    static let streamDataBlocked: UInt8 = 0x0f
    static let pathChallenge: UInt8 = 0x10
    static let pathResponse: UInt8 = 0x11
    // Frames about paths have the types of `PathFrame.Kind`.
    static let streamsBlocked: UInt8 = 0x16
    static let streamsBlockedUnidirectional: UInt8 = 0x17
    static let message: UInt8 = 0x15
    static let close: UInt8 = 0x18
}

/// A parsed frame.
///
/// Its buffers point into the packet and live as long as it does.
enum Frame {
    case padding
    case ping
    /// An acknowledgement, which is in the reader (`FrameReader.ack`).
    case ack
    case control(StreamControl)
    case stream(StreamData)
    case pathChallenge(UInt64)
    case pathResponse(UInt64)
    case path(PathFrame)
    case message(MessageData)
    case close(code: UInt64, reason: UnsafeRawBufferPointer)

    /// Whether the receiver has to acknowledge the frame (RFC 9002, section 2).
    var isAckEliciting: Bool {
        switch self {
        case .padding, .ack, .close: false
        default: true
        }
    }
}

/// Bytes of a stream at an offset.
struct StreamData {
    var stream: StreamID
    var offset: UInt64
    var data: UnsafeRawBufferPointer
    var isFinal: Bool

    /// Bytes that the header of a piece takes.
    static func headerLength(_ frame: StreamFrame) -> Int {
        headerLength(of: frame.id, at: frame.chunk.offset)
    }
    static func headerLength(of stream: StreamID, at offset: UInt64) -> Int {
        1 + varintLength(stream.rawValue) + varintLength(offset) + 2
    }

    /// Writes the header; the data follows.
    ///
    /// The length is always written, in two bytes.
    static func writeHeader(_ frame: StreamFrame, to writer: inout ByteWriter) {
        writer.byte(FrameKind.stream | 2 | (frame.chunk.isFinal ? 1 : 0))
        writer.varint(frame.id.rawValue)
        writer.varint(frame.chunk.offset)
        writer.uint16(UInt16(truncatingIfNeeded: frame.chunk.length) | 0x4000)
    }
}

/// A fragment of a message.
struct MessageData {
    var number: UInt64
    var offset: Int
    /// Bytes of the whole message.
    var total: Int
    /// Time until the deadline, counted from the packet's departure.
    var lifetime: TimeDelta
    var data: UnsafeRawBufferPointer

    /// Bytes that the longest header takes.
    static let maximumHeaderLength = 1 + 8 + 4 + 4 + 8 + 2

    /// Writes the header; the data follows.
    ///
    /// A lifetime of zero means that the message never expires; all others are written one
    /// microsecond longer.
    static func writeHeader(_ chunk: MessageChunk, now: Instant, to writer: inout ByteWriter) {
        writer.byte(FrameKind.message)
        writer.varint(chunk.number)
        writer.varint(UInt64(max(0, chunk.total)))
        writer.varint(UInt64(max(0, chunk.offset)))
        let lifetime = max(0, min((chunk.deadline - now).microseconds, 3_599_999_999))
        writer.varint(chunk.deadline == .distantFuture ? 0 : UInt64(lifetime) + 1)
        writer.uint16(UInt16(truncatingIfNeeded: chunk.length) | 0x4000)
    }
}
