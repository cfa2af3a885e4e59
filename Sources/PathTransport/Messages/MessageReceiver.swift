internal import PathTelemetry

/// The effect of an arriving fragment.
enum MessageArrival: Hashable, Sendable {
    /// Its message is not complete yet.
    case partial
    /// Its message can be delivered.
    case complete
    /// It had arrived before, or its message was delivered or dropped before.
    case duplicate
}

/// Reassembles messages from fragments and delivers each once, as soon as it is complete.
///
/// Messages may be delivered out of order. Count and bytes are bounded: to make room, the message
/// that began first is dropped, and incomplete messages before complete ones. *Handle*: `handle`,
/// `expire` (at `nextExpiry`). *Application*: `deliver`.
struct MessageReceiver: ~Copyable {
    private let pin = Pin()
    private struct Slot {
        var number: UInt64 = 0
        var total = 0
        var arrived = RangeSet(maximumRangeCount: MessageLimits.ranges)
    }

    /// What is known of a number in the window; other values are slots.
    private static let unseen: Int32 = -1
    private static let done: Int32 = -2

    private var slots: [Slot]
    private var free: [Int]
    private var buffers: MessageBuffers
    /// By number modulo the window: a slot, `unseen`, or `done`.
    private var table: [Int32]
    /// The lowest number in the window.
    private var base: UInt64 = 0
    private var partial: SlotList
    private var ready: SlotList
    private var deadlines: DeadlineHeap
    let maximumBytes: Int
    /// How long after its deadline an incomplete message is kept.
    let slack: TimeDelta
    private(set) var deliveredMessages: UInt64 = 0
    /// Incomplete messages that were dropped at their deadline.
    private(set) var expiredMessages: UInt64 = 0
    /// Messages that were dropped for lack of room, or because they are below the window.
    private(set) var droppedMessages: UInt64 = 0
    private(set) var duplicateBytes: UInt64 = 0

    /// - Parameters:
    ///   - maximumCount: messages held at once, complete or not.
    ///   - maximumBytes: memory for them, at least 64 KiB; a message takes a power of two.
    ///   - slack: how long after its deadline an incomplete message is kept.
    init(
        maximumCount: Int = 1024, maximumBytes: Int = 8 << 20,
        slack: TimeDelta = .milliseconds(100)
    ) {
        let count = min(max(1, maximumCount), MessageLimits.window / 2)
        self.maximumBytes = max(65_536, maximumBytes)
        self.slack = slack
        slots = Array(repeating: Slot(), count: count)
        free = Array((0..<count).reversed())
        buffers = MessageBuffers(slots: count, maximumIdleBytes: 1 << 20)
        table = Array(repeating: MessageReceiver.unseen, count: MessageLimits.window)
        partial = SlotList(slots: count)
        ready = SlotList(slots: count)
        deadlines = DeadlineHeap(slots: count)
    }

    // MARK: Handle

    /// Takes a fragment.
    ///
    /// - Parameters:
    ///   - offset: place of the data in the message.
    ///   - total: bytes of the whole message.
    ///   - lifetime: time left to the deadline when the fragment was sent; `infinite` for none.
    /// - Throws: `messageSize`, `malformedMessage`, which close the connection; `tooManyRanges`,
    ///   and then the packet must not be acknowledged.
    mutating func handle(
        number: UInt64, offset: Int, total: Int, data: UnsafeRawBufferPointer,
        lifetime: TimeDelta, now: Instant
    ) throws(StreamError) -> MessageArrival {
        guard total <= MessageLimits.size else {
            throw .messageSize(bytes: total, limit: MessageLimits.size)
        }
        guard number <= MessageLimits.number, total >= 0, offset >= 0, offset <= total,
            data.count <= total - offset, !data.isEmpty || total == 0
        else { throw .malformedMessage(number: number) }
        expire(now: now)
        guard number >= base else { return duplicate(data) }
        slide(to: number)
        let entry = table[place(number)]
        if entry == MessageReceiver.done { return duplicate(data) }
        let slot: Int
        if entry >= 0 {
            slot = Int(entry)
            guard slots[slot].total == total else { throw .malformedMessage(number: number) }
            // Complete, but not taken by the application yet.
            if isComplete(slot) { return duplicate(data) }
        } else {
            slot = begin(number, total: total, lifetime: lifetime, now: now)
        }
        let range = UInt64(offset)..<UInt64(offset + data.count)
        let before = slots[slot].arrived.length
        guard slots[slot].arrived.insert(range) else {
            throw .tooManyRanges(limit: MessageLimits.ranges)
        }
        let added = slots[slot].arrived.length &- before
        duplicateBytes &+= UInt64(data.count) &- added
        unsafe buffers.store(slot, at: offset, data)
        if isComplete(slot) {
            partial.remove(slot)
            deadlines.remove(slot)
            ready.append(slot)
            return .complete
        }
        return added == 0 ? .duplicate : .partial
    }

