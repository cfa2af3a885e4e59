import PathTelemetry

/// Layout of records in the ring; arrays are laid out as the trace stores them, so that the
/// writer hands the ring's own bytes to the database.
///
/// All numbers are little-endian. A frame is a multiple of 8 bytes and starts on one: `length`
/// (4 bytes, the whole frame), `kind` (1 byte), 3 unused bytes, then `session` (4 bytes) and
/// 4 unused bytes; padding up to the ring's end has only the first 8.
enum FrameLayout {
    static let headerBytes = 16

    /// One candidate's numbers besides its features; the columns of the `candidates` blob.
    static let candidateBytes = 104
    static let featureBytes = FeatureVector.count * 8

    /// The fixed part of a decision, header included; the arrays follow it in the order
    /// candidates, features, probabilities, actions.
    static let decisionFixedBytes = headerBytes + 48

    static func decisionBytes(candidates: Int, actions: Int) -> Int {
        align(
            decisionFixedBytes + candidates * (candidateBytes + featureBytes) + actions * 8
                + actions * 2)
    }

    static func align(_ bytes: Int) -> Int { (bytes + 7) & ~7 }

    /// Longest text of one field of a path, in bytes.
    static let nameLimit = 255
}

/// What a frame holds.
enum FrameKind: UInt8 {
    case padding = 0
    case decision, outcome, sample, event, pathAdded, pathRemoved
}

/// Writes numbers one after the other into memory that is known to be large enough.
struct FrameCursor {
    var pointer: UnsafeMutableRawPointer

    @inline(__always)
    mutating func put<Value: BitwiseCopyable>(_ value: Value) {
        pointer.storeBytes(of: value, as: Value.self)
        pointer += MemoryLayout<Value>.size
    }

    @inline(__always)
    mutating func put(_ value: Int) { put(Int64(value).littleEndian) }

    @inline(__always)
    mutating func put(_ value: Double) { put(value.bitPattern.littleEndian) }

    /// A text of at most `limit` bytes, cut before the character that would not fit.
    mutating func put(text bytes: UnsafeBufferPointer<UInt8>, limit: Int) {
        let count = FrameCursor.fitting(bytes, limit: limit)
        put(UInt32(count).littleEndian)
        if count > 0, let base = bytes.baseAddress {
            pointer.copyMemory(from: base, byteCount: count)
        }
        pointer += count
    }

    /// How many bytes of UTF-8 fit into `limit` without cutting a character.
    static func fitting(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int) -> Int {
        guard bytes.count > limit else { return bytes.count }
        var count = limit
        while count > 0, bytes[count] & 0xc0 == 0x80 { count -= 1 }
        return count
    }
}

/// Reads numbers one after the other from a frame that this process wrote.
struct FrameReader {
    var pointer: UnsafeRawPointer

    @inline(__always)
    mutating func take<Value: BitwiseCopyable>(_ type: Value.Type) -> Value {
        let value = pointer.loadUnaligned(as: Value.self)
        pointer += MemoryLayout<Value>.size
        return value
    }

    @inline(__always)
    mutating func takeInt() -> Int64 { Int64(littleEndian: take(Int64.self)) }

    @inline(__always)
    mutating func takeDouble() -> Double {
        Double(bitPattern: UInt64(littleEndian: take(UInt64.self)))
    }

    mutating func takeText() -> UnsafeRawBufferPointer {
        let count = Int(UInt32(littleEndian: take(UInt32.self)))
        let text = UnsafeRawBufferPointer(start: pointer, count: count)
        pointer += count
        return text
    }
}
