import PathTelemetry

/// One data packet under construction: header and frames are written into the caller's memory, and
/// a `SentPacket` remembers the frames.
struct PacketBuilder {
    let base: UnsafeMutableRawBufferPointer
    let number: UInt64
    var writer: ByteWriter
    var sent: SentPacket

    /// - Parameters:
    ///   - region: memory for the whole datagram.
    ///   - limit: the most bytes of the datagram.
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
    /// Whether another frame that has to be remembered fits.
    var takesFrames: Bool { sent.hasFrameRoom }

    /// Length of the datagram if it is sealed now, bytes.
    var datagramLength: Int { writer.offset + CipherSuite.tagLength }

    mutating func ping() {
        guard room >= 1 else { return }
        writer.byte(FrameKind.ping)
        sent.isAckEliciting = true
    }

    /// Fills the datagram up to `length` bytes.
    mutating func pad(to length: Int) { writer.zeros(min(room, length - datagramLength)) }

    /// Up to this many bytes of room are padded rather than left over.
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

    mutating func close(_ notice: CloseNotice) {
        let text = Array(notice.text.utf8.prefix(200))
        guard room >= 12 + text.count else { return }
        writer.byte(FrameKind.close)
        writer.varint(notice.code)
        writer.varint(UInt64(text.count))
        writer.bytes(text)
    }

    mutating func remember(_ frame: SentFrame) {
        sent.add(frame)
        sent.isAckEliciting = true
    }

    /// As `remember`, for a frame that does not elicit an acknowledgement.
    mutating func rememberAck(_ path: PathID, largest: UInt64) {
        sent.add(.ack(path: path, largest: largest))
    }
}