    /// Drops incomplete messages whose deadline and slack have passed.
    mutating func expire(now: Instant) {
        while let slot = deadlines.popExpired(now: now) {
            expiredMessages &+= 1
            end(slot)
        }
    }

    /// When `expire` has to be called.
    var nextExpiry: Instant { deadlines.earliest }

    // MARK: Application

    /// Bytes of the message that `deliver` would return; nil if none exists.
    var nextLength: Int? { ready.first.map { slots[$0].total } }

    /// Moves a complete message into a buffer of at least `nextLength` bytes.
    mutating func deliver(
        into buffer: UnsafeMutableRawBufferPointer
    ) -> (number: UInt64, length: Int)? {
        guard let slot = ready.first, slots[slot].total <= buffer.count else { return nil }
        let result = (number: slots[slot].number, length: slots[slot].total)
        unsafe buffers.load(
            slot, at: 0, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<result.length]))
        deliveredMessages &+= 1
        end(slot)
        return result
    }

    /// Removes and returns a complete message.
    mutating func deliver() -> (number: UInt64, bytes: [UInt8])? {
        guard let slot = ready.first else { return nil }
        let total = slots[slot].total
        let number = slots[slot].number
        let bytes = [UInt8](unsafeUninitializedCapacity: total) { buffer, count in
            let target = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: total)
            unsafe buffers.load(slot, at: 0, into: target)
            count = total
        }
        deliveredMessages &+= 1
        end(slot)
        return (number, bytes)
    }

    // MARK: Read

    /// Messages held that are not complete.
    var partialCount: Int { partial.count }
    /// Complete messages that the application has not taken yet.
    var readyCount: Int { ready.count }
    /// Bytes of memory for messages in use.
    var memoryBytes: Int { buffers.usedBytes }

    private func place(_ number: UInt64) -> Int {
        Int(truncatingIfNeeded: number & UInt64(MessageLimits.window - 1))
    }

    private func isComplete(_ slot: Int) -> Bool {
        slots[slot].arrived.length == UInt64(slots[slot].total)
    }

    private mutating func duplicate(_ data: UnsafeRawBufferPointer) -> MessageArrival {
        duplicateBytes &+= UInt64(data.count)
        return .duplicate
    }

    /// Moves the window so that it includes a number.
    private mutating func slide(to number: UInt64) {
        let window = UInt64(MessageLimits.window)
        guard number &- base >= window else { return }
        let target = number &- window &+ 1
        var left = min(target &- base, window)
        var leaving = base
        while left > 0 {
            let entry = table[place(leaving)]
            table[place(leaving)] = MessageReceiver.unseen
            if entry >= 0 {
                droppedMessages &+= 1
                release(Int(entry))
            }
            leaving &+= 1
            left &-= 1
        }
        base = target
    }

    /// Makes room for a message and begins it.
    private mutating func begin(
        _ number: UInt64, total: Int, lifetime: TimeDelta, now: Instant
    ) -> Int {
        let size = MessageBuffers.size(of: total)
        while free.isEmpty || buffers.usedBytes + size > maximumBytes,
            let oldest = partial.first ?? ready.first
        {
            droppedMessages &+= 1
            end(oldest)
        }
        let slot = free.removeLast()
        slots[slot].number = number
        slots[slot].total = total
        buffers.take(slot, bytes: total)
        table[place(number)] = Int32(truncatingIfNeeded: slot)
        partial.append(slot)
        deadlines.insert(slot, lifetime == .infinite ? .distantFuture : now + lifetime + slack)
        return slot
    }

    /// Ends a message; its later fragments count as duplicates.
    private mutating func end(_ slot: Int) {
        table[place(slots[slot].number)] = MessageReceiver.done
        release(slot)
    }

    private mutating func release(_ slot: Int) {
        partial.remove(slot)
        ready.remove(slot)
        deadlines.remove(slot)
        buffers.give(slot)
        slots[slot].arrived.removeAll()
        free.append(slot)
    }
}
