import PathTelemetry

/// Why a packet's payload was refused; the connection is closed for this reason.
enum FrameError: Error, Equatable {
    case truncated(kind: UInt8)
    case unknownKind(UInt8)
    case outOfRange(kind: UInt8)
}

/// Reads the frames of a decrypted packet one after the other.
struct FrameReader: ~Copyable {
    private var reader: ByteReader
    /// The latest acknowledgement, after `next` has returned one.
    private(set) var ack = AckFrame(path: PathID(0), delay: .zero)

    init(_ payload: UnsafeRawBufferPointer) { reader = ByteReader(payload) }

    /// Whether the frames before the first malformed one include the end of the connection.
    static func containsClose(_ payload: UnsafeRawBufferPointer) -> Bool {
        var frames = FrameReader(payload)
        while let frame = try? frames.next() {
            if case .close = frame { return true }
        }
        return false
    }

    /// The next frame, nil at the end of the payload.
    mutating func next() throws(FrameError) -> Frame? {
        guard let kind = reader.byte() else { return nil }
        switch kind {
        case FrameKind.padding:
            while reader.peek() == FrameKind.padding { reader.skip(1) }
            return .padding
        case FrameKind.ping:
            return .ping
        case FrameKind.ack:
            try ack.read(&reader)
            return .ack
        case FrameKind.stream...FrameKind.stream + 3:
            return .stream(try stream(kind))
        case FrameKind.message:
            return .message(try message())
        case FrameKind.maxData, FrameKind.maxStreamData, FrameKind.maxStreams,
            FrameKind.maxStreamsUnidirectional, FrameKind.resetStream, FrameKind.stopSending,
            FrameKind.dataBlocked, FrameKind.streamDataBlocked, FrameKind.streamsBlocked,
            FrameKind.streamsBlockedUnidirectional:
            return .control(try control(kind))
        case FrameKind.pathChallenge:
            return .pathChallenge(try token(kind))
        case FrameKind.pathResponse:
            return .pathResponse(try token(kind))
        case FrameKind.close:
            let code = try varint(kind)
            let length = try varint(kind)
            guard length <= 256 else { throw .outOfRange(kind: kind) }
            return .close(code: code, reason: try bytes(Int(length), kind))
        default:
            return .path(try PathFrame(kind, &self))
        }
    }

    mutating func byte(_ kind: UInt8) throws(FrameError) -> UInt8 {
        guard let value = reader.byte() else { throw .truncated(kind: kind) }
        return value
    }

    mutating func varint(_ kind: UInt8) throws(FrameError) -> UInt64 {
        guard let value = reader.varint() else { throw .truncated(kind: kind) }
        return value
    }

    private mutating func token(_ kind: UInt8) throws(FrameError) -> UInt64 {
        guard let value = reader.uint64() else { throw .truncated(kind: kind) }
        return value
    }

    mutating func bytes(
        _ count: Int, _ kind: UInt8
    ) throws(FrameError) -> UnsafeRawBufferPointer {
        guard let bytes = reader.bytes(count) else { throw .truncated(kind: kind) }
        return bytes
    }

    private mutating func stream(_ kind: UInt8) throws(FrameError) -> StreamData {
        let number = StreamID(rawValue: try varint(kind))
        let offset = try varint(kind)
        let length = kind & 2 != 0 ? try varint(kind) : UInt64(reader.remaining)
        guard length <= UInt64(reader.remaining) else { throw .truncated(kind: kind) }
        return StreamData(
            stream: number, offset: offset, data: try bytes(Int(length), kind),
            isFinal: kind & 1 != 0)
    }

    private mutating func message() throws(FrameError) -> MessageData {
        let kind = FrameKind.message
        let number = try varint(kind)
        let total = try varint(kind)
        let offset = try varint(kind)
        let lifetime = try varint(kind)
        let length = try varint(kind)
        guard total <= UInt64(Int32.max), offset <= total, length <= total - offset,
            lifetime <= 3_600_000_000
        else { throw .outOfRange(kind: kind) }
        return MessageData(
            number: number, offset: Int(offset), total: Int(total),
            lifetime: lifetime == 0 ? .infinite : .microseconds(Int64(lifetime) - 1),
            data: try bytes(Int(length), kind))
    }
}
