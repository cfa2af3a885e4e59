import PathTelemetry

/// The header of a data packet; it is authenticated, not encrypted.
///
/// docs/protocol.md, section 3.
///
/// 1 byte kind and key generation, 1 byte path, 4 bytes receiver index, 6 bytes packet number.
struct DataHeader {
    static let length = 12
    static let kind: UInt8 = 0x40
    /// The two bits of the first byte that carry the key's generation.
    static let phaseMask: UInt8 = 0x03
    /// Packet numbers are sent in full, with 48 bits.
    static let largestPacketNumber: UInt64 = 1 << 48 - 1

    var phase: UInt8
    var path: PathID
    var receiver: UInt32
    var packetNumber: UInt64

    init(phase: UInt8, path: PathID, receiver: UInt32, packetNumber: UInt64) {
        self.phase = phase
        self.path = path
        self.receiver = receiver
        self.packetNumber = packetNumber
    }

    /// Nil when the datagram is not a data packet, or shorter than a header and a tag.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= DataHeader.length + CipherSuite.tagLength else { return nil }
        var reader = ByteReader(bytes)
        guard let first = reader.byte(), first & ~DataHeader.phaseMask == DataHeader.kind,
            let path = reader.byte(), path < PathID.limit,
            let receiver = reader.uint32(), let high = reader.uint16(), let low = reader.uint32()
        else { return nil }
        phase = first & DataHeader.phaseMask
        self.path = PathID(rawValue: path)
        self.receiver = receiver
        packetNumber = UInt64(high) << 32 | UInt64(low)
    }

    func write(to writer: inout ByteWriter) {
        writer.byte(DataHeader.kind | (phase & DataHeader.phaseMask))
        writer.byte(path.rawValue)
        writer.uint32(receiver)
        writer.uint16(UInt16(truncatingIfNeeded: packetNumber >> 32))
        writer.uint32(UInt32(truncatingIfNeeded: packetNumber))
    }
}
