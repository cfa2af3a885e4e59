/// Reads a datagram from front to back; every read is bounds-checked and returns nil at the end.
///
/// The memory belongs to the caller and must outlive the reader.
struct ByteReader {
    private let base: UnsafeRawPointer
    private(set) var offset = 0
    let end: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        end = bytes.baseAddress == nil ? 0 : bytes.count
    }

    var remaining: Int { end - offset }
    var isAtEnd: Bool { offset == end }

    mutating func byte() -> UInt8? {
        guard offset < end else { return nil }
        defer { offset += 1 }
        return base.load(fromByteOffset: offset, as: UInt8.self)
    }

    /// The next byte, without consuming it.
    func peek() -> UInt8? {
        offset < end ? base.load(fromByteOffset: offset, as: UInt8.self) : nil
    }

    mutating func skip(_ count: Int) { offset = min(end, offset + max(0, count)) }

    mutating func uint16() -> UInt16? {
        guard remaining >= 2 else { return nil }
        defer { offset += 2 }
        return UInt16(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    mutating func uint32() -> UInt32? {
        guard remaining >= 4 else { return nil }
        defer { offset += 4 }
        return UInt32(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    mutating func uint64() -> UInt64? {
        guard remaining >= 8 else { return nil }
        defer { offset += 8 }
        return UInt64(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// A variable-length integer, RFC 9000 section 16.
    mutating func varint() -> UInt64? {
        guard let first = peek() else { return nil }
        let length = 1 << Int(first >> 6)
        guard remaining >= length else { return nil }
        var value = UInt64(first & 0x3f)
        for index in 1..<max(length, 1) {
            value = value &<< 8 | UInt64(base.load(fromByteOffset: offset + index, as: UInt8.self))
        }
        offset += length
        return value
    }

    /// The next `count` bytes, in place.
    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, remaining >= count else { return nil }
        defer { offset += count }
        return UnsafeRawBufferPointer(start: base + offset, count: count)
    }
}
