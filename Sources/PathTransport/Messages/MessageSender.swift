internal import PathTelemetry

/// Messages to send: split into fragments, retransmitted while the deadline allows, and reported.
///
/// Lost fragments are sent first, then new messages by their class, and within it in the order they
/// came; a message that was begun is finished first. Messages of the class `bulk` take at most half
/// of the room, so that others never find it full because of them. *Application*: `enqueue`,
/// `nextOutcome`. *Handle*: `handleAcked`, `handleLost`, `expire` (at `nextExpiry`). *Poll*:
/// `nextChunk` or its two parts, each followed by `copy`; `head` returns the message that would be
/// next.
struct MessageSender: ~Copyable {
    private let pin = Pin()
    private struct Slot {
        var number: UInt64 = 0
        var total = 0
        var options = MessageOptions()
        /// Bytes from this offset on were never sent.
        var sent: UInt64 = 0
        var acknowledged = RangeSet()
        var lost = RangeSet()
        var isQueuedForRetransmission = false
        /// Whether parts of it are sent on another path because theirs pauses.
        var isCopied = false

        /// Bytes to account for; an empty message counts as one byte.
        var span: UInt64 { UInt64(max(1, total)) }
    }

    private var slots: [Slot]
    private var free: [Int]
    private var buffers: MessageBuffers
    /// By number modulo the window: the slot of a message, or -1.
    private var table: [Int32]
    private var oldest: UInt64 = 0
    private var next: UInt64 = 0
    /// Messages of which something was never sent, by class.
    private var fresh = StreamPriority.allCases.map { _ in FIFO<UInt64>() }
    /// Those of them that would arrive after their deadline and have let others go first.
    private var yielding = StreamPriority.allCases.map { _ in FIFO<UInt64>() }
    /// When a message that is sent now is expected to arrive.
    ///
    /// A message whose deadline is before that lets others go first: after a pause of all paths each
    /// would otherwise wait for those before it, and then be as late as they. It is sent when nothing
    /// else waits, or a faster path has room.
    var expectedArrival = Instant.zero
    /// The message of which a part was sent, and the rest not yet.
    private var begun: UInt64?
    /// Messages of the class `bulk` that are held, and their bytes.
    private var bulkCount = 0
    private var bulkBytes = 0
    private var retransmitting = FIFO<UInt64>()
    private var deadlines: DeadlineHeap
    private var outcomes = FIFO<MessageOutcome>()
    let maximumCount: Int
    let maximumBytes: Int
    /// Most bytes of one message that the peer accepts.
    var sizeLimit = MessageLimits.size
    /// Bytes of the messages held.
    private(set) var queuedBytes = 0
    private(set) var retransmittedBytes: UInt64 = 0
    /// How many messages ended each way.
    private(set) var deliveredMessages: UInt64 = 0
    private(set) var expiredMessages: UInt64 = 0
    private(set) var lostMessages: UInt64 = 0

    /// - Parameters:
    ///   - maximumCount: messages held at once, at most half of the window of numbers.
    ///   - maximumBytes: bytes of them.
    init(maximumCount: Int = 1024, maximumBytes: Int = 8 << 20) {
        self.maximumCount = min(max(1, maximumCount), MessageLimits.window / 2)
        self.maximumBytes = max(1, maximumBytes)
        slots = Array(repeating: Slot(), count: self.maximumCount)
        free = Array((0..<self.maximumCount).reversed())
        buffers = MessageBuffers(slots: self.maximumCount, maximumIdleBytes: 1 << 20)
        table = Array(repeating: -1, count: MessageLimits.window)
        deadlines = DeadlineHeap(slots: self.maximumCount)
    }

    // MARK: Application

