internal import PathTelemetry

/// What an arriving piece of a stream changed.
struct ReceiveProgress: Hashable, Sendable {
    /// Bytes that became readable.
    var readable = 0
    /// Growth of the highest offset, which counts against the connection's flow control.
    var growth: UInt64 = 0
    /// Bytes that had arrived before.
    var duplicate = 0
}

/// The receiving half of a stream: it reassembles pieces that come in any order on any path.
///
/// It holds at most the advertised window. A byte that arrives again is counted and ignored.
/// *Handle*: `handle`, `handleReset`. *Application*: `read`, `stop`. *Poll*: `windowUpdate`.
/// *Read*: all others.
struct ReceiveStream: ~Copyable {
    /// Most separate pieces beyond the first gap, by default.
    static let defaultRangeLimit = 16_384

    private var ring: ByteRing
    private var window: ReceiveWindow
    /// The application has read all bytes below this offset.
    private(set) var readOffset: UInt64 = 0
    /// All bytes below this offset have arrived.
    private(set) var contiguousOffset: UInt64 = 0
    /// The offset just above the highest byte that has arrived.
    private(set) var highestOffset: UInt64 = 0
    /// Length of the stream, once its end has arrived.
    private(set) var finalSize: UInt64?
    /// Bytes that arrived above `contiguousOffset`.
    private var outOfOrder: RangeSet
    /// Bytes that arrived more than once.
    private(set) var duplicateBytes: UInt64 = 0
    /// The peer's error code, if it reset the stream.
    private(set) var resetCode: UInt64?
    /// Whether the application has stopped the stream.
    private(set) var isStopped = false

    /// - Parameters:
    ///   - window: bytes that are advertised at first.
    ///   - maximumWindow: bytes that the window may grow to; storage is at most the next power
    ///     of two.
    ///   - rangeLimit: most separate pieces held beyond the first gap.
    init(
        window: UInt64, maximumWindow: UInt64, rangeLimit: Int = ReceiveStream.defaultRangeLimit
    ) {
        self.window = ReceiveWindow(size: window, maximumSize: maximumWindow)
        ring = ByteRing(maximumCapacity: Int(truncatingIfNeeded: self.window.maximumSize))
        outOfOrder = RangeSet(maximumRangeCount: rangeLimit)
    }

    // MARK: Handle

    /// By how much a piece would raise the highest offset, to check the connection's limit before
    /// the piece is taken.
    func growth(offset: UInt64, length: Int) -> UInt64 {
        let (end, overflow) = offset.addingReportingOverflow(UInt64(max(0, length)))
        if overflow { return .max }
        return end > highestOffset ? end &- highestOffset : 0
    }

    /// Takes a piece of the stream.
    ///
    /// - Throws: `flowControl` past the advertised limit; `finalSize` when the end contradicts
    ///   what arrived; `tooManyRanges` when the piece cannot be kept, so that its packet must not
    ///   be acknowledged. The stream is unchanged then.
    @discardableResult
    mutating func handle(
        offset: UInt64, data: UnsafeRawBufferPointer, isFinal: Bool
    ) throws(StreamError) -> ReceiveProgress {
        let end = try checkEnd(offset: offset, length: UInt64(data.count), isFinal: isFinal)
        var progress = ReceiveProgress()
        let fresh = max(offset, contiguousOffset)
        if resetCode != nil || isStopped || data.isEmpty {
            // There is nothing to keep; only the end of the piece counts.
        } else if end <= contiguousOffset {
            progress.duplicate = data.count
        } else {
            progress.duplicate = Int(truncatingIfNeeded: fresh &- offset)
            let isNext = fresh == contiguousOffset
            if let head = outOfOrder.first, !isNext || head.lowerBound < end {
                let before = outOfOrder.length
                try keep(fresh..<end)
                let added = outOfOrder.length &- before
                progress.duplicate &+= Int(truncatingIfNeeded: end &- fresh &- added)
            } else if !isNext {
                try keep(fresh..<end)
            }
            let held = readOffset..<max(highestOffset, contiguousOffset)
            ring.reserve(
                Int(truncatingIfNeeded: max(end, highestOffset) &- readOffset), keeping: held)
            let skipped = Int(truncatingIfNeeded: fresh &- offset)
            unsafe ring.store(UnsafeRawBufferPointer(rebasing: data[skipped...]), at: fresh)
            if isNext {
                let before = contiguousOffset
                contiguousOffset = end
                if let head = outOfOrder.first, head.lowerBound <= end {
                    contiguousOffset = max(end, head.upperBound)
                    _ = outOfOrder.popFirst()
                }
                progress.readable = Int(truncatingIfNeeded: contiguousOffset &- before)
            }
        }
        if end > highestOffset {
            progress.growth = end &- highestOffset
            highestOffset = end
        }
        if isFinal { finalSize = end }
        if isStopped { skipToHighest() }
        duplicateBytes &+= UInt64(progress.duplicate)
        return progress
    }

