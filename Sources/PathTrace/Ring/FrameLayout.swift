import PathLearning
import PathTelemetry

/// The layout of records in the ring, within the memory of one process.
///
/// A frame's length and offset are multiples of 8 bytes. Its header is `length` (4 bytes, the whole
/// frame), `kind` (1 byte), 3 unused bytes, `session` (4 bytes), and 4 unused bytes; padding up to
/// the ring's end has only the first 8.
enum FrameLayout {
    static let headerBytes = 16

    /// The fixed part of a decision, header included.
    ///
    /// It is followed by the arrays of candidates (`CandidateWord.count` words each), probabilities
    /// and actions. A distribution whose probabilities are not computed yet (`isOpen`) has means
    /// instead of probabilities, and deviations and epsilon after the actions.
    static let decisionFixedBytes = headerBytes + 56

    static func decisionBytes(candidates: Int, actions: Int, isOpen: Bool) -> Int {
        align(
            decisionFixedBytes + candidates * CandidateWord.count * 8 + actions * 10
                + (isOpen ? actions * 8 + 8 : 0))
    }

    static func align(_ bytes: Int) -> Int { (bytes + 7) & ~7 }

    /// Longest text of one field of a path, bytes.
    static let nameLimit = 255
}

/// What a frame holds.
enum FrameKind: UInt8 {
    case padding = 0
    case decision, outcome, sample, event, pathAdded, pathRemoved
}

/// Writes numbers sequentially into memory that is known to be large enough.
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

    /// Writes one candidate as `CandidateWord.count` words, in their order.
    @inline(__always)
    mutating func put(_ all: Span<Candidate>, _ index: Int) {
        let words = pointer.assumingMemoryBound(to: UInt64.self)
        for feature in 0..<FeatureVector.count {
            words[feature] = all[index].features[feature].bitPattern
        }
        words[CandidateWord.predictedDelivery] = all[index].predictedDelivery.bitPattern
        words[CandidateWord.smoothedRTT] = all[index].smoothedRTT.bitPattern
        words[CandidateWord.rttVariation] = all[index].rttVariation.bitPattern
        words[CandidateWord.unansweredAge] = all[index].unansweredAge.bitPattern
        words[CandidateWord.lossRate] = all[index].lossRate.bitPattern
        words[CandidateWord.rate] = all[index].rate.bitPattern
        words[CandidateWord.room] = UInt64(bitPattern: Int64(all[index].room))
        words[CandidateWord.bytesInFlight] = UInt64(bitPattern: Int64(all[index].bytesInFlight))
        words[CandidateWord.congestionWindow] = UInt64(
            bitPattern: Int64(all[index].congestionWindow))
        words[CandidateWord.weight] = all[index].traits.weight.bitPattern
        words[CandidateWord.pricePerGB] = all[index].traits.pricePerGB.bitPattern
        words[CandidateWord.rateLimit] = all[index].traits.rateLimit.bitPattern
        words[CandidateWord.identity] = CandidateWord.identity(
            path: all[index].path, traits: all[index].traits)
        pointer += CandidateWord.count * 8
    }

    /// Writes a text, truncated at a character to at most `limit` bytes.
    mutating func put(text bytes: UnsafeBufferPointer<UInt8>, limit: Int) {
        let count = FrameCursor.fitting(bytes, limit: limit)
        put(UInt32(count).littleEndian)
        if count > 0, let base = bytes.baseAddress {
            pointer.copyMemory(from: base, byteCount: count)
        }
        pointer += count
    }

    /// How many bytes of UTF-8 fit into `limit` without splitting a character.
    static func fitting(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int) -> Int {
        guard bytes.count > limit else { return bytes.count }
        var count = limit
        while count > 0, bytes[count] & 0xc0 == 0x80 { count -= 1 }
        return count
    }
}

/// Reads numbers sequentially from a frame that this process wrote.
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
