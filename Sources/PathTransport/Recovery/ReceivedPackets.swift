import PathTelemetry

/// The packets received on one path: replay window, acknowledgement ranges, receive stamps, and
/// when an acknowledgement is due.
struct ReceivedPackets: ~Copyable {
    private let pin = Pin()
    private static let windowBits: UInt64 = 8192
    /// Numbers this far below the largest are refused, as in WireGuard: it is one word less than
    /// the bits kept, because the oldest word is reused as soon as the largest number enters the
    /// next word.
    static let windowSize = windowBits - 64

    private var window = [UInt64](repeating: 0, count: Int(ReceivedPackets.windowBits / 64))
    private(set) var largest: UInt64 = 0
    private(set) var isEmpty = true
    /// Different packets received.
    private var count: UInt64 = 0
    private var ranges = InlineArray<64, AckFrame.Range>(
        repeating: AckFrame.Range(first: 0, last: 0))
    private var rangeCount = 0
    /// A bit for each range that holds a packet which no acknowledgement has reported.
    private var unreported: UInt64 = 0
    private var stamps = InlineArray<16, AckFrame.Stamp>(
        repeating: AckFrame.Stamp(first: 0, time: 0))
    private var stampCount = 0
    /// Stamps that no acknowledgement has reported.
    private var freshStamps = 0
    /// The paths on which the packets until now were acknowledged, a bit for each.
    private var reportedOn: UInt32 = 0
    private var largestReceivedAt = Instant.zero

    /// Ack-eliciting packets since the last acknowledgement was written.
    private(set) var unacknowledged = 0
    /// Smallest number that came since the last acknowledgement was written.
    private var smallestUnreported = UInt64.max
    /// When the acknowledgement has to be sent; distant future when none is due.
    private(set) var ackDueAt = Instant.distantFuture
    /// What the peer asked for by ACK_FREQUENCY: packets per acknowledgement, and its delay.
    var packetTolerance = 2
    var ackDelay = TimeDelta.milliseconds(5)

    var owesAck: Bool { unacknowledged > 0 }

    /// Whether the packets until now were acknowledged, but not on a path.
    ///
    /// - Parameter path: its index.
    func isNews(on path: Int) -> Bool {
        reportedOn != 0 && reportedOn & (1 &<< UInt32(path)) == 0
    }

    // MARK: replay window, RFC 4303 section 3.4.3

    /// Whether the number was not seen yet and is not too old.
    ///
    /// To be checked before a packet is decrypted.
    func isNew(_ number: UInt64) -> Bool {
        if isEmpty || number > largest { return true }
        guard largest - number < ReceivedPackets.windowSize else { return false }
        return !bit(number)
    }

    @inline(__always)
    private func bit(_ number: UInt64) -> Bool {
        window[Int(number >> 6) & (window.count - 1)] & (1 &<< (number & 63)) != 0
    }

    private mutating func setBit(_ number: UInt64) {
        window[Int(number >> 6) & (window.count - 1)] |= 1 &<< (number & 63)
    }

    private mutating func advanceWindow(to number: UInt64) {
        let steps = (number >> 6) - (largest >> 6)
        let words = UInt64(window.count)
        for step in 0..<min(steps, words) {
            window[Int((largest >> 6) + 1 + step) & (window.count - 1)] = 0
        }
        largest = number
    }

    // MARK: receiving

    /// Records a decrypted packet, and decides whether an acknowledgement is due (RFC 9000,
    /// 13.2.1).
    ///
    /// - Parameter stamp: microseconds of the receiver's own clock.
    mutating func record(
        _ number: UInt64, isAckEliciting: Bool, stamp: UInt64, receivedAt: Instant, now: Instant,
        wantsAckAtOnce: Bool
    ) {
        let isInOrder = isEmpty ? number == 0 : number == largest + 1
        if isEmpty {
            isEmpty = false
            largest = number
            largestReceivedAt = receivedAt
            noteStamp(0, stamp)
        } else if number > largest {
            let next = largest + 1
            advanceWindow(to: number)
            largestReceivedAt = receivedAt
            noteStamp(next, stamp)
        }
        setBit(number)
        count += 1
        insertRange(number)
        smallestUnreported = min(smallestUnreported, number)
        reportedOn = 0
        guard isAckEliciting else { return }
        unacknowledged += 1
        if wantsAckAtOnce || !isInOrder || unacknowledged >= packetTolerance {
            ackDueAt = min(ackDueAt, now)
        } else {
            ackDueAt = min(ackDueAt, now + ackDelay)
        }
    }

