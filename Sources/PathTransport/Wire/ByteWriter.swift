/// Writes a packet from front to back into memory of the caller.
///
/// The caller checks `room` before it writes; writing past the end is ignored and sets
/// `overflowed`.
struct ByteWriter {
    private let base: UnsafeMutableRawPointer
    private(set) var offset = 0
    let capacity: Int
    private(set) var overflowed = false

    init(_ bytes: UnsafeMutableRawBufferPointer) {
        base = bytes.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 1)!
        capacity = bytes.baseAddress == nil ? 0 : bytes.count
    }

    var room: Int { capacity - offset }

    private mutating func reserve(_ count: Int) -> Bool {
        guard room >= count else {
            overflowed = true
            return false
        }
        return true
    }

    mutating func byte(_ value: UInt8) {
        guard reserve(1) else { return }
        base.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
        offset += 1
    }

    mutating func uint16(_ value: UInt16) {
        guard reserve(2) else { return }
        base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
        offset += 2
    }

    mutating func uint32(_ value: UInt32) {
        guard reserve(4) else { return }
        base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
        offset += 4
    }

    mutating func uint64(_ value: UInt64) {
        guard reserve(8) else { return }
        base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
        offset += 8
    }

    /// A variable-length integer, RFC 9000 section 16.
    ///
    /// Values above 2^62 - 1 are clamped to it.
    mutating func varint(_ value: UInt64) {
        if value < 1 << 6 {
            byte(UInt8(truncatingIfNeeded: value))
        } else if value < 1 << 14 {
            uint16(UInt16(truncatingIfNeeded: value) | 0x4000)
        } else if value < 1 << 30 {
            uint32(UInt32(truncatingIfNeeded: value) | 0x8000_0000)
        } else {
            uint64(min(value, 1 << 62 - 1) | 0xc000_0000_0000_0000)
        }
    }

    mutating func bytes(_ source: UnsafeRawBufferPointer) {
        guard reserve(source.count), let start = source.baseAddress else { return }
        (base + offset).copyMemory(from: start, byteCount: source.count)
        offset += source.count
    }

    mutating func bytes(_ source: [UInt8]) { source.withUnsafeBytes { bytes($0) } }

    mutating func zeros(_ count: Int) {
        guard count > 0, reserve(count) else { return }
        (base + offset).initializeMemory(as: UInt8.self, repeating: 0, count: count)
        offset += count
    }

    /// Claims the next `count` bytes for the caller to fill.
    mutating func claim(_ count: Int) -> UnsafeMutableRawPointer? {
        guard count >= 0, reserve(count) else { return nil }
        defer { offset += count }
        return base + offset
    }
}

/// Bytes that a variable-length integer takes, RFC 9000 section 16.
func varintLength(_ value: UInt64) -> Int {
    value < 1 << 6 ? 1 : value < 1 << 14 ? 2 : value < 1 << 30 ? 4 : 8
}
