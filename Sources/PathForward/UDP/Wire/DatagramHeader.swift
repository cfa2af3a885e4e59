/// What a message says before the datagram that it carries.
///
/// The number of the flow, a variable-length integer (RFC 9000, section 16); the traffic class, one
/// byte; in ordered flows the datagram's number in its direction, another such integer. In flows to
/// any target a `DatagramHost` follows. docs/protocol.md, "Datagrams".
struct DatagramHeader: Hashable {
    /// Most bytes of a header without a target.
    static let longest = 17
    /// Numbers from here on cannot be written.
    private static let limit: UInt64 = 1 << 62

    var flow: UInt64
    var trafficClass: UInt8
    /// Nil in flows that are not ordered.
    var sequence: UInt64?

    /// Bytes of the header.
    var length: Int {
        DatagramHeader.width(flow) + 1 + (sequence.map { DatagramHeader.width($0) } ?? 0)
    }

    /// Writes the header to the front of memory that has room for it.
    func write(into bytes: UnsafeMutableRawBufferPointer) {
        var offset = DatagramHeader.write(flow, bytes, at: 0)
        bytes[offset] = trafficClass
        offset += 1
        if let sequence { _ = DatagramHeader.write(sequence, bytes, at: offset) }
    }

    /// Reads flow and traffic class, which every message has.
    ///
    /// - Returns: nil if the message is too short; the sequence is not read.
    static func read(
        _ bytes: UnsafeRawBufferPointer
    ) -> (header: DatagramHeader, length: Int)? {
        guard let (flow, length) = number(bytes), length < bytes.count else { return nil }
        return (DatagramHeader(flow: flow, trafficClass: bytes[length]), length + 1)
    }

    /// Reads a variable-length integer.
    static func number(_ bytes: UnsafeRawBufferPointer) -> (value: UInt64, length: Int)? {
        guard let first = bytes.first else { return nil }
        let length = 1 << Int(first >> 6)
        guard bytes.count >= length else { return nil }
        let value = bytes[1..<length].reduce(UInt64(first & 0x3f)) { $0 << 8 | UInt64($1) }
        return (value, length)
    }

    private static func width(_ value: UInt64) -> Int {
        value < 1 << 6 ? 1 : value < 1 << 14 ? 2 : value < 1 << 30 ? 4 : 8
    }

    /// Writes a variable-length integer; returns the offset after it.
    private static func write(
        _ value: UInt64, _ bytes: UnsafeMutableRawBufferPointer, at offset: Int
    ) -> Int {
        let value = min(value, limit - 1)
        let width = width(value)
        for index in 0..<width {
            bytes[offset + index] = UInt8(
                truncatingIfNeeded: value >> UInt64(8 * (width - 1 - index)))
        }
        bytes[offset] |= UInt8(width.trailingZeroBitCount) << 6
        return offset + width
    }
}