    /// Takes a message.
    ///
    /// - Returns: its number.
    /// - Throws: `messageSize` above `sizeLimit`, `messageQueueFull`.
    mutating func enqueue(
        _ bytes: UnsafeRawBufferPointer, options: MessageOptions, now: Instant
    ) throws(StreamError) -> UInt64 {
        guard bytes.count <= sizeLimit else {
            throw .messageSize(bytes: bytes.count, limit: sizeLimit)
        }
        expire(now: now)
        guard let slot = free.last, bytes.count <= maximumBytes - queuedBytes,
            next &- oldest < UInt64(MessageLimits.window), next < MessageLimits.number,
            options.priority != .bulk || takesBulk(bytes.count)
        else { throw .messageQueueFull(messages: count, bytes: queuedBytes) }
        free.removeLast()
        let number = next
        next &+= 1
        slots[slot].number = number
        slots[slot].total = bytes.count
        slots[slot].options = options
        slots[slot].sent = 0
        slots[slot].isCopied = false
        buffers.take(slot, bytes: bytes.count)
        unsafe buffers.store(slot, at: 0, bytes)
        queuedBytes += bytes.count
        if options.priority == .bulk {
            bulkCount += 1
            bulkBytes += bytes.count
        }
        table[place(number)] = Int32(truncatingIfNeeded: slot)
        deadlines.insert(slot, options.deadline)
        fresh[Int(options.priority.rawValue)].append(number)
        return number
    }

    private func takesBulk(_ bytes: Int) -> Bool {
        bulkCount < max(1, maximumCount / 2)
            && (bulkBytes == 0 || bytes <= maximumBytes / 2 - bulkBytes)
    }

    /// The next outcome of a message.
    ///
    /// If nobody asks, the latest outcomes are kept; the totals still count all.
    mutating func nextOutcome() -> MessageOutcome? { outcomes.popFirst() }

    // MARK: Handle

    /// Notes that a fragment has arrived; returns whether the message is complete by it.
    @discardableResult
    mutating func handleAcked(number: UInt64, offset: Int, length: Int) -> Bool {
        guard let slot = slot(of: number) else { return false }
        let range = sentRange(slot, offset, length)
        if range.isEmpty { return false }
        slots[slot].acknowledged.insert(range)
        slots[slot].lost.remove(range)
        if slots[slot].acknowledged.length == slots[slot].span {
            deliveredMessages &+= 1
            end(slot, .delivered(number: number))
            return true
        }
        return false
    }

    /// Queues a copy of the part of a fragment that is not acknowledged.
    mutating func handleLate(_ chunk: MessageChunk) {
        guard let slot = slot(of: chunk.number) else { return }
        slots[slot].isCopied = true
        handleMissing(slot, sentRange(slot, chunk.offset, chunk.length))
    }

    /// Queues the part of a fragment that has not arrived, after a loss or for re-injection.
    ///
    /// A message that tolerates loss ends instead, unless the fragment had arrived.
    mutating func handleLost(number: UInt64, offset: Int, length: Int) {
        guard let slot = slot(of: number) else { return }
        let range = sentRange(slot, offset, length)
        guard slots[slot].options.isReliable else {
            // Not if its copy is under way.
            if slots[slot].isCopied || slots[slot].acknowledged.firstGap(in: range) == nil {
                return
            }
            lostMessages &+= 1
            end(slot, .lost(number: number))
            return
        }
        handleMissing(slot, range)
    }

    private mutating func handleMissing(_ slot: Int, _ range: Range<UInt64>) {
        var rest = range
        while let gap = slots[slot].acknowledged.firstGap(in: rest) {
            slots[slot].lost.insert(gap)
            rest = gap.upperBound..<max(gap.upperBound, rest.upperBound)
        }
        if !slots[slot].lost.isEmpty, !slots[slot].isQueuedForRetransmission {
            slots[slot].isQueuedForRetransmission = true
            retransmitting.append(slots[slot].number)
        }
    }

    /// Drops the messages whose deadline has passed.
    mutating func expire(now: Instant) {
        while let slot = deadlines.popExpired(now: now) {
            expiredMessages &+= 1
            let span = Int(truncatingIfNeeded: slots[slot].span)
            let acknowledged = Int(truncatingIfNeeded: slots[slot].acknowledged.length)
            let sent = Int(truncatingIfNeeded: slots[slot].sent)
            let total = slots[slot].total
            end(
                slot,
                .expired(
                    number: slots[slot].number, unacknowledged: min(total, span - acknowledged),
                    unsent: min(total, span - sent)))
        }
    }

    /// When `expire` has to be called.
    var nextExpiry: Instant { deadlines.earliest }

