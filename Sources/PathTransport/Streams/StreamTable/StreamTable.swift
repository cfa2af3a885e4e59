internal import PathTelemetry

/// All streams of a connection: their limits, the order of sending, and pending notices.
///
/// Streams take turns piece by piece, within the shares of their classes; lost data is sent before
/// new data. Each call costs O(1), however many streams there are. A stream leaves the table when
/// both halves are done; the buffers of idle ones are freed.
///
/// *Application*: `open`, `accept`, `write`, `finish`, `reset`, `read`, `stop`, `nextEvent`.
/// *Handle*: `handle...`. *Poll*: `nextControl`, then `nextChunk` with `copy`, until nil.
struct StreamTable: ~Copyable {
    private let pin = Pin()
    /// The streams of one kind: how many were opened, and how many may be open.
    struct Kind {
        var opened: UInt64 = 0
        var limit: UInt64 = 0
        /// How many of the peer's streams have ended.
        var closed: UInt64 = 0
        var maximum: UInt64 = 0
        /// Whether a MAX_STREAMS frame has to be sent.
        var isLimitDue = false
        /// Whether the limit that stopped an `open` has to be reported.
        var isBlockedDue = false
        var blockedLimit: UInt64?
    }

    let isServer: Bool
    let configuration: StreamConfiguration
    var flow: ConnectionFlowControl
    var peerMaxStreamData: UInt64 = 0
    var slots: [StreamID: StreamSlot] = [:]
    /// The slot looked up last; a single bulk stream always hits it.
    var latest: StreamSlot?
    /// By kind: bidirectional, then unidirectional.
    var local: [Kind]
    var remote: [Kind]
    var accepted = FIFO<StreamID>()
    var retransmitting = ClassQueue()
    var fresh = ClassQueue()
    var controlling = FIFO<StreamSlot>()
    var telling = FIFO<StreamSlot>()
    /// Streams whose buffers may have memory.
    var holding = FIFO<StreamID>()
    /// Bytes that the sending halves hold.
    ///
    /// Above the limit each stream may have only few unsent: writers whose readers have stopped would
    /// otherwise fill the memory.
    private(set) var heldBytes = 0
    static let ampleBytes = 64 << 20
    /// Bytes of a stream that may wait unsent, however little is in flight.
    var ahead: Int {
        heldBytes > StreamTable.ampleBytes ? SendStream.scarceAhead : SendStream.ampleAhead
    }
    /// When `freeIdleMemory` next looks at some of them.
    private var nextFreeing = Instant.zero
    private static let freeingInterval = TimeDelta.milliseconds(500)
    private static let freeingBatch = 256
    var isMaxDataDue = false
    /// Bytes that arrived for streams that had ended.
    var lateBytes: UInt64 = 0

    init(isServer: Bool, configuration: StreamConfiguration = StreamConfiguration()) {
        self.isServer = isServer
        self.configuration = configuration
        flow = ConnectionFlowControl(
            window: configuration.connectionWindow,
            maximumWindow: configuration.maximumConnectionWindow)
        local = [Kind(), Kind()]
        let maxima = [configuration.maximumBidirectional, configuration.maximumUnidirectional]
        remote = maxima.map { maximum in
            let bounded = min(maximum, StreamID.limit)
            return Kind(limit: bounded, maximum: bounded)
        }
    }

    /// How many streams are in the table.
    var count: Int { slots.count }

    /// The stream, unless it has ended or was never opened.
    func slot(_ id: StreamID) -> StreamSlot? {
        if let latest, latest.id == id { return latest }
        return slots[id]
    }

    // MARK: Opening

    /// Opens a stream; the peer learns of it by its first frame.
    ///
    /// - Throws: `streamLimit` when the peer currently allows no more.
    mutating func open(isUnidirectional: Bool = false) throws(StreamError) -> StreamID {
        let kind = isUnidirectional ? 1 : 0
        let index = local[kind].opened
        guard index < local[kind].limit else {
            if local[kind].blockedLimit != local[kind].limit { local[kind].isBlockedDue = true }
            throw .streamLimit(index: index, limit: local[kind].limit)
        }
        local[kind].opened += 1
        let id = StreamID(
            index: index, isServerInitiated: isServer, isUnidirectional: isUnidirectional)
        add(id)
        return id
    }

    /// The next stream that the peer opened.
    mutating func accept() -> StreamID? { accepted.popFirst() }

    /// Takes the limits of the peer's handshake.
    mutating func handlePeerLimits(_ limits: PeerStreamLimits) {
        peerMaxStreamData = max(peerMaxStreamData, limits.maxStreamData)
        handleMaxStreams(limits.maxBidirectional, isUnidirectional: false)
        handleMaxStreams(limits.maxUnidirectional, isUnidirectional: true)
        for slot in slots.values where slot.sends {
            slot.send.handleMaxData(peerMaxStreamData)
            queueForNew(slot)
        }
        handleMaxData(limits.maxData)
    }

