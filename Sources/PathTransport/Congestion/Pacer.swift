import PathTelemetry

/// Spreads the packets of one path over time (RFC 9002, 7.7).
///
/// A bucket that fills at the pacing rate; each packet takes its size out, and sending is allowed
/// while it is not empty. The burst is what a sender hands to the kernel in one call, so it is worth
/// about a millisecond of the rate. The bucket holds a burst and what is earned while a sender wakes
/// up late: without that, each late timer would lower the mean rate. An idle path saves up no more.
/// Debt is allowed for the last packet of a burst, so the mean rate holds whatever sizes are sent.
struct Pacer: Sendable {
    /// One burst is worth this much of the rate.
    static let burstTime = TimeDelta.milliseconds(1)
    /// How late a sender may wake without losing what was earned meanwhile.
    static let lateness = TimeDelta.milliseconds(2)
    /// The most that is saved up beyond a burst, bytes: more would overflow buffers on the way.
    static let maximumSaving = 4 * 65_536
    /// One burst is at least this many packets.
    static let minimumBurstPackets = 2
    /// One burst is at most this, bytes: what one segmented send call takes.
    static let maximumBurst = 65_536

    /// Bytes per second.
    private(set) var rate: Double
    /// What a sender waits for, bytes.
    private(set) var burst: Int
    /// The most that is saved up, bytes.
    private(set) var capacity: Double
    /// The bucket's content at `time`, bytes; below zero means debt.
    private var credit: Double
    private var time: Instant?

    init(rate: Double, maximumPacketSize: Int) {
        self.rate = CongestionLimits.pacingRate(rate)
        burst = Pacer.burst(rate: self.rate, maximumPacketSize: maximumPacketSize)
        capacity = Pacer.capacity(burst: burst, rate: self.rate)
        credit = Double(burst)
    }

    /// The burst for a rate.
    static func burst(rate: Double, maximumPacketSize: Int) -> Int {
        let size = Int(min(rate * burstTime.seconds, Double(maximumBurst)))
        return min(max(size, minimumBurstPackets * max(maximumPacketSize, 1)), maximumBurst)
    }

    private static func capacity(burst: Int, rate: Double) -> Double {
        Double(burst) + min(rate * lateness.seconds, Double(maximumSaving))
    }

    /// Sets the rate; what was earned until `now` was earned at the old one.
    mutating func update(rate newRate: Double, maximumPacketSize: Int, now: Instant) {
        refill(now)
        rate = CongestionLimits.pacingRate(newRate)
        burst = Pacer.burst(rate: rate, maximumPacketSize: maximumPacketSize)
        capacity = Pacer.capacity(burst: burst, rate: rate)
        credit = min(credit, capacity)
    }

    private func credit(at now: Instant) -> Double {
        guard let time, now > time else { return credit }
        return min(credit + (now - time).seconds * rate, capacity)
    }

    private mutating func refill(_ now: Instant) {
        credit = credit(at: now)
        time = time.map { max($0, now) } ?? now
    }

    /// Bytes that may go now; a packet may start while this is above zero.
    func budget(now: Instant) -> Int { max(Int(credit(at: now).rounded(.down)), 0) }

    /// Whether enough is there to be worth a send call: half a burst.
    ///
    /// An acknowledgement that comes while the bucket fills must not cut what one call could carry
    /// into single packets.
    func hasBurst(now: Instant) -> Bool { budget(now: now) &* 2 >= burst }

    /// Takes a sent packet out of the bucket.
    mutating func handleSent(bytes: Int, now: Instant) {
        refill(now)
        credit -= Double(bytes)
    }

    /// How long until a packet may go; zero when one may go now.
    ///
    /// After the bucket ran empty this waits for a whole burst if `forBurst`, so that the sender
    /// wakes once a burst and not once a packet.
    func delay(now: Instant, forBurst: Bool = false) -> TimeDelta {
        let available = credit(at: now)
        if forBurst ? hasBurst(now: now) : available >= 1 { return .zero }
        let wanted = forBurst ? Double(burst) : 1
        // Rounded up by a nanosecond, so that waking at that time finds the bucket filled.
        return TimeDelta(seconds: (wanted - available) / rate) + TimeDelta(nanoseconds: 1)
    }

    /// The earliest time at which a packet may go, given the time of the last event.
    func nextDeparture(now: Instant, forBurst: Bool = false) -> Instant {
        now + delay(now: now, forBurst: forBurst)
    }
}