    // MARK: Poll

    /// The next fragment: lost ones first, then new messages in order.
    ///
    /// - Parameter limit: most bytes of data.
    mutating func nextChunk(limit: Int, now: Instant) -> MessageChunk? {
        nextRetransmission(limit: limit, now: now) ?? nextNew(limit: limit, now: now)
    }

    /// The next fragment to retransmit.
    mutating func nextRetransmission(limit: Int, now: Instant) -> MessageChunk? {
        expire(now: now)
        while let slot = retransmissionSlot(), let range = slots[slot].lost.first {
            let size = Int(truncatingIfNeeded: range.upperBound &- range.lowerBound)
            let isEmpty = slots[slot].total == 0
            if !isEmpty, limit < min(size, MessageLimits.fragment) { return nil }
            guard let part = slots[slot].lost.popFirst(maxLength: UInt64(max(1, limit))) else {
                return nil
            }
            let chunk = chunk(slot, part, isRetransmission: true)
            retransmittedBytes &+= UInt64(chunk.length)
            return chunk
        }
        return nil
    }

    /// The next fragment that was never sent.
    mutating func nextNew(limit: Int, now: Instant) -> MessageChunk? {
        expire(now: now)
        guard let slot = freshSlot() else { return nil }
        let from = slots[slot].sent
        let left = Int(truncatingIfNeeded: slots[slot].span &- from)
        let isEmpty = slots[slot].total == 0
        if !isEmpty, limit < min(left, MessageLimits.fragment) { return nil }
        let upper = from &+ UInt64(isEmpty ? 1 : min(left, limit))
        slots[slot].sent = upper
        begun = upper == slots[slot].span ? nil : slots[slot].number
        return chunk(slot, from..<upper, isRetransmission: false)
    }

    /// The message whose lost fragments are sent next; nil if new messages go first.
    private mutating func retransmissionSlot() -> Int? {
        var left = retransmitting.count
        while left > 0, let number = retransmitting.first {
            left -= 1
            guard let slot = slot(of: number), !slots[slot].lost.isEmpty else {
                if let slot = slot(of: number) { slots[slot].isQueuedForRetransmission = false }
                _ = retransmitting.popFirst()
                continue
            }
            if !arrivesLate(slot) || !hasFresh { return slot }
            retransmitting.rotate()
        }
        return nil
    }

    /// The message that is sent next, apart from lost fragments.
    private mutating func freshSlot() -> Int? {
        if let number = begun, let slot = slot(of: number) { return slot }
        begun = nil
        for place in fresh.indices {
            if let slot = timelyYielding(place) { return slot }
            while let slot = firstFresh(place) {
                guard arrivesLate(slot), fresh[place].count > 1 else { return slot }
                _ = fresh[place].popFirst()
                yielding[place].append(slots[slot].number)
            }
            if let slot = firstYielding(place) { return slot }
        }
        return nil
    }

    /// The first new message of a class, apart from those that let others go first.
    private mutating func firstFresh(_ place: Int) -> Int? {
        while let number = fresh[place].first {
            if let slot = slot(of: number), slots[slot].sent < slots[slot].span { return slot }
            _ = fresh[place].popFirst()
        }
        return nil
    }

    /// The first message of a class that let others go first.
    private mutating func firstYielding(_ place: Int) -> Int? {
        while let number = yielding[place].first {
            if let slot = slot(of: number), slots[slot].sent < slots[slot].span { return slot }
            _ = yielding[place].popFirst()
        }
        return nil
    }

    /// The first of those that would not be late any more.
    private func timelyYielding(_ place: Int) -> Int? {
        for index in 0..<yielding[place].count {
            if let number = yielding[place][index], let slot = slot(of: number),
                slots[slot].sent < slots[slot].span, !arrivesLate(slot)
            {
                return slot
            }
        }
        return nil
    }

    private func arrivesLate(_ slot: Int) -> Bool {
        slots[slot].options.deadline < expectedArrival
    }

    private var hasFresh: Bool { begun != nil || fresh.contains { !$0.isEmpty } }