    /// Takes MAX_STREAMS.
    mutating func handleMaxStreams(_ limit: UInt64, isUnidirectional: Bool) {
        let kind = isUnidirectional ? 1 : 0
        local[kind].limit = max(local[kind].limit, min(limit, StreamID.limit))
    }

    private mutating func add(_ id: StreamID) {
        let isOurs = id.isServerInitiated == isServer
        let slot = StreamSlot(
            id: id, sends: isOurs || !id.isUnidirectional,
            receives: !isOurs || !id.isUnidirectional, configuration: configuration,
            peerMaxStreamData: peerMaxStreamData)
        slots[id] = slot
        // While little lies unread, a stream begins with more than what the peer may take for granted.
        let window = min(configuration.firstStreamWindow, flow.streamMaximum)
        if slot.receives, slot.receive.widen(to: window) { tell(slot, .maxStreamData) }
    }

    /// The stream that a frame of the peer names: the frame may open it; nil if it has ended.
    mutating func named(_ id: StreamID) throws(StreamError) -> StreamSlot? {
        if let latest, latest.id == id { return latest }
        let kind = id.isUnidirectional ? 1 : 0
        if id.isServerInitiated == isServer {
            guard id.index < local[kind].opened else { throw .streamState(id) }
        } else {
            guard id.index < remote[kind].limit else {
                throw .streamLimit(index: id.index, limit: remote[kind].limit)
            }
            // All lower streams of the kind are opened with it (RFC 9000, section 3.2).
            while remote[kind].opened <= id.index {
                let opened = StreamID(
                    index: remote[kind].opened, isServerInitiated: !isServer,
                    isUnidirectional: id.isUnidirectional)
                remote[kind].opened += 1
                add(opened)
                accepted.append(opened)
            }
        }
        latest = slots[id]
        return latest
    }

    mutating func removeIfDone(_ slot: StreamSlot) {
        guard slot.isDone, !slot.isRemoved else { return }
        slot.isRemoved = true
        slots[slot.id] = nil
        if latest === slot { latest = nil }
        guard slot.id.isServerInitiated != isServer else { return }
        let kind = slot.id.isUnidirectional ? 1 : 0
        remote[kind].closed += 1
        let limit = min(remote[kind].closed &+ remote[kind].maximum, StreamID.limit)
        if limit &- remote[kind].limit >= max(1, remote[kind].maximum / 2) {
            remote[kind].limit = limit
            remote[kind].isLimitDue = true
        }
    }

    // MARK: Application

    /// Takes as many bytes to send as fit; the event `writable` reports when there is room again.
    mutating func write(
        _ id: StreamID, _ bytes: UnsafeRawBufferPointer
    ) throws(StreamError) -> Int {
        let slot = try known(id, sends: true)
        if slot.send.isEnded { throw .streamState(id) }
        let count = slot.send.write(bytes, ahead: ahead)
        noteHolding(slot)
        countHeld(slot)
        if count < bytes.count { slot.wantsRoom = true }
        queueForNew(slot)
        return count
    }

    /// How many bytes `write` would take; if none, the event `writable` reports when there is room.
    mutating func room(of id: StreamID) throws(StreamError) -> Int {
        let slot = try known(id, sends: true)
        if slot.send.isEnded { throw .streamState(id) }
        let room = slot.send.writableBytes(ahead: ahead)
        if room == 0 { slot.wantsRoom = true }
        return room
    }

    /// Frees the memory of both halves as far as they hold nothing; false if one still holds bytes.
    func releaseIdleMemory(of id: StreamID) -> Bool {
        guard let slot = slot(id) else { return true }
        slot.send.releaseIdleMemory()
        slot.receive.releaseIdleMemory()
        return slot.send.memoryBytes == 0 && slot.receive.memoryBytes == 0
    }

    /// Sets the class of the stream's data.
    mutating func setPriority(_ priority: StreamPriority, of id: StreamID) throws(StreamError) {
        try known(id, sends: true).priority = priority
    }

    /// Ends the sending half after the bytes written so far.
    mutating func finish(_ id: StreamID) throws(StreamError) {
        let slot = try known(id, sends: true)
        slot.send.finish()
        queueForNew(slot)
    }

    /// Abandons the sending half.
    mutating func reset(_ id: StreamID, code: UInt64) throws(StreamError) {
        reset(try known(id, sends: true), code: code)
    }

