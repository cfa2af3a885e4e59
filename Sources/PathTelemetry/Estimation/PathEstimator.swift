/// What the acknowledgements, losses and silences of one path say about it.
///
/// Deterministic, no clock, no I/O, no allocation; every call takes constant time. Feed it with
/// the *handle* calls in the order of their times, call `tick` at least every 100 ms so that old
/// evidence fades while nothing arrives, and *read* it for the features of a decision.
public struct PathEstimator: Sendable {
    /// Time constants of the averages, seconds.
    private static let slow = 1.0
    private static let lossWindow = 5.0

    private var averagesTime: Instant?
    private(set) var rttFast = DecayingMean()
    private(set) var rttSlow = DecayingMean()
    private var delayFast = DecayingMean()
    private(set) var rateSlow = DecayingMean()
    private var jitter = QuantileTracker(floor: 1e-5)
    private var previousRTT: TimeDelta?

    private var rttWindow = SlidingMinimum()
    private var delayWindow = SlidingMinimum()
    /// The first raw delay; averages hold differences to it, because a raw delay contains the
    /// distance of two clocks and would lose its nanoseconds in a Double.
    private var delayOrigin = TimeDelta.zero

    private var lossTime: Instant?
    private(set) var lossShort = DecayingShare()
    private(set) var lossLong = DecayingShare()

    private var sentTime: Instant?
    private var sentBytes = 0.0

    /// Packets of the longest run in the latest loss; zero before the first.
    public private(set) var lastLossBurst = 0
    /// When packets were last declared lost.
    public private(set) var lastLoss: Instant?
    /// When an acknowledgement last arrived.
    public private(set) var lastReply: Instant?

    public init() {}

    // MARK: Handle

    /// Bytes were sent on the path.
    public mutating func handleSent(bytes: Int, now: Instant) {
        if let sentTime {
            sentBytes *= decayFactor(now - sentTime, timeConstant: PathEstimator.slow)
        }
        sentTime = now
        sentBytes += Double(max(0, bytes))
    }

    /// An acknowledgement arrived.
    ///
    /// - Parameters:
    ///   - rtt: the sample, RFC 9002 section 5.1; not positive means "no sample".
    ///   - rawOneWayDelay: the receiver's stamp minus the sender's: delay plus the unknown
    ///     distance of the two clocks. Nil when the acknowledgement had no stamp.
    ///   - bytes: newly acknowledged bytes.
    ///   - deliveryRate: the controller's sample, bytes per second, where it has one.
    public mutating func handleAck(
        rtt: TimeDelta, rawOneWayDelay: TimeDelta?, bytes: Int, deliveryRate: Double?,
        now: Instant
    ) {
        lastReply = now
        let slow = averagesTime.map {
            decayFactor(now - $0, timeConstant: PathEstimator.slow)
        }
        averagesTime = now
        let factor = slow ?? 1
        // exp(-t / 0.25) is the fourth power of exp(-t / 1).
        let fast = factor * factor * (factor * factor)
        if rtt.nanoseconds > 0 {
            rttFast.add(rtt.seconds, factor: fast)
            rttSlow.add(rtt.seconds, factor: factor)
            rttWindow.add(rtt, now: now)
            if let previousRTT { jitter.add((rtt - previousRTT).magnitude.seconds) }
            previousRTT = rtt
        }
        if let raw = rawOneWayDelay {
            if delayFast.weight == 0 { delayOrigin = raw }
            delayFast.add((raw - delayOrigin).seconds, factor: fast)
            delayWindow.add(raw, now: now)
        }
        if let rate = deliveryRate, rate.isFinite, rate > 0 {
            rateSlow.add(rate, factor: factor)
        }
    }

    /// Packets were declared lost.
    ///
    /// - Parameters:
    ///   - packets: how many in all.
    ///   - longestRun: the longest run of consecutive packet numbers among them.
    public mutating func handleLoss(packets: Int, longestRun: Int, now: Instant) {
        guard packets > 0 else { return }
        decayLoss(to: now)
        lossShort.add(lost: packets)
        lossLong.add(lost: packets)
        lastLossBurst = max(1, longestRun)
        lastLoss = now
    }

    /// Packets were acknowledged: the other side of the loss share.
    public mutating func handleDelivered(packets: Int, now: Instant) {
        guard packets > 0 else { return }
        decayLoss(to: now)
        lossShort.add(delivered: packets)
        lossLong.add(delivered: packets)
    }

    /// Lets the past fade up to now.
    public mutating func tick(_ now: Instant) {
        rttWindow.advance(to: now)
        delayWindow.advance(to: now)
        decayLoss(to: now)
        handleSent(bytes: 0, now: now)
    }

    private mutating func decayLoss(to now: Instant) {
        if let lossTime {
            let long = decayFactor(now - lossTime, timeConstant: PathEstimator.lossWindow)
            // exp(-t / 0.5) is the tenth power of exp(-t / 5).
            let square = long * long
            let fourth = square * square
            lossShort.decay(fourth * fourth * square)
            lossLong.decay(long)
        }
        lossTime = now
    }

    // MARK: Read

    /// The least RTT of the last 10 s; nil without a sample in them.
    public var minRTT: TimeDelta? { rttWindow.minimum }

    /// Mean RTT of about the last 250 ms, seconds; zero before the first sample.
    public var recentRTT: Double { rttFast.mean }

    /// How much the RTT of the last 250 ms lies above that of the last second, as a share of it.
    public var rttSlope: Double {
        rttSlow.mean > 0 ? (rttFast.mean - rttSlow.mean) / rttSlow.mean : 0
    }

    /// The least raw one-way delay of the last 10 s: contains the distance of the clocks.
    public var rawDelayMinimum: TimeDelta? { delayWindow.minimum }

    /// Mean raw one-way delay of about the last 250 ms; nil before the first.
    public var rawDelay: TimeDelta? { rawDelayNow }

    @inline(__always)
    var rawDelayNow: TimeDelta? {
        delayFast.weight > 0 ? delayOrigin + TimeDelta(seconds: delayFast.mean) : nil
    }

    /// How far the recent delay lies above its minimum of 10 s, seconds, zero or more.
    ///
    /// One-way where the receiver stamps its acknowledgements, else of the round trip.
    public var delayExcess: Double { excess(of: rawDelay) }

    /// The same where `rawDelay` is known already.
    @inline(__always)
    func excess(of rawDelay: TimeDelta?) -> Double {
        if let raw = rawDelay, let least = rawDelayMinimum { return max(0, (raw - least).seconds) }
        guard let least = minRTT else { return 0 }
        return max(0, rttFast.mean - least.seconds)
    }

    /// The 0.9 quantile of the differences between RTT samples in a row, seconds.
    public var jitterP90: Double { jitter.value }

    /// Mean delivery rate of about the last second, bytes per second; zero before a sample.
    public var deliveryRate: Double { rateSlow.mean }

    /// Standard deviation of the delivery rate as a share of its mean.
    public var rateVariation: Double {
        rateSlow.mean > 0 ? rateSlow.variance.squareRoot() / rateSlow.mean : 0
    }

    /// Share of packets lost over about the last 0.5 s.
    public var lossShareShort: Double { lossShort.share }
    /// Share of packets lost over about the last 5 s.
    public var lossShareLong: Double { lossLong.share }

    /// Our own load over about the last second, bytes per second.
    public var sendRate: Double { sentBytes / PathEstimator.slow }
}
