import Glibc

/// A growing buffer in which blocks are assembled; it is allocated once and reused for every block.
struct BlockBytes: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 4096) {
        self.capacity = capacity
        base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    mutating func removeAll() { count = 0 }

    mutating func removeLast() { count -= 1 }

    @inline(__always)
    mutating func reserve(_ more: Int) {
        if count &+ more > capacity { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        var size = capacity
        while size < count &+ more { size *= 2 }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
        capacity = size
    }

    @inline(__always)
    mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        reserve(MemoryLayout<Value>.size)
        base.storeBytes(of: value.littleEndian, toByteOffset: count, as: Value.self)
        count &+= MemoryLayout<Value>.size
    }

    mutating func put(_ words: UnsafePointer<UInt64>, count words64: Int) {
        put(bytes: UnsafeRawPointer(words), count: words64 * 8)
    }

    mutating func put(bytes: UnsafeRawPointer, count more: Int) {
        reserve(more)
        (base + count).copyMemory(from: bytes, byteCount: more)
        count &+= more
    }

    /// Makes room for `more` bytes, which count as written.
    mutating func extend(_ more: Int) -> UnsafeMutableRawPointer {
        reserve(more)
        defer { count &+= more }
        return base + count
    }

    // MARK: Text

    @inline(__always)
    mutating func put(character: UInt8) {
        reserve(1)
        base.storeBytes(of: character, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    /// Appends a number in decimal digits.
    @inline(__always)
    mutating func put(decimal value: Int64) {
        reserve(20)
        let text = base + count
        var rest = value.magnitude
        var at = 0
        if value < 0 {
            text.storeBytes(of: 0x2d, as: UInt8.self)
            at = 1
        }
        var digits = 1
        var bound: UInt64 = 10
        while digits < 19, rest >= bound {
            digits &+= 1
            bound &*= 10
        }
        count &+= at &+ digits
        while digits > 1 {
            digits &-= 1
            let tenth = rest / 10
            text.storeBytes(
                of: UInt8(truncatingIfNeeded: rest &- tenth &* 10) &+ 0x30,
                toByteOffset: at &+ digits, as: UInt8.self)
            rest = tenth
        }
        text.storeBytes(
            of: UInt8(truncatingIfNeeded: rest) &+ 0x30, toByteOffset: at, as: UInt8.self)
    }

    mutating func put(word: StaticString) {
        put(bytes: UnsafeRawPointer(word.utf8Start), count: word.utf8CodeUnitCount)
    }
}

/// What is wrong with the bytes of a block.
struct BlockFault: Error {
    var what: String

    init(_ what: String) { self.what = what }

    static let cutOff = BlockFault("is cut off")
}

/// Reads a block from start to end, and never beyond its end.
struct BlockReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count &- offset }

    @inline(__always)
    mutating func take<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type
    ) throws(BlockFault) -> Value {
        guard remaining >= MemoryLayout<Value>.size else { throw .cutOff }
        defer { offset &+= MemoryLayout<Value>.size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// Returns the next bytes in place; an empty buffer if none are requested.
    mutating func take(bytes count: Int) throws(BlockFault) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw .cutOff }
        defer { offset &+= count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset &+ count])
    }
}
