import Glibc

/// The quantities that all paths of a decision share.
struct DecisionMoment: Sendable {
    var now: Instant
    /// The same in UTC, for the 15 s grid.
    private var utc: Instant
    /// Bytes of the burst, and its deadline in seconds.
    var bytes: Double
    var deadline: Double
    /// The path of the previous decision.
    var current: PathID?
    /// Sine and cosine of the 15 s grid; zero until `computeGrid`.
    private(set) var grid = (sine: 0.0, cosine: 0.0)
    private var hasGrid = false

    init(
        now: Instant = .zero, utc: Instant = .zero, bytes: Double = 0, deadline: Double = 0,
        current: PathID? = nil
    ) {
        self.now = now
        self.utc = utc
        self.bytes = bytes
        self.deadline = deadline
        self.current = current
    }

    /// Nanoseconds between reconfigurations of the Starlink constellation, on UTC.
    private static let gridPeriod: Int64 = 15_000_000_000

    /// Computes the phase of the grid once for all paths, before the first reading that needs it.
    @inline(never)
    mutating func computeGrid() {
        guard !hasGrid else { return }
        let period = DecisionMoment.gridPeriod
        let phase = Double(utc.nanoseconds % period) * (2 * Double.pi / Double(period))
        grid = (sin(phase), cos(phase))
        hasGrid = true
    }
}

/// The readings of one path at the time of a decision: seconds, bytes, and bytes per second.
struct PathReading {
    var rtt: Double
    var rttVariation: Double
    var leastRTT: Double
    /// One over the smoothed RTT; zero without one.
    var perRTT: Double
    /// The rate that a burst sent on the path now can expect; above zero.
    var rate: Double
    /// Bytes in flight over rate times least RTT, with one packet more in both.
    var flightShare: Double
    /// Seconds until the window has room for the burst, below zero where it has, and seconds that
    /// the path needs for the burst.
    private var windowWait: Double
    private var transferTime: Double
    /// The one-way delay expected of a packet that waits behind nothing.
    private var usualDelay: Double
    var sinceLoss: Double
    var sinceReply: Double
    /// Age of the oldest packet without an answer.
    var unansweredAge: Double
    var pacingDelay: Double
    var probeTimeouts: Double
    /// What the path holds unanswered.
    let queue: PathQueue
    var isCurrent: Bool
    var pricePerGB: Double
    var grid: (sine: Double, cosine: Double)

    /// - Parameter clockOffset: for the one-way delay, which is half the round trip if the receiver
    ///   sends no timestamps.
    @inline(__always)
    init(
        _ snapshot: inout PathSnapshot, _ evidence: inout PathEvidence,
        clockOffset: TimeDelta?, _ moment: borrowing DecisionMoment
    ) {
        let now = moment.now
        let smoothed = snapshot.smoothedRTT.seconds
        rtt = smoothed
        rttVariation = snapshot.rttVariation.seconds
        leastRTT = snapshot.minRTT < snapshot.smoothedRTT ? snapshot.minRTT.seconds : smoothed
        rate = PathReading.expectedRate(&snapshot, measured: evidence.rateMean)
        let flight = Double(snapshot.bytesInFlight)
        let size = moment.bytes >= 0 ? moment.bytes : 0
        sinceReply = PathReading.age(
            snapshot.lastReply == nil ? evidence.lastReply : snapshot.lastReply, now)
        // Side by side, because divisions take long.
        let span = DelayForecast.span
        let age = sinceReply >= 0 ? sinceReply : 0
        let quotients =
            SIMD4(flight + 1200, flight + size - Double(snapshot.congestionWindow), 1, span)
            / SIMD4(rate * leastRTT + 1200, rate, smoothed, span + age)
        flightShare = quotients[0]
        windowWait = quotients[1]
        perRTT = smoothed > 0 ? quotients[2] : 0
        sinceLoss = PathReading.age(evidence.lastLoss, now)
        unansweredAge = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        pacingDelay = snapshot.pacingDelay.seconds
        probeTimeouts = Double(snapshot.probeTimeouts)
        var leastDelay = leastRTT / 2
        if let raw = evidence.rawDelayMinimum {
            leastDelay = ClockOffset.delay(ofRaw: raw, offset: clockOffset)
        }
        queue = PathQueue(
            leastDelay: leastDelay, leastRTT: leastRTT, rate: rate, age: unansweredAge,
            sinceReply: sinceReply, flight: flight, &evidence)
        transferTime = size * queue.perByte
        usualDelay =
            leastDelay + evidence.usualExcess
            + evidence.lastingExcess * quotients[3] * quotients[3]
        isCurrent = moment.current == snapshot.path
        pricePerGB = snapshot.traits.pricePerGB
        grid = snapshot.traits.kind == .starlink ? moment.grid : (0, 0)
    }

    /// The prediction that models correct: seconds from now until the burst, sent on the path, has
    /// arrived; at least 0.1 ms.
    ///
    ///     h = wait + bytes x service time + max(usual delay, arrival behind what the path holds)
    ///
    /// `wait` is the longer of the pacer's queue and the time until the window has room for the
    /// burst. `DelayForecast` predicts the usual delay from those of other packets, and `PathQueue`
    /// the arrival; that of a silent path grows before any packet is declared lost.
    var prediction: Double {
        @inline(__always)
        get {
            // Each of these strict comparisons is one instruction.
            let longer = windowWait > pacingDelay ? windowWait : pacingDelay
            let wait = 0 > longer ? 0 : longer
            let arrival = usualDelay > queue.arrival ? usualDelay : queue.arrival
            let sum = wait + transferTime + arrival
            return sum > 1e-4 ? sum : 1e-4
        }
    }

    /// The rate that a burst sent on the path now can expect, bytes per second, above zero.
    ///
    /// The controller's pacing rate if it has one (a delivery rate measured with little to send is
    /// too low), else the delivery rate, else window over RTT; never above the user's limit.
    ///
    /// - Parameter measured: mean delivery rate, zero before a sample.
    @inline(__always)
    private static func expectedRate(
        _ snapshot: inout PathSnapshot, measured: Double
    ) -> Double {
        var rate = snapshot.pacingRate
        if !isUsable(rate) {
            rate = max(measured, snapshot.deliveryRate)
            if !isUsable(rate) {
                rate = Double(snapshot.congestionWindow) / max(1e-3, snapshot.smoothedRTT.seconds)
            }
        }
        return max(1000, min(rate, snapshot.traits.rateLimit))
    }

    /// Whether a rate is above zero and finite.
    @inline(__always)
    private static func isUsable(_ rate: Double) -> Bool {
        rate > 0 && rate <= .greatestFiniteMagnitude
    }

    @inline(__always)
    private static func age(_ instant: Instant?, _ now: Instant) -> Double {
        instant.map { (now - $0).seconds } ?? .infinity
    }
}

/// The time after which a reply is overdue.
public enum ReplyTime {
    /// The time within which the reply to a packet should arrive, seconds: the smoothed RTT plus
    /// four variations, and at least 10 ms.
    ///
    /// A single lost packet is not noticed before that.
    @inlinable @inline(__always)
    public static func latest(rtt: Double, variation: Double) -> Double {
        // The same as `max`, even for NaN, by one instruction.
        let margin = 4 * variation
        return rtt + (0.01 > margin ? 0.01 : margin)
    }
}
