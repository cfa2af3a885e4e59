import PathTelemetry

/// The control of delay of one queue: CoDel, RFC 8289.
///
/// When packets have waited longer than `target` for `interval`, packets leave by being dropped, at
/// growing frequency, until the wait is short again. A packet that can carry a mark is marked instead.
struct CoDel: Sendable {
    private let target: Int64
    private let interval: Int64
    private var firstAbove: Int64 = 0
    private var isDropping = false
    private var dropNext: Int64 = 0
    private var count = 0
    private var lastCount = 0

    init(_ settings: QueueDiscipline.CoDelSettings) {
        target = settings.target.nanoseconds
        interval = settings.interval.nanoseconds
    }

    /// A queue of at most this many bytes, one packet of Ethernet, is never too long.
    private static let leastBytes = 1514

    /// Takes the next packet that shall leave, marked if that is due.
    ///
    /// - Parameter dropped: gets those that are dropped before it.
    mutating func dequeue(
        from queue: inout PacketRing, at now: Int64, dropped: inout [QueuedPacket]
    ) -> QueuedPacket? {
        var (packet, mayDrop) = take(from: &queue, at: now)
        if isDropping {
            if !mayDrop { isDropping = false }
            while isDropping, now >= dropNext, let late = packet {
                count += 1
                if late.isCapable {
                    dropNext = next(after: dropNext)
                    return marked(late)
                }
                dropped.append(late)
                (packet, mayDrop) = take(from: &queue, at: now)
                if mayDrop { dropNext = next(after: dropNext) } else { isDropping = false }
            }
            return packet
        }
        guard mayDrop, let late = packet else { return packet }
        isDropping = true
        // It goes on near the frequency that was enough a while ago.
        let delta = count - lastCount
        count = delta > 1 && now - dropNext < 16 * interval ? delta : 1
        dropNext = next(after: now)
        lastCount = count
        if late.isCapable { return marked(late) }
        dropped.append(late)
        (packet, mayDrop) = take(from: &queue, at: now)
        return packet
    }

    private func marked(_ packet: QueuedPacket) -> QueuedPacket {
        var packet = packet
        packet.isMarked = true
        return packet
    }

    /// Takes the first packet, and whether it has waited too long.
    private mutating func take(
        from queue: inout PacketRing, at now: Int64
    ) -> (packet: QueuedPacket?, mayDrop: Bool) {
        guard let packet = queue.popFirst() else {
            firstAbove = 0
            return (nil, false)
        }
        if now - packet.arrival < target || queue.bytes <= CoDel.leastBytes {
            firstAbove = 0
            return (packet, false)
        }
        guard firstAbove > 0 else {
            firstAbove = now + interval
            return (packet, false)
        }
        return (packet, now >= firstAbove)
    }

    /// The time of the next drop; the interval shrinks with the root of their number.
    private func next(after time: Int64) -> Int64 {
        saturatingSum(time, nanoseconds(Double(interval) / Double(max(1, count)).squareRoot()))
    }
}