    /// Notes the arrival time of the packets from `number` to the largest.
    ///
    /// Packets that the largest overtook belong to this run: in the run before, they would seem to
    /// have arrived before they were sent.
    private mutating func noteStamp(_ number: UInt64, _ time: UInt64) {
        if stampCount > 0, time <= stamps[0].time { return }
        for index in stride(from: min(stampCount, 15), to: 0, by: -1) {
            stamps[index] = stamps[index - 1]
        }
        stamps[0] = AckFrame.Stamp(first: number, time: time)
        stampCount = min(stampCount + 1, AckFrame.maximumStamps)
        freshStamps = min(freshStamps + 1, AckFrame.maximumStamps)
    }

    private mutating func insertRange(_ number: UInt64) {
        var index = 0
        while index < rangeCount {
            let range = ranges[index]
            if number > range.last {
                if number == range.last + 1 {
                    ranges[index].last = number
                    unreported |= 1 &<< UInt64(index)
                    if index > 0, ranges[index - 1].first == number + 1 { merge(index) }
                    return
                }
                break
            }
            if number >= range.first { return }
            if number + 1 == range.first {
                ranges[index].first = number
                unreported |= 1 &<< UInt64(index)
                if index + 1 < rangeCount, ranges[index + 1].last + 1 == number {
                    merge(index + 1)
                }
                return
            }
            index += 1
        }
        if rangeCount == AckFrame.maximumRanges {
            let dropped = leastNeeded
            remove(dropped)
            if dropped < index { index -= 1 }
        }
        for position in stride(from: rangeCount, to: index, by: -1) {
            ranges[position] = ranges[position - 1]
        }
        ranges[index] = AckFrame.Range(first: number, last: number)
        rangeCount += 1
        let newer: UInt64 = (1 &<< UInt64(index)) &- 1
        unreported =
            unreported & newer | (unreported & ~newer) &<< 1 | 1 &<< UInt64(index)
    }

    /// The oldest range that the peer was told about; the oldest of all if none was.
    ///
    /// It is never the newest, on which the stamps of an acknowledgement are based.
    private var leastNeeded: Int {
        let known = ~unreported & ~1
        return known == 0 ? rangeCount - 1 : 63 - known.leadingZeroBitCount
    }

    /// Joins the range at `index` with the newer one before it.
    private mutating func merge(_ index: Int) {
        ranges[index - 1].first = ranges[index].first
        unreported |= 1 &<< UInt64(index - 1)
        remove(index)
    }

    private mutating func remove(_ index: Int) {
        for position in index..<rangeCount - 1 { ranges[position] = ranges[position + 1] }
        rangeCount -= 1
        let newer: UInt64 = (1 &<< UInt64(index)) &- 1
        unreported = unreported & newer | (unreported &>> 1) & ~newer
    }

    // MARK: acknowledging

    /// The acknowledgement as of now, nil when nothing was received.
    ///
    /// The caller confirms it with `didAcknowledge`.
    ///
    /// - Parameter isRepetition: it has the stamps of an earlier one too, which may be lost.
    func ackFrame(path: PathID, isRepetition: Bool = false, now: Instant) -> AckFrame? {
        guard rangeCount > 0 else { return nil }
        var frame = AckFrame(path: path, delay: max(.zero, now - largestReceivedAt))
        frame.missing = largest &+ 1 &- count
        for index in 0..<rangeCount { frame.append(range: ranges[index]) }
        // The newest stamp that is known already is the base of the others.
        let told = isRepetition ? stampCount : min(stampCount, freshStamps + 1)
        for index in 0..<told { frame.append(stamp: stamps[index]) }
        return frame
    }

    /// Notes that an acknowledgement was written into a packet.
    ///
    /// - Parameter path: the index of the packet's path.
    mutating func didAcknowledge(on path: Int) {
        reportedOn |= 1 &<< UInt32(path)
        unacknowledged = 0
        unreported = 0
        smallestUnreported = .max
        ackDueAt = .distantFuture
        freshStamps = 0
    }

    /// Drops ranges that the peer knows, as it acknowledged an ACK frame up to `acknowledged`.
    mutating func forget(upTo acknowledged: UInt64) {
        // The peer does not know yet which gaps were filled since then.
        guard smallestUnreported > 0 else { return }
        let limit = min(acknowledged, smallestUnreported - 1)
        while rangeCount > 1, ranges[rangeCount - 1].last <= limit { rangeCount -= 1 }
    }
}
