/// The sending half of a stream; it keeps the bytes until the peer has acknowledged them.
///
/// Any range may be sent on any path, more than once, and acknowledged in any order. A range that
/// was acknowledged is never retransmitted, even if another copy of it is lost.
///
/// *Application*: `write`, `finish`, `reset`. *Handle*: `handleAcked`, `handleLost`,
/// `handleMaxData`, and for the RESET_STREAM frame `handleReset...`. *Poll*: `nextChunk`, or
/// `nextRetransmission` and `nextNew`, each followed by `copy`. *Read*: all others.
struct SendStream: ~Copyable {
    /// The state of the end of the stream.
    private enum End {
        case open, unsent, inFlight, lost, acknowledged
    }

    /// The state of the RESET_STREAM frame.
    private enum ResetState {
        case none, unsent, inFlight, acknowledged
    }

    /// Bytes of a stream that may usually wait unsent, however little is in flight.
    static let ampleAhead = 512 * 1024
    /// The most that may wait, however much is in flight.
    static let mostAhead = 2 << 20
    /// What may wait however little is in flight while the streams of the session hold much.
    static let scarceAhead = 32 * 1024

    private var ring: ByteRing
    /// Most bytes held, sent or not.
    let capacity: Int
    /// All bytes below this offset are acknowledged.
    private(set) var firstUnackedOffset: UInt64 = 0
    /// The first byte that was never sent.
    private(set) var nextOffset: UInt64 = 0
    /// End of what the application wrote.
    private(set) var writtenOffset: UInt64 = 0
    /// The peer's limit: MAX_STREAM_DATA.
    private(set) var maxData: UInt64
    /// Bytes acknowledged above `firstUnackedOffset`.
    private var acknowledged = RangeSet()
    /// Bytes to retransmit; they never overlap `acknowledged`.
    private var lost = RangeSet()
    private var end = End.open
    private var resetState = ResetState.none
    private var resetCode: UInt64 = 0
    /// Whether the latest write left no room, so that the writer probably has more.
    private var isFull = false
    /// Bytes that were sent more than once.
    private(set) var retransmittedBytes: UInt64 = 0

    init(capacity: Int, maxData: UInt64 = 0) {
        self.capacity = max(1, capacity)
        self.maxData = min(maxData, StreamChunk.maximumOffset)
        ring = ByteRing(maximumCapacity: self.capacity)
    }

    // MARK: Application

