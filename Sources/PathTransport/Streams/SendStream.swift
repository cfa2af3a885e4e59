/// The sending half of a stream: keeps the bytes until the peer acknowledged them.
///
/// Any range may be sent on any path, more than once, and acknowledged in any order. What was
/// acknowledged stays so; a range that is lost after that is not sent again.
///
/// *Application*: `write`, `finish`, `reset`. *Handle*: `handleAcked`, `handleLost`,
/// `handleMaxData`, and for the RESET_STREAM frame `handleReset...`. *Poll*: `nextChunk`, or
/// `nextRetransmission` and `nextNew`, each followed by `copy`. *Read*: the rest.
struct SendStream: ~Copyable {
    /// What became of the end of the stream.
    private enum End {
        case open, unsent, inFlight, lost, acknowledged
    }

    /// What became of the RESET_STREAM frame.
    private enum ResetState {
        case none, unsent, inFlight, acknowledged
    }

    /// Bytes that may wait unsent whatever is in flight.
    static let leastAhead = 512 * 1024

    private var ring: ByteRing
    /// Most bytes held, sent or not.
    let capacity: Int
    /// All bytes below are acknowledged.
    private(set) var firstUnackedOffset: UInt64 = 0
    /// The first byte that was never sent.
    private(set) var nextOffset: UInt64 = 0
    /// End of what the application wrote.
    private(set) var writtenOffset: UInt64 = 0
    /// The peer's limit: MAX_STREAM_DATA.
    private(set) var maxData: UInt64
    /// Acknowledged above `firstUnackedOffset`.
    private var acknowledged = RangeSet()
    /// To be sent again; never overlaps what is acknowledged.
    private var lost = RangeSet()
    private var end = End.open
    private var resetState = ResetState.none
    private var resetCode: UInt64 = 0
    /// Bytes that were handed out more than once.
    private(set) var retransmittedBytes: UInt64 = 0

    init(capacity: Int, maxData: UInt64 = 0) {
        self.capacity = max(1, capacity)
        self.maxData = min(maxData, StreamChunk.maximumOffset)
        ring = ByteRing(maximumCapacity: self.capacity)
    }

    // MARK: Application

