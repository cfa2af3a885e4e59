/// A column of integers in a block: the least value, then each value's offset from it in as few
/// bytes as the largest offset needs.
///
/// Layout: bytes per offset (1 byte: 0, 1, 2, 4 or 8), the least value (8 bytes), the offsets.
enum IntegerColumn {
    static func put(_ values: UnsafeBufferPointer<Int64>, into bytes: inout BlockBytes) {
        var least = values.first ?? 0
        var most = least
        for value in values {
            least = min(least, value)
            most = max(most, value)
        }
        let range = UInt64(bitPattern: most &- least)
        let width: UInt8 =
            range == 0
            ? 0 : range <= 0xff ? 1 : range <= 0xffff ? 2 : range <= 0xffff_ffff ? 4 : 8
        bytes.put(width)
        bytes.put(least)
        switch width {
        case 0: break
        case 1: pack(values, least, UInt8.self, into: &bytes)
        case 2: pack(values, least, UInt16.self, into: &bytes)
        case 4: pack(values, least, UInt32.self, into: &bytes)
        default: pack(values, least, UInt64.self, into: &bytes)
        }
    }

    @inline(__always)
    private static func pack<Distance: FixedWidthInteger & BitwiseCopyable>(
        _ values: UnsafeBufferPointer<Int64>, _ least: Int64, _ type: Distance.Type,
        into bytes: inout BlockBytes
    ) {
        let size = MemoryLayout<Distance>.size
        let target = bytes.extend(values.count * size)
        for index in 0..<values.count {
            let distance = Distance(truncatingIfNeeded: values[index] &- least)
            target.storeBytes(
                of: distance.littleEndian, toByteOffset: index &* size, as: Distance.self)
        }
    }

    /// Reads `values.count` integers.
    static func take(
        into values: UnsafeMutableBufferPointer<Int64>, from reader: inout BlockReader
    ) throws(BlockFault) {
        let width = try reader.take(UInt8.self)
        let least = try reader.take(Int64.self)
        switch width {
        case 0: for index in 0..<values.count { values[index] = least }
        case 1: try unpack(values, least, UInt8.self, from: &reader)
        case 2: try unpack(values, least, UInt16.self, from: &reader)
        case 4: try unpack(values, least, UInt32.self, from: &reader)
        case 8: try unpack(values, least, UInt64.self, from: &reader)
        default: throw BlockFault("has a column of \(width)-byte integers")
        }
    }

    @inline(__always)
    private static func unpack<Distance: FixedWidthInteger & BitwiseCopyable>(
        _ values: UnsafeMutableBufferPointer<Int64>, _ least: Int64, _ type: Distance.Type,
        from reader: inout BlockReader
    ) throws(BlockFault) {
        let size = MemoryLayout<Distance>.size
        let source = try reader.take(bytes: values.count * size)
        guard let base = source.baseAddress else { return }
        for index in 0..<values.count {
            let distance = Distance(
                littleEndian: base.loadUnaligned(
                    fromByteOffset: index &* size, as: Distance.self))
            values[index] = least &+ Int64(truncatingIfNeeded: distance)
        }
    }
}
