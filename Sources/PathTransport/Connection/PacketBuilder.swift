import PathTelemetry

/// One data packet under construction: header and frames go into the caller's memory, and what has
/// to be remembered of it into a `SentPacket`.
struct PacketBuilder {
    let base: UnsafeMutableRawBufferPointer
    let number: UInt64
    var writer: ByteWriter
    var sent: SentPacket

    /// - Parameters:
    ///   - region: memory for the whole datagram.
    ///   - limit: bytes of the datagram at the most.
    init(
        region: UnsafeMutableRawBufferPointer, limit: Int, header: DataHeader, now: Instant
    ) {
        let length = max(
            DataHeader.length, min(limit, region.count) - CipherSuite.tagLength)
        base = UnsafeMutableRawBufferPointer(rebasing: region[..<min(region.count, limit)])
        number = header.packetNumber
        writer = ByteWriter(
            UnsafeMutableRawBufferPointer(rebasing: region[..<min(length, region.count)]))
        sent = SentPacket(sentAt: now, bytes: 0, isAckEliciting: false)
        header.write(to: &writer)
    }

    /// Bytes of payload that still fit.
    var room: Int { writer.room }
    var isEmpty: Bool { writer.offset == DataHeader.length }
    var payloadLength: Int { writer.offset - DataHeader.length }
    /// Another frame that has to be remembered fits.
    var takesFrames: Bool { sent.hasFrameRoom }

    /// Bytes that the datagram has when it is sealed now.
    var datagramLength: Int { writer.offset + CipherSuite.tagLength }

    mutating func ping() {
        guard room >= 1 else { return }
        writer.byte(FrameKind.ping)
        sent.isAckEliciting = true
    }

    /// Fills the datagram up to `length` bytes.
    mutating func pad(to length: Int) { writer.zeros(min(room, length - datagramLength)) }

    /// Room that is filled up rather than left over.
    static let waste = 32

    /// Fills the datagram up to its limit.
    mutating func pad() { writer.zeros(room) }

    mutating func challenge(_ token: UInt64) {
        guard room >= 9 else { return }
        writer.byte(FrameKind.pathChallenge)
        writer.uint64(token)
        sent.isAckEliciting = true
    }

    mutating func response(_ token: UInt64) {
        guard room >= 9 else { return }
        writer.byte(FrameKind.pathResponse)
        writer.uint64(token)
        sent.isAckEliciting = true
    }

    mutating func status(_ status: PathStatus, of path: PathID, sequence: UInt64) {
        guard room >= 11, takesFrames else { return }
        writer.byte(FrameKind.pathStatus)
        writer.byte(path.rawValue)
        writer.varint(sequence)
        writer.byte(status.rawValue)
        remember(.pathStatus(path: path, status))
    }

    /// False when it does not fit.
    mutating func name(_ name: [UInt8], of path: PathID, sequence: UInt64) -> Bool {
        guard room >= 12 + name.count, takesFrames else { return false }
        writer.byte(FrameKind.pathName)
        writer.byte(path.rawValue)
        writer.varint(sequence)
        writer.varint(UInt64(name.count))
        writer.bytes(name)
        remember(.pathName(path))
        return true
    }

    mutating func ackFrequency(packets: Int, delay: TimeDelta) {
        guard room >= 13, takesFrames else { return }
        writer.byte(FrameKind.ackFrequency)
        writer.varint(UInt64(max(1, packets)))
        writer.varint(UInt64(max(0, delay.microseconds)))
        remember(.ackFrequency)
    }

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

    mutating func close(code: UInt64, reason: String) {
        let text = Array(reason.utf8.prefix(200))
        guard room >= 12 + text.count else { return }
        writer.byte(FrameKind.close)
        writer.varint(code)
        writer.varint(UInt64(text.count))
        writer.bytes(text)
    }

    mutating func remember(_ frame: SentFrame) {
        sent.add(frame)
        sent.isAckEliciting = true
    }

    /// As `remember`, for a frame that its receiver does not acknowledge by itself.
    mutating func rememberAck(_ path: PathID, largest: UInt64) {
        sent.add(.ack(path: path, largest: largest))
    }
}
