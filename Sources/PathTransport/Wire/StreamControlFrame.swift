/// Writing and reading of control frames of streams.
extension PacketBuilder {
    mutating func control(_ frame: StreamControl) {
        guard room >= PacketBuilder.longestControl, takesFrames else { return }
        switch frame {
        case .maxData(let limit): numbers(FrameKind.maxData, limit)
        case .maxStreamData(let stream, let limit):
            numbers(FrameKind.maxStreamData, stream.rawValue, limit)
        case .maxStreams(let limit, let isUnidirectional):
            numbers(
                isUnidirectional ? FrameKind.maxStreamsUnidirectional : FrameKind.maxStreams,
                limit)
        case .reset(let stream, let reset):
            numbers(FrameKind.resetStream, stream.rawValue, reset.code, reset.finalSize)
        case .stopSending(let stream, let code):
            numbers(FrameKind.stopSending, stream.rawValue, code)
        case .dataBlocked(let limit): numbers(FrameKind.dataBlocked, limit)
        case .streamDataBlocked(let stream, let limit):
            numbers(FrameKind.streamDataBlocked, stream.rawValue, limit)
        case .streamsBlocked(let limit, let isUnidirectional):
            numbers(
                isUnidirectional
                    ? FrameKind.streamsBlockedUnidirectional : FrameKind.streamsBlocked, limit)
        }
        remember(.control(frame))
    }

    /// Bytes that the longest control frame takes.
    static let longestControl = 1 + 3 * 8

    private mutating func numbers(
        _ kind: UInt8, _ first: UInt64, _ second: UInt64? = nil, _ third: UInt64? = nil
    ) {
        writer.byte(kind)
        writer.varint(first)
        if let second { writer.varint(second) }
        if let third { writer.varint(third) }
    }
}

extension FrameReader {
    mutating func control(_ kind: UInt8) throws(FrameError) -> StreamControl {
        let first = try varint(kind)
        switch kind {
        case FrameKind.maxData: return .maxData(first)
        case FrameKind.maxStreams: return .maxStreams(first, isUnidirectional: false)
        case FrameKind.maxStreamsUnidirectional:
            return .maxStreams(first, isUnidirectional: true)
        case FrameKind.dataBlocked: return .dataBlocked(first)
        case FrameKind.streamsBlocked: return .streamsBlocked(first, isUnidirectional: false)
        case FrameKind.streamsBlockedUnidirectional:
            return .streamsBlocked(first, isUnidirectional: true)
        default: break
        }
        let stream = StreamID(rawValue: first)
        let second = try varint(kind)
        switch kind {
        case FrameKind.maxStreamData: return .maxStreamData(stream, second)
        case FrameKind.streamDataBlocked: return .streamDataBlocked(stream, second)
        case FrameKind.stopSending: return .stopSending(stream, code: second)
        default:
            return .reset(stream, StreamReset(code: second, finalSize: try varint(kind)))
        }
    }
}
