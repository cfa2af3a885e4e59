internal import PathNetwork
import PathTelemetry
import PathTransport
import Synchronization

/// The receiving half of an item's stream, read in frames.
///
/// For one task at a time. It never allocates a length that it read: bytes stay in a buffer of
/// fixed size until they are taken.
final class TransferReader: @unchecked Sendable {
    private let stream: SessionStream
    private var buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    private(set) var isAtEnd = false
    /// When bytes arrived last, in nanoseconds; other tasks read it.
    private let arrival = Atomic<Int64>(MonotonicClock.now().nanoseconds)

    /// Room for headers, answers and small items.
    private static let initialCapacity = 16_384
    /// Room for large items.
    static let largeCapacity = 1 << 18

    /// - Parameter prefix: bytes of the stream that were read already, at most 16,384.
    init(_ stream: SessionStream, prefix: [UInt8] = []) {
        self.stream = stream
        buffer = .allocate(
            byteCount: max(TransferReader.initialCapacity, prefix.count), alignment: 64)
        buffer.copyBytes(from: prefix)
        end = prefix.count
    }

    deinit { buffer.deallocate() }

    /// Most bytes that can be taken at once.
    var pieceLength: Int { buffer.count }

    /// When bytes arrived last.
    ///
    /// *Any task.*
    var lastArrival: Instant { Instant(nanoseconds: arrival.load(ordering: .relaxed)) }

    /// Ends the task's reading with an error.
    ///
    /// *Any task.*
    func stop() { stream.stopReading(code: ItemStore.stopCode) }

    /// Makes room for a large item.
    func enlarge() {
        guard buffer.count < TransferReader.largeCapacity else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: TransferReader.largeCapacity, alignment: 64)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
        (start, end) = (0, end - start)
        buffer.deallocate()
        buffer = larger
    }

    /// Reads the bytes that have arrived; false at the end of the stream.
    private func fill() async throws -> Bool {
        if isAtEnd { return false }
        if start == end {
            (start, end) = (0, 0)
        } else if end == buffer.count {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
            (start, end) = (0, end - start)
        }
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[end...])
        let count = try await stream.read(into: room)
        isAtEnd = count == 0
        end += count
        arrival.store(MonotonicClock.now().nanoseconds, ordering: .relaxed)
        return count > 0
    }

    /// Takes exactly that many bytes, which are valid until the next call.
    func take(_ count: Int) async throws -> UnsafeRawBufferPointer {
        while end - start < count {
            guard try await fill() else { throw TransferError.cutShort }
        }
        defer { start += count }
        return UnsafeRawBufferPointer(rebasing: buffer[start..<(start + count)])
    }

    /// Takes the available bytes, at least one and at most `limit`; valid until the next call.
    func takeSome(_ limit: Int) async throws -> UnsafeRawBufferPointer {
        while start == end {
            guard try await fill() else { throw TransferError.cutShort }
        }
        return try await take(min(limit, end - start))
    }

    private func array(_ count: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            bytes += try await takeSome(count - bytes.count)
        }
        return bytes
    }

    /// A reason in the peer's words, escaped for display.
    private func text(_ count: Int) async throws -> String {
        EscapedText(bytes: try await array(count)).description
    }

    /// Waits for the end of the stream and discards the bytes before it.
    func finish() async throws {
        do {
            while try await fill() { (start, end) = (0, 0) }
        } catch SessionError.stream {
            // The stream was reset, so nothing more comes.
        }
    }

    // MARK: the receiver's side

    /// The header of an item; nil if the stream was reset before any byte of it.
    func header() async throws -> TransferHeader? {
        do {
            if start == end, !(try await fill()) { return nil }
        } catch SessionError.stream {
            return nil
        }
        let magic = Array(try await take(4))
        guard magic != TransferHeader.formerMagic else { throw TransferError.otherVersion }
        start -= 4
        let fixed = try await take(TransferHeader.fixedLength)
        let (parsed, nameLength, targetLength) = try TransferHeader.parse(fixed)
        var header = parsed
        header.name = ItemName(bytes: try await array(nameLength))
        header.target = try await array(targetLength)
        return header
    }

    /// The next frame of the content; `takeSome` returns the bytes of data.
    func frame() async throws -> ContentFrame {
        let byte = try await take(1)[0]
        switch ContentFrame.Kind(rawValue: byte) {
        case .data:
            let count = Int(try await take(4).number(at: 0, width: 4))
            guard count <= ContentFrame.dataLimit else {
                throw TransferError.malformed("a piece of \(count) bytes")
            }
            return .data(count)
        case .hole:
            let count = try await take(8).number(at: 0, width: 8)
            guard count <= ContentFrame.holeLimit else {
                throw TransferError.malformed("a hole of \(count) bytes")
            }
            return .hole(count)
        case .end: return .end(Array(try await take(RunningDigest.length)))
        case .abort:
            let count = Int(try await take(2).number(at: 0, width: 2))
            guard count <= ContentFrame.textLimit else {
                throw TransferError.malformed("a reason of \(count) bytes")
            }
            return .abort(try await text(count))
        case .proof: return .proof(Array(try await take(RunningDigest.length)))
        case nil: throw TransferError.malformed("a frame of kind \(byte)")
        }
    }

    // MARK: the sender's side

    /// The next answer of the receiver.
    func answer() async throws -> TransferAnswer {
        let byte = try await take(1)[0]
        switch TransferAnswer.Kind(rawValue: byte) {
        case .prove: return .prove(try await take(8).number(at: 0, width: 8))
        case .start: return .start(try await take(8).number(at: 0, width: 8))
        case .result:
            let fixed = try await take(TransferResult.fixedLength)
            let (parsed, nameLength, textLength) = try TransferResult.parse(fixed)
            var result = parsed
            result.name = ItemName(bytes: try await array(nameLength))
            result.text = try await text(textLength)
            return .result(result)
        case nil where byte <= 1: throw TransferError.otherVersion
        case nil: throw TransferError.malformed("an answer of kind \(byte)")
        }
    }

    /// The receiver's result; answers before it are skipped.
    func result() async throws -> TransferResult {
        while true {
            if case .result(let result) = try await answer() { return result }
        }
    }
}
