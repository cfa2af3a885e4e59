import PathTelemetry

/// Spreads the packets of one path over time (RFC 9002, 7.7).
///
/// This is a token bucket that fills at the pacing rate; each packet takes its size out, and
/// sending is allowed while the bucket is not empty. A sender hands one burst to the kernel in one
/// call, so a burst is worth about a millisecond of the rate. The bucket holds a burst and the
/// tokens of the time by which a sender wakes up late, as otherwise each late timer would lower the
/// mean rate; an idle path saves no more. The last packet of a burst may go into debt, so the mean
/// rate is kept for all packet sizes.
struct Pacer: Sendable {
    /// Time at the pacing rate that one burst is worth.
    static let burstTime = TimeDelta.milliseconds(1)
    /// How late a sender may wake up without losing tokens.
    static let lateness = TimeDelta.milliseconds(2)
    /// The most that is saved beyond a burst, bytes; more would overflow buffers in the network.
    static let maximumSaving = 4 * 65_536
    /// Least packets in a burst.
    static let minimumBurstPackets = 2
    /// Most bytes in a burst, which one segmented send call takes.
    static let maximumBurst = 65_536

    /// Bytes per second.
    private(set) var rate: Double
    /// The burst that a sender waits for, bytes.
    private(set) var burst: Int
    /// The most that the bucket holds, bytes.
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

    /// Sets the rate; until `now` the bucket filled at the old one.
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

    /// Bytes that may be sent now; a packet may be sent while this is above zero.
    func budget(now: Instant) -> Int { max(Int(credit(at: now).rounded(.down)), 0) }

    /// Bytes that may be sent now by one that may leave a debt of some bytes; zero or less if none.
    func credit(now: Instant, debt: Int) -> Int { Int(credit(at: now).rounded(.down)) &+ debt }

    /// Whether the bucket holds half a burst, enough to be worth a send call.
    ///
    /// Otherwise an acknowledgement that arrives while the bucket fills would split one call's data
    /// into single packets.
    func hasBurst(now: Instant) -> Bool { budget(now: now) &* 2 >= burst }

    /// Takes a sent packet out of the bucket.
    mutating func handleSent(bytes: Int, now: Instant) {
        refill(now)
        credit -= Double(bytes)
    }

    /// Time until a packet may be sent; zero when one may be sent now.
    ///
    /// With `forBurst` it waits for a whole burst after the bucket ran empty, so that the sender
    /// wakes once per burst and not once per packet.
    func delay(now: Instant, forBurst: Bool = false) -> TimeDelta {
        let available = credit(at: now)
        if forBurst ? hasBurst(now: now) : available >= 1 { return .zero }
        let wanted = forBurst ? Double(burst) : 1
        // Rounded up by a nanosecond, so that waking at that time finds the bucket filled.
        return TimeDelta(seconds: (wanted - available) / rate) + TimeDelta(nanoseconds: 1)
    }

    /// The earliest time at which a packet may be sent, given the time of the last event.
    func nextDeparture(now: Instant, forBurst: Bool = false) -> Instant {
        now + delay(now: now, forBurst: forBurst)
    }
}
