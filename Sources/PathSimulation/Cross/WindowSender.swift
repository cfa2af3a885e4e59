import PathTelemetry

/// The sender of a flow that always has data and is acknowledged packet by packet.
///
/// Every packet has a new number. A packet counts as lost when one that was sent `reordering` packets
/// after it is acknowledged (RFC 6675 has 3; an acknowledgement of a packet called lost raises the
/// number, as in Linux), or when nothing is acknowledged for the time of RFC 6298.
struct WindowSender: Sendable {
    /// A packet on its way.
    struct Outstanding: Sendable {
        var sentAt: Int64 = 0
        /// Packets delivered when it was sent, when the last of them was, and when that one was sent.
        var delivered = 0
        var deliveredAt: Int64 = 0
        var firstSentAt: Int64 = 0
        var isSettled = false
    }

    private let isPaced: Bool
    private var cubic = CubicWindow()
    private var model: BandwidthModel
    /// The packets from `oldest` on, in a ring.
    private var ring = [Outstanding](repeating: Outstanding(), count: 64)
    private var oldest = 0
    private var next = 0
    private var inFlight = 0
    private var largestAcked = -1
    /// Packets before this one have been looked at for losses.
    private var examined = 0
    private var reordering = 3
    private var delivered = 0
    private var deliveredAt: Int64 = 0
    private var firstSentAt: Int64 = 0
    private var smoothed: Double = 0
    private var deviation: Double = 0
    /// The last progress, and how often the time-out doubled.
    private var progressAt: Int64 = 0
    private var backoff = 0
    private var nextDeparture = Int64.min

    init(_ traffic: CrossTraffic, random: LinkRandom) {
        isPaced = traffic.kind == .bbr
        model = BandwidthModel(random: random)
    }

    private subscript(number: Int) -> Outstanding {
        get { ring[number & (ring.count &- 1)] }
        set { ring[number & (ring.count &- 1)] = newValue }
    }

    // MARK: times

    private var limit: Double { isPaced ? model.window : cubic.window }
    private var hasRoom: Bool { Double(inFlight) + 1 <= max(1, limit) }

    /// When a packet may leave; `Int64.max` while the window is full.
    var nextSend: Int64 { hasRoom ? (isPaced ? nextDeparture : .min) : .max }

    /// RFC 6298, with the least time of Linux, 200 ms.
    private var retransmissionTime: Int64 {
        let base = smoothed > 0 ? max(0.2e9, smoothed + 4 * deviation) : 1e9
        return nanoseconds(min(60e9, base * Double(1 &<< min(backoff, 8))))
    }

    /// When nothing has come back for too long; `Int64.max` while nothing is on its way.
    var timeout: Int64 {
        inFlight > 0 ? saturatingSum(progressAt, retransmissionTime) : .max
    }

    func maySend(now: Int64) -> Bool { nextSend <= now }

    // MARK: events

    mutating func handleSent(_ number: Int, now: Int64) {
        if next &- oldest == ring.count { grow() }
        if inFlight == 0 {
            progressAt = now
            deliveredAt = now
            firstSentAt = now
        }
        self[number] = Outstanding(
            sentAt: now, delivered: delivered, deliveredAt: deliveredAt, firstSentAt: firstSentAt)
        next = number &+ 1
        inFlight &+= 1
        guard isPaced else { return }
        nextDeparture = saturatingSum(max(now, nextDeparture), nanoseconds(1e9 / model.pacingRate))
    }

    mutating func handleAck(_ number: Int, isMarked: Bool, now: Int64) {
        guard number >= oldest, number < next else { return }
        let packet = self[number]
        progressAt = now
        backoff = 0
        if packet.isSettled {
            // It was called lost, or it is a second copy.
            if number < examined {
                reordering = min(300, max(reordering, largestAcked &- number &+ 1))
            }
            return
        }
        self[number].isSettled = true
        inFlight &-= 1
        delivered &+= 1
        deliveredAt = now
        firstSentAt = max(firstSentAt, packet.sentAt)
        let roundTrip = Double(now &- packet.sentAt)
        sample(roundTrip)
        let elapsed = max(now &- packet.deliveredAt, packet.sentAt &- packet.firstSentAt)
        largestAcked = max(largestAcked, number)
        if isPaced {
            model.handleAck(
                roundTrip: roundTrip, delivered: delivered, sentAfter: packet.delivered,
                elapsed: Double(elapsed), inFlight: inFlight, now: now)
        } else {
            cubic.handleAck(number: number, roundTrip: smoothed, now: now)
            if isMarked { cubic.handleLoss(number: number, next: next) }
        }
        detectLosses()
        while oldest < next, self[oldest].isSettled, oldest < largestAcked &- 400 {
            oldest &+= 1
        }
    }

    private mutating func sample(_ roundTrip: Double) {
        if smoothed == 0 {
            smoothed = roundTrip
            deviation = roundTrip / 2
        } else {
            deviation += (abs(smoothed - roundTrip) - deviation) / 4
            smoothed += (roundTrip - smoothed) / 8
        }
    }

    private mutating func detectLosses() {
        while examined <= largestAcked &- reordering {
            if !self[examined].isSettled { lose(examined) }
            examined &+= 1
        }
    }

    private mutating func lose(_ number: Int) {
        self[number].isSettled = true
        inFlight &-= 1
        if !isPaced { cubic.handleLoss(number: number, next: next) }
    }

    /// Gives up all packets when nothing comes back.
    mutating func handleTimeout(now: Int64) {
        guard timeout <= now else { return }
        for number in max(examined, oldest)..<next where !self[number].isSettled {
            self[number].isSettled = true
            inFlight &-= 1
        }
        examined = next
        oldest = next
        backoff += 1
        progressAt = now
        if !isPaced { cubic.handleTimeout(next: next) }
    }

    private mutating func grow() {
        var larger = [Outstanding](repeating: Outstanding(), count: ring.count * 2)
        for number in oldest..<next { larger[number & (larger.count - 1)] = self[number] }
        ring = larger
    }
}