    /// Takes as many bytes as there is room for, none after `finish` or `reset`.
    ///
    /// - Returns: how many bytes were taken.
    mutating func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard end == .open, resetState == .none else { return 0 }
        let accepted = min(bytes.count, writableBytes)
        guard accepted > 0,
            ring.reserve(bufferedBytes &+ accepted, keeping: firstUnackedOffset..<writtenOffset)
        else { return 0 }
        unsafe ring.store(UnsafeRawBufferPointer(rebasing: bytes[..<accepted]), at: writtenOffset)
        writtenOffset &+= UInt64(accepted)
        return accepted
    }

    /// Ends the stream after what has been written.
    mutating func finish() {
        if end == .open, resetState == .none { end = .unsent }
    }

    /// Ends the stream abruptly: nothing more is sent, and all bytes are given up.
    ///
    /// Does nothing when the whole stream is acknowledged or it was reset before.
    mutating func reset(code: UInt64) {
        guard resetState == .none, !isFullyAcknowledged else { return }
        resetState = .unsent
        resetCode = code
        lost.removeAll()
        acknowledged.removeAll()
        ring.release()
    }

    // MARK: Handle

    /// Takes a new limit of the peer; a lower one than before is ignored.
    mutating func handleMaxData(_ limit: UInt64) {
        maxData = max(maxData, min(limit, StreamChunk.maximumOffset))
    }

    /// Notes that a chunk has arrived; chunks may overlap, repeat, and come in any order.
    mutating func handleAcked(offset: UInt64, length: Int, isFinal: Bool) {
        guard resetState == .none else { return }
        if isFinal, end != .open { end = .acknowledged }
        let range = sentRange(offset: offset, length: length)
        if range.isEmpty { return }
        if range.lowerBound <= firstUnackedOffset, acknowledged.isEmpty {
            firstUnackedOffset = range.upperBound
        } else {
            acknowledged.insert(range)
            if let head = acknowledged.first, head.lowerBound <= firstUnackedOffset {
                firstUnackedOffset = head.upperBound
                _ = acknowledged.popFirst()
            }
        }
        if !lost.isEmpty { lost.remove(range) }
    }

    /// Queues a chunk to be sent again, as far as it is neither acknowledged nor queued already.
    ///
    /// Serves a loss as well as re-injection of a chunk that is still in flight elsewhere.
    mutating func handleLost(offset: UInt64, length: Int, isFinal: Bool) {
        guard resetState == .none else { return }
        if isFinal, end == .inFlight { end = .lost }
        var rest = sentRange(offset: offset, length: length)
        if acknowledged.isEmpty {
            lost.insert(rest)
            return
        }
        while let gap = acknowledged.firstGap(in: rest) {
            lost.insert(gap)
            rest = Range(uncheckedBounds: (gap.upperBound, rest.upperBound))
        }
    }

    mutating func handleResetSent() {
        if resetState == .unsent { resetState = .inFlight }
    }
    mutating func handleResetAcked() {
        if resetState != .none { resetState = .acknowledged }
    }
    mutating func handleResetLost() {
        if resetState == .inFlight { resetState = .unsent }
    }

    /// The part of a chunk that was sent and is not known to have arrived below the first gap.
    private func sentRange(offset: UInt64, length: Int) -> Range<UInt64> {
        let (sum, overflow) = offset.addingReportingOverflow(UInt64(max(0, length)))
        let upper = min(overflow ? .max : sum, nextOffset)
        let lower = max(offset, firstUnackedOffset)
        return Range(uncheckedBounds: (min(lower, upper), upper))
    }

    // MARK: Poll

    /// The next piece to send: what was lost first, then new bytes as far as limits allow.
    ///
    /// - Parameters:
    ///   - limit: most bytes of the piece.
    ///   - credit: most new bytes that the connection's flow control allows.
    mutating func nextChunk(limit: Int, credit: UInt64 = .max) -> StreamChunk? {
        nextRetransmission(limit: limit) ?? nextNew(limit: limit, credit: credit)
    }

    /// The next piece that has to be sent again.
    mutating func nextRetransmission(limit: Int) -> StreamChunk? {
        if let range = lost.popFirst(maxLength: UInt64(max(0, limit))) {
            let length = Int(truncatingIfNeeded: range.upperBound &- range.lowerBound)
            retransmittedBytes &+= UInt64(length)
            return StreamChunk(
                offset: range.lowerBound, length: length, isFinal: takeEnd(at: range.upperBound),
                isRetransmission: true)
        }
        guard end == .lost, lost.isEmpty, resetState == .none else { return nil }
        end = .inFlight
        return StreamChunk(
            offset: writtenOffset, length: 0, isFinal: true, isRetransmission: true)
    }

    /// The next piece of bytes never sent, within the peer's limit for the stream.
    mutating func nextNew(limit: Int, credit: UInt64 = .max) -> StreamChunk? {
        guard resetState == .none else { return nil }
        let length = Int(
            truncatingIfNeeded: min(
                writtenOffset &- nextOffset, maxData > nextOffset ? maxData &- nextOffset : 0,
                credit, UInt64(max(0, limit))))
        let offset = nextOffset
        if length == 0 {
            guard end == .unsent, nextOffset == writtenOffset else { return nil }
        }
        nextOffset &+= UInt64(length)
        return StreamChunk(offset: offset, length: length, isFinal: takeEnd(at: nextOffset))
    }

    /// Whether a chunk that ends here carries the end of the stream, which is then in flight.
    private mutating func takeEnd(at offset: UInt64) -> Bool {
        guard offset == writtenOffset, end != .open, end != .acknowledged else { return false }
        end = .inFlight
        return true
    }

    /// Copies the bytes of a chunk into a buffer of at least its length.
    ///
    /// - Returns: false if they are not held any more, because some were acknowledged or the
    ///   stream was reset since the chunk was handed out; `unacknowledged` tells what is left.
    func copy(_ chunk: StreamChunk, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        guard resetState == .none, chunk.offset >= firstUnackedOffset || chunk.length == 0,
            chunk.end <= writtenOffset, chunk.length <= buffer.count
        else { return false }
        unsafe ring.load(
            from: chunk.offset,
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<chunk.length]))
        return true
    }

    /// The first part of a chunk that has not been acknowledged; nil when nothing is left.
    func unacknowledged(_ chunk: StreamChunk) -> StreamChunk? {
        guard resetState == .none else { return nil }
        let carriesEnd = chunk.isFinal && end != .acknowledged
        let sent = sentRange(offset: chunk.offset, length: chunk.length)
        if let gap = acknowledged.firstGap(in: sent) {
            return StreamChunk(
                offset: gap.lowerBound,
                length: Int(truncatingIfNeeded: gap.upperBound &- gap.lowerBound),
                isFinal: carriesEnd && gap.upperBound == writtenOffset, isRetransmission: true)
        }
        guard carriesEnd else { return nil }
        return StreamChunk(
            offset: writtenOffset, length: 0, isFinal: true, isRetransmission: true)
    }

    /// Gives memory back while nothing is held; the next `write` takes it again.
    mutating func releaseIdleMemory() {
        if bufferedBytes == 0 { ring.release() }
    }

    // MARK: Read

    /// Bytes written and not yet acknowledged in one run from the start.
    var bufferedBytes: Int {
        resetState == .none ? Int(truncatingIfNeeded: writtenOffset &- firstUnackedOffset) : 0
    }
    /// Bytes that `write` would take now.
    ///
    /// As much may wait unsent as is in flight: enough for the window to double, and little enough
    /// to stay in the processor's cache on a fast link.
    var writableBytes: Int {
        guard end == .open, resetState == .none else { return 0 }
        let inFlight = Int(truncatingIfNeeded: nextOffset &- firstUnackedOffset)
        let unsent = Int(truncatingIfNeeded: writtenOffset &- nextOffset)
        let ahead = max(SendStream.leastAhead, inFlight)
        return max(
            0,
            min(
                capacity &- bufferedBytes, ahead &- unsent,
                Int(truncatingIfNeeded: StreamChunk.maximumOffset &- writtenOffset)))
    }
    /// The room from which on a writer that waits is told of it: not for every packet.
    var wakeRoom: Int { min(capacity, SendStream.leastAhead) / 4 }
    /// Bytes of storage taken.
    var memoryBytes: Int { ring.capacity }

    /// Something lost waits to be sent again.
    var hasRetransmissions: Bool {
        !lost.isEmpty || (end == .lost && resetState == .none)
    }
    /// Bytes that wait to be sent again.
    var retransmissionBytes: UInt64 { lost.length }

    /// `nextNew` would return something if the connection's flow control allowed.
    var hasNew: Bool {
        guard resetState == .none else { return false }
        return nextOffset < min(writtenOffset, maxData)
            || (end == .unsent && nextOffset == writtenOffset)
    }
    /// Bytes never sent that the peer's limit for the stream allows.
    var peekNewBytes: UInt64 {
        guard resetState == .none else { return 0 }
        let upper = min(writtenOffset, maxData)
        return upper > nextOffset ? upper &- nextOffset : 0
    }
    /// There are bytes to send, and the peer's limit for the stream forbids it.
    var isBlocked: Bool {
        resetState == .none && nextOffset >= maxData && writtenOffset > nextOffset
    }

    /// `finish` was called: the application writes no more.
    var isEnded: Bool { end != .open || resetState != .none }
    /// All bytes and the end of the stream have arrived.
    var isFullyAcknowledged: Bool {
        resetState == .none && end == .acknowledged && firstUnackedOffset == writtenOffset
    }
    /// Nothing is left to do: all has arrived, or the reset has.
    var isDone: Bool { isFullyAcknowledged || resetState == .acknowledged }
    var isReset: Bool { resetState != .none }

    /// The RESET_STREAM frame that has to be sent; `handleResetSent` takes it off.
    var pendingReset: StreamReset? { resetState == .unsent ? resetFrame : nil }
    /// The RESET_STREAM frame of a stream that was reset.
    var resetFrame: StreamReset? {
        resetState == .none ? nil : StreamReset(code: resetCode, finalSize: nextOffset)
    }
}