    /// Takes as many bytes as fit, and none after `finish` or `reset`.
    ///
    /// - Parameter ahead: bytes that may wait unsent, however little is in flight.
    /// - Returns: how many bytes were taken.
    mutating func write(
        _ bytes: UnsafeRawBufferPointer, ahead: Int = SendStream.ampleAhead
    ) -> Int {
        guard end == .open, resetState == .none else { return 0 }
        let room = writableBytes(ahead: ahead)
        let accepted = min(bytes.count, room)
        if !bytes.isEmpty { isFull = bytes.count >= room }
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

    /// Ends the stream abruptly: nothing more is sent, and all bytes are discarded.
    ///
    /// It does nothing if the whole stream is acknowledged or was already reset.
    mutating func reset(code: UInt64) {
        guard resetState == .none, !isFullyAcknowledged else { return }
        resetState = .unsent
        resetCode = code
        lost.removeAll()
        acknowledged.removeAll()
        ring.release()
    }

    // MARK: Handle

    /// Takes a new limit of the peer; a lower one is ignored.
    mutating func handleMaxData(_ limit: UInt64) {
        maxData = max(maxData, min(limit, StreamChunk.maximumOffset))
    }

    /// Takes the acknowledgement of a chunk; chunks may overlap, repeat, and come in any order.
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

    /// Queues the part of a chunk that is neither acknowledged nor queued already for
    /// retransmission.
    ///
    /// It serves losses and the re-injection of a chunk that is still in flight.
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

    /// The part of a chunk that was sent and lies above the acknowledged beginning of the stream.
    private func sentRange(offset: UInt64, length: Int) -> Range<UInt64> {
        let (sum, overflow) = offset.addingReportingOverflow(UInt64(max(0, length)))
        let upper = min(overflow ? .max : sum, nextOffset)
        let lower = max(offset, firstUnackedOffset)
        return Range(uncheckedBounds: (min(lower, upper), upper))
    }

    // MARK: Poll

    /// The next piece to send: lost bytes first, then new bytes as far as limits allow.
    ///
    /// - Parameters:
    ///   - limit: most bytes of the piece.
    ///   - credit: most new bytes that the connection's flow control allows.
    mutating func nextChunk(limit: Int, credit: UInt64 = .max) -> StreamChunk? {
        nextRetransmission(limit: limit) ?? nextNew(limit: limit, credit: credit)
    }

    /// The next piece to retransmit.
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

    /// Where the next piece that was lost begins.
    var lostOffset: UInt64 { lost.first?.lowerBound ?? writtenOffset }

    /// The next piece of new bytes, within the peer's limit for the stream.
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
    /// - Returns: false if they are not held any more, because some were acknowledged or the stream
    ///   was reset since the chunk was returned; `unacknowledged` returns the rest.
    func copy(_ chunk: StreamChunk, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        guard resetState == .none, chunk.offset >= firstUnackedOffset || chunk.length == 0,
            chunk.end <= writtenOffset, chunk.length <= buffer.count
        else { return false }
        unsafe ring.load(
            from: chunk.offset,
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<chunk.length]))
        return true
    }

    /// The first unacknowledged part of a chunk; nil when nothing is left.
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

    /// Frees memory while nothing is held; the next `write` allocates it again.
    mutating func releaseIdleMemory() {
        if bufferedBytes == 0 { ring.release() }
    }

    /// Gives back memory that an outage needed and that what is held now does not.
    mutating func shrinkMemory() { ring.shrink(keeping: firstUnackedOffset..<writtenOffset) }

    // MARK: Read

    /// Bytes held: from the first unacknowledged byte to the last written one.
    var bufferedBytes: Int {
        resetState == .none ? Int(truncatingIfNeeded: writtenOffset &- firstUnackedOffset) : 0
    }
    /// Bytes that `write` would take now.
    ///
    /// As many bytes may wait unsent as are in flight, up to 2 MB: enough for the window to double, and
    /// few enough to stay in the processor's cache on a fast link. What is written once more than that is
    /// in flight is asked for as acknowledgements come, so it does not have to wait here.
    ///
    /// - Parameter ahead: as for `write`.
    func writableBytes(ahead least: Int = SendStream.ampleAhead) -> Int {
        guard end == .open, resetState == .none else { return 0 }
        let inFlight = Int(truncatingIfNeeded: nextOffset &- firstUnackedOffset)
        let unsent = Int(truncatingIfNeeded: writtenOffset &- nextOffset)
        let ahead = max(least, min(inFlight, SendStream.mostAhead))
        return max(
            0,
            min(
                capacity &- bufferedBytes, ahead &- unsent,
                Int(truncatingIfNeeded: StreamChunk.maximumOffset &- writtenOffset)))
    }
    /// The room at which a waiting writer is notified, so that not every packet notifies it.
    ///
    /// - Parameter ahead: as for `write`.
    func wakeRoom(ahead: Int) -> Int { min(capacity, ahead) / 4 }
    /// Bytes of storage in use.
    var memoryBytes: Int { ring.capacity }

    /// Whether lost bytes, or the lost end, wait to be retransmitted.
    var hasRetransmissions: Bool {
        !lost.isEmpty || (end == .lost && resetState == .none)
    }
    /// Bytes that wait to be retransmitted.
    var retransmissionBytes: UInt64 { lost.length }

    /// Whether `nextNew` would return something if the connection's flow control allowed it.
    var hasNew: Bool {
        guard resetState == .none else { return false }
        return nextOffset < min(writtenOffset, maxData)
            || (end == .unsent && nextOffset == writtenOffset)
    }
    /// New bytes that the peer's limit for the stream allows.
    var peekNewBytes: UInt64 {
        guard resetState == .none else { return 0 }
        let upper = min(writtenOffset, maxData)
        return upper > nextOffset ? upper &- nextOffset : 0
    }
    /// Bytes that are left to send: those that wait, and while the writer waits for room as many as were
    /// sent.
    ///
    /// A writer that does not wait has given all that it has for now, as a server that has answered a
    /// request and keeps the connection.
    var bytesLeft: UInt64 {
        guard resetState == .none else { return 0 }
        let waiting = writtenOffset &- nextOffset
        return end == .open && isFull ? waiting &+ nextOffset : waiting
    }
    /// Whether there are new bytes that the peer's limit for the stream forbids to send.
    var isBlocked: Bool {
        resetState == .none && nextOffset >= maxData && writtenOffset > nextOffset
    }

    /// Whether `finish` or `reset` was called, so that the application cannot write any more.
    var isEnded: Bool { end != .open || resetState != .none }
    /// Whether all bytes and the end of the stream were acknowledged.
    var isFullyAcknowledged: Bool {
        resetState == .none && end == .acknowledged && firstUnackedOffset == writtenOffset
    }
    /// Whether nothing is left to do: everything, or the reset, was acknowledged.
    var isDone: Bool { isFullyAcknowledged || resetState == .acknowledged }
    var isReset: Bool { resetState != .none }

    /// The RESET_STREAM frame that has to be sent; `handleResetSent` clears it.
    var pendingReset: StreamReset? { resetState == .unsent ? resetFrame : nil }
    /// The RESET_STREAM frame of a stream that was reset.
    var resetFrame: StreamReset? {
        resetState == .none ? nil : StreamReset(code: resetCode, finalSize: nextOffset)
    }
}