    /// Takes the peer's RESET_STREAM frame: nothing more is delivered.
    ///
    /// - Returns: growth of the highest offset, which counts against the connection's limit.
    mutating func handleReset(code: UInt64, finalSize size: UInt64) throws(StreamError) -> UInt64 {
        _ = try checkEnd(offset: size, length: 0, isFinal: true)
        let growth = size &- highestOffset
        if finalSize == contiguousOffset, resetCode == nil {
            return growth  // Everything has arrived: the reset is too late.
        }
        finalSize = size
        highestOffset = size
        if resetCode == nil { resetCode = code }
        skipToHighest()
        return growth
    }

    /// Checks the end of a piece against the advertised limit and the final size.
    private func checkEnd(
        offset: UInt64, length: UInt64, isFinal: Bool
    ) throws(StreamError) -> UInt64 {
        let (sum, overflow) = offset.addingReportingOverflow(length)
        let end = overflow ? .max : sum
        if let finalSize {
            if end > finalSize || (isFinal && end != finalSize) {
                throw .finalSize(offset: end, finalSize: finalSize)
            }
        } else if isFinal, end < highestOffset {
            throw .finalSize(offset: end, finalSize: highestOffset)
        }
        guard end <= window.limit else { throw .flowControl(offset: end, limit: window.limit) }
        return end
    }

    private mutating func keep(_ range: Range<UInt64>) throws(StreamError) {
        guard outOfOrder.insert(range) else {
            throw .tooManyRanges(limit: outOfOrder.maximumRangeCount)
        }
    }

    /// Discards everything held and missing below the highest offset.
    private mutating func skipToHighest() {
        contiguousOffset = highestOffset
        readOffset = highestOffset
        outOfOrder.removeAll()
        ring.release()
    }

    // MARK: Application

    /// Reads bytes in order.
    ///
    /// - Returns: how many bytes were written to the buffer.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, readableBytes)
        guard count > 0 else { return 0 }
        unsafe ring.load(
            from: readOffset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
        readOffset &+= UInt64(count)
        return count
    }

    /// Abandons the rest of the stream: held and later bytes are discarded.
    ///
    /// - Returns: bytes that arrived and were not read, which count as consumed from now on.
    mutating func stop() -> UInt64 {
        guard !isStopped else { return 0 }
        let unread = highestOffset &- readOffset
        isStopped = true
        skipToHighest()
        return unread
    }

    /// Frees memory while nothing is held; the next piece allocates it again.
    mutating func releaseIdleMemory() {
        if readOffset == highestOffset { ring.release() }
    }

    /// Gives back memory that an outage needed and that what is held now does not.
    mutating func shrinkMemory() {
        ring.shrink(keeping: readOffset..<max(highestOffset, readOffset))
    }

    // MARK: Poll

    /// Makes the window larger, before anything has arrived.
    ///
    /// - Returns: whether `maxData` is to be told to the peer.
    mutating func widen(to size: UInt64) -> Bool { window.widen(to: size) }

    /// A new limit for the peer, when half of the window is consumed, or used by what waits for a slower
    /// path.
    ///
    /// - Parameter most: bytes to which the window may grow now.
    mutating func windowUpdate(most: UInt64 = .max, now: Instant, rtt: TimeDelta) -> UInt64? {
        let isShort = isGrowthDue(most: most)
        guard isShort || isWindowUpdateDue else { return nil }
        return window.update(
            consumed: readOffset, isShort: isShort, most: most, now: now, rtt: rtt)
    }

    // MARK: Read

    /// Bytes that `read` would return now.
    var readableBytes: Int { Int(truncatingIfNeeded: contiguousOffset &- readOffset) }
    /// The last advertised limit (MAX_STREAM_DATA).
    var maxData: UInt64 { window.limit }
    /// Current size of the window, bytes.
    var windowSize: UInt64 { window.size }
    /// Whether half of the window is consumed.
    var isWindowUpdateDue: Bool { wantsMore && window.isUpdateDue(consumed: readOffset) }
    /// Whether the window is too small for what waits for a slower path.
    func isGrowthDue(most: UInt64) -> Bool {
        let progress = ReceiveWindow.Progress(
            consumed: readOffset, inOrder: contiguousOffset, highest: highestOffset)
        return wantsMore && window.isGrowthDue(progress, most: most)
    }
    /// Whether the end has arrived and everything was read.
    var isFinished: Bool { finalSize == readOffset }
    /// Whether everything up to the end has arrived.
    var isComplete: Bool { finalSize == contiguousOffset }
    /// Bytes held that wait for missing bytes before them.
    var outOfOrderBytes: UInt64 { outOfOrder.length }
    /// Separate pieces held beyond the first gap.
    var outOfOrderRanges: Int { outOfOrder.count }
    /// Bytes missing below the highest that arrived.
    var gapBytes: UInt64 { highestOffset &- contiguousOffset &- outOfOrder.length }
    /// Bytes of storage in use.
    var memoryBytes: Int { ring.capacity }

    /// Whether the peer may have more to send that the application wants.
    var wantsMore: Bool { finalSize == nil && resetCode == nil && !isStopped }
}