    /// Reads bytes in order.
    ///
    /// - Returns: how many bytes, and whether the stream ended with them; it may be removed then.
    /// - Throws: `unknownStream` after a reset of the peer, which is no end in order.
    mutating func read(
        _ id: StreamID, into buffer: UnsafeMutableRawBufferPointer
    ) throws(StreamError) -> (count: Int, isFinished: Bool) {
        let slot = try known(id, sends: false)
        if slot.receive.resetCode != nil { throw .unknownStream(id) }
        let count = slot.receive.read(into: buffer)
        flow.handleConsumed(UInt64(count))
        if slot.receive.isWindowUpdateDue { tell(slot, .maxStreamData) }
        let isFinished = slot.receive.isFinished
        if isFinished {
            slot.isEndReported = true
            removeIfDone(slot)
        }
        return (count, isFinished)
    }

    /// Asks the peer to stop sending.
    mutating func stop(_ id: StreamID, code: UInt64) throws(StreamError) {
        let slot = try known(id, sends: false)
        guard !slot.receive.isStopped else { return }
        let isOver = slot.receive.isComplete || slot.receive.resetCode != nil
        flow.handleConsumed(slot.receive.stop())
        slot.stopCode = code
        if !isOver { tell(slot, .stopSending) }
        removeIfDone(slot)
    }

    /// The next event for the application.
    mutating func nextEvent() -> StreamEvent? {
        while let slot = telling.first {
            if slot.events.remove(.wasStopped) != nil {
                return .stopped(slot.id, code: slot.stoppedCode)
            }
            if slot.events.remove(.wasReset) != nil {
                slot.isResetReported = true
                removeIfDone(slot)
                return .reset(slot.id, code: slot.receive.resetCode ?? 0)
            }
            if slot.events.remove(.readable) != nil { return .readable(slot.id) }
            if slot.events.remove(.writable) != nil { return .writable(slot.id) }
            if slot.events.remove(.delivered) != nil { return .delivered(slot.id) }
            slot.isQueuedForEvents = false
            _ = telling.popFirst()
        }
        return nil
    }

    // MARK: Memory

    /// Notes that a buffer of the stream may have memory now.
    mutating func noteHolding(_ slot: StreamSlot) {
        if slot.isHolding { return }
        slot.isHolding = true
        holding.append(slot.id)
    }

    /// Frees the buffers of streams that hold nothing and were not used since the call before, and
    /// shrinks those that are nearly empty; looks at a bounded number of them, and at most twice a
    /// second.
    mutating func freeIdleMemory(now: Instant) {
        guard !holding.isEmpty, now >= nextFreeing else { return }
        nextFreeing = now + StreamTable.freeingInterval
        var left = StreamTable.freeingBatch
        for _ in 0..<holding.count {
            guard left > 0, let id = holding.popFirst() else { return }
            // Streams that have ended are not in the table any more, and hold nothing.
            guard let slot = slots[id] else { continue }
            left -= 1
            let moved = slot.send.writtenOffset &+ slot.receive.highestOffset
            if moved == slot.movedBytes {
                slot.send.releaseIdleMemory()
                slot.receive.releaseIdleMemory()
            }
            slot.send.shrinkMemory()
            slot.receive.shrinkMemory()
            slot.movedBytes = moved
            let isFree = slot.send.memoryBytes == 0 && slot.receive.memoryBytes == 0
            if isFree { slot.isHolding = false } else { holding.append(id) }
        }
    }

    /// Counts what the sending half holds now.
    mutating func countHeld(_ slot: StreamSlot) {
        let held = slot.send.bufferedBytes
        heldBytes &+= held &- slot.heldBytes
        slot.heldBytes = held
    }

    private mutating func known(
        _ id: StreamID, sends: Bool
    ) throws(StreamError) -> StreamSlot {
        guard let slot = slot(id) else { throw .unknownStream(id) }
        guard sends ? slot.sends : slot.receives else { throw .streamState(id) }
        latest = slot
        return slot
    }

    mutating func reset(_ slot: StreamSlot, code: UInt64) {
        slot.send.reset(code: code)
        countHeld(slot)
        if slot.send.pendingReset != nil { tell(slot, .reset) }
    }

    mutating func tell(_ slot: StreamSlot, _ control: StreamSlot.Notices) {
        slot.controls.insert(control)
        if slot.isQueuedForControl { return }
        slot.isQueuedForControl = true
        controlling.append(slot)
    }

    mutating func raise(_ slot: StreamSlot, _ event: StreamSlot.Notices) {
        slot.events.insert(event)
        if slot.isQueuedForEvents { return }
        slot.isQueuedForEvents = true
        telling.append(slot)
    }
}

// Only the table accesses the slots, so the table may move to another thread.
extension StreamTable: @unchecked Sendable {}