    /// Copies the bytes of a fragment; returns false if the message has ended since.
    func copy(_ chunk: MessageChunk, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        guard let slot = slot(of: chunk.number), chunk.length <= buffer.count else { return false }
        unsafe buffers.load(
            slot, at: chunk.offset,
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<chunk.length]))
        return true
    }

    /// The message whose fragment `nextChunk` would return, and how many of its bytes wait.
    mutating func head(now: Instant) -> (number: UInt64, bytes: Int, options: MessageOptions)? {
        expire(now: now)
        if let slot = retransmissionSlot() {
            let bytes = min(UInt64(slots[slot].total), slots[slot].lost.length)
            return (slots[slot].number, Int(truncatingIfNeeded: bytes), slots[slot].options)
        }
        guard let slot = freshSlot() else { return nil }
        let total = UInt64(slots[slot].total)
        let bytes = total &- min(total, slots[slot].sent)
        return (slots[slot].number, Int(truncatingIfNeeded: bytes), slots[slot].options)
    }

    // MARK: Read

    /// How many messages are held.
    var count: Int { maximumCount - free.count }
    /// Whether a path with room could take a fragment.
    var hasUnsent: Bool {
        hasFresh || !retransmitting.isEmpty || yielding.contains { !$0.isEmpty }
    }
    /// Whether more than one message waits; one that has ended may still count.
    var areSeveralUnsent: Bool {
        var count = retransmitting.count
        for place in fresh.indices { count &+= fresh[place].count &+ yielding[place].count }
        return count > 1
    }
    /// Whether parts have to be sent again.
    var hasRetransmissions: Bool { !retransmitting.isEmpty }
    /// Whether a message is still held: neither delivered, nor expired, nor lost.
    func isOutstanding(_ number: UInt64) -> Bool { slot(of: number) != nil }
    /// Whether bytes of a fragment are not acknowledged.
    func isMissing(_ chunk: MessageChunk) -> Bool {
        guard let slot = slot(of: chunk.number) else { return false }
        let range = sentRange(slot, chunk.offset, chunk.length)
        return slots[slot].acknowledged.firstGap(in: range) != nil
    }
    /// Bytes of memory for messages in use.
    var memoryBytes: Int { buffers.usedBytes }

    private func place(_ number: UInt64) -> Int {
        Int(truncatingIfNeeded: number & UInt64(MessageLimits.window - 1))
    }

    private func slot(of number: UInt64) -> Int? {
        guard number >= oldest, number < next else { return nil }
        let slot = Int(table[place(number)])
        return slot < 0 ? nil : slot
    }

    /// The part of a fragment that was sent, in bytes to account for.
    private func sentRange(_ slot: Int, _ offset: Int, _ length: Int) -> Range<UInt64> {
        if slots[slot].total == 0 { return 0..<slots[slot].sent }
        let lower = UInt64(max(0, offset))
        let (sum, overflow) = lower.addingReportingOverflow(UInt64(max(0, length)))
        let upper = min(overflow ? .max : sum, slots[slot].sent)
        return min(lower, upper)..<upper
    }

    private func chunk(_ slot: Int, _ range: Range<UInt64>, isRetransmission: Bool) -> MessageChunk
    {
        let total = slots[slot].total
        return MessageChunk(
            number: slots[slot].number, offset: Int(truncatingIfNeeded: range.lowerBound),
            length: total == 0 ? 0 : range.count, total: total,
            deadline: slots[slot].options.deadline, isRetransmission: isRetransmission,
            isCopy: isRetransmission && slots[slot].isCopied)
    }

    private mutating func end(_ slot: Int, _ outcome: MessageOutcome) {
        deadlines.remove(slot)
        buffers.give(slot)
        queuedBytes -= slots[slot].total
        if slots[slot].options.priority == .bulk {
            bulkCount -= 1
            bulkBytes -= slots[slot].total
        }
        slots[slot].isQueuedForRetransmission = false
        slots[slot].acknowledged.removeAll()
        slots[slot].lost.removeAll()
        table[place(slots[slot].number)] = -1
        free.append(slot)
        while oldest < next, table[place(oldest)] < 0 { oldest &+= 1 }
        if outcomes.count >= MessageLimits.window { _ = outcomes.popFirst() }
        outcomes.append(outcome)
    }
}
