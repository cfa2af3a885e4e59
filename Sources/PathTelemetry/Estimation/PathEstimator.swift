/// Estimates the state of one path from its acknowledgements, losses and silences.
///
/// It is deterministic and has no clock, no I/O and no allocation; every call takes constant time.
/// Make the *handle* calls in time order, call `tick` at least every 100 ms so that old evidence
/// decays while nothing arrives, and *read* it for the features of a decision.
public struct PathEstimator: Sendable {
    /// Time constants of the averages, seconds.
    private static let slow = 1.0
    private static let lossWindow = 5.0

    private var averagesTime: Instant?
    private var rttFast = DecayingMean()
    private var rttSlow = DecayingMean()
    private var delayFast = DecayingMean()
    private var forecast = DelayForecast()
    private var rateSlow = DecayingMean()
    private var jitter = QuantileTracker(floor: 1e-5)
    private var previousRTT: TimeDelta?

    private var rttWindow = SlidingMinimum()
    private var delayWindow = SlidingMinimum()
    /// The first raw delay; averages hold differences from it, because a raw delay contains the
    /// offset of two clocks, and a Double would lose its nanoseconds.
    private var delayOrigin = TimeDelta.zero

    private var lossTime: Instant?
    private var lossShort = DecayingShare()
    private var lossLong = DecayingShare()

    /// The values that a decision reads.
    public internal(set) var evidence = PathEvidence()

    public init() {}

    // MARK: Handle

    /// Takes an acknowledgement.
    ///
    /// - Parameters:
    ///   - rtt: the sample, RFC 9002 section 5.1; a value that is not positive means "no sample".
    ///   - rawOneWayDelay: the receiver's stamp minus the sender's: the delay plus the unknown
    ///     offset of the two clocks. Nil if the acknowledgement had no stamp.
    ///   - bytes: newly acknowledged bytes.
    ///   - deliveryRate: the controller's sample, bytes per second, if there is one.
    public mutating func handleAck(
        rtt: TimeDelta, rawOneWayDelay: TimeDelta?, bytes: Int, deliveryRate: Double?,
        now: Instant
    ) {
        evidence.lastReply = now
        let slow = averagesTime.map {
            decayFactor(now - $0, timeConstant: PathEstimator.slow)
        }
        let elapsed = averagesTime.map { max(0, (now - $0).seconds) } ?? 0
        averagesTime = now
        let factor = slow ?? 1
        evidence.queuedBytes *= factor
        evidence.queuedTime *= factor
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
            forecast.add((raw - delayOrigin).seconds, elapsed: elapsed, decay: factor)
            delayWindow.add(raw, now: now)
            evidence.rawDelay = delayOrigin + TimeDelta(seconds: delayFast.mean)
        }
        if let rate = deliveryRate, rate.isFinite, rate > 0 {
            rateSlow.add(rate, factor: factor)
        }
        publishAverages()
    }

    /// Takes packets that waited in the queue of the path behind others, after the acknowledgement
    /// that told of them.
    ///
    /// An application that sends little never fills the path, so its delivery rate is no measure of
    /// it; the time from one arrival to the next is, while a packet waits.
    ///
    /// - Parameters:
    ///   - bytes: of these packets.
    ///   - time: from the arrival before each to its own, in all.
    public mutating func handleQueued(bytes: Int, time: TimeDelta) {
        guard bytes > 0 else { return }
        evidence.queuedBytes += Double(bytes)
        evidence.queuedTime += max(0, time.seconds)
    }

    /// Drops all one-way delays, because one of the two clocks has jumped.
    public mutating func forgetOneWayDelays() {
        delayFast = DecayingMean()
        forecast = DelayForecast()
        delayWindow = SlidingMinimum()
        delayOrigin = .zero
        evidence.rawDelay = nil
        publishAverages()
    }

    /// Takes packets that were declared lost.
    ///
    /// - Parameters:
    ///   - packets: number of lost packets.
    ///   - longestRun: the longest run of consecutive packet numbers among them.
    public mutating func handleLoss(packets: Int, longestRun: Int, now: Instant) {
        guard packets > 0 else { return }
        decayLoss(to: now)
        lossShort.add(lost: packets)
        lossLong.add(lost: packets)
        evidence.lossBurst = Double(max(1, longestRun))
        evidence.lastLoss = now
        publishLoss()
    }

    /// Takes acknowledged packets for the loss share.
    public mutating func handleDelivered(packets: Int, now: Instant) {
        guard packets > 0 else { return }
        decayLoss(to: now)
        lossShort.add(delivered: packets)
        lossLong.add(delivered: packets)
        publishLoss()
    }

    /// Decays old evidence up to now.
    public mutating func tick(_ now: Instant) {
        rttWindow.advance(to: now)
        delayWindow.advance(to: now)
        publishAverages()
        decayLoss(to: now)
        publishLoss()
    }

    private mutating func publishAverages() {
        evidence.minRTT = rttWindow.minimum
        evidence.rawDelayMinimum = delayWindow.minimum
        evidence.rttSlope =
            rttSlow.mean > 0 ? (rttFast.mean - rttSlow.mean) / rttSlow.mean : 0
        evidence.jitterP90 = jitter.value
        evidence.rateMean = rateSlow.mean
        evidence.rateVariation =
            rateSlow.mean > 0 ? rateSlow.variance.squareRoot() / rateSlow.mean : 0
        if let raw = evidence.rawDelay, let least = evidence.rawDelayMinimum {
            evidence.delayExcess = max(0, (raw - least).seconds)
        } else if let least = evidence.minRTT {
            evidence.delayExcess = max(0, rttFast.mean - least.seconds)
        } else {
            evidence.delayExcess = 0
        }
        publishForecast()
    }

    private mutating func publishForecast() {
        guard let least = evidence.rawDelayMinimum else {
            evidence.usualExcess = 0
            evidence.lastingExcess = 0
            return
        }
        let above = (delayOrigin - least).seconds
        evidence.usualExcess = max(0, forecast.level + above)
        evidence.lastingExcess =
            forecast.persistence
            * (max(0, forecast.recent + above) - evidence.usualExcess)
    }

    private mutating func publishLoss() {
        evidence.lossShort = lossShort.share
        evidence.lossLong = lossLong.share
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

    /// Packets in the longest run of the latest loss; zero before the first.
    var lastLossBurst: Int { Int(evidence.lossBurst) }
    /// When packets were last declared lost.
    var lastLoss: Instant? { evidence.lastLoss }
    /// When an acknowledgement last arrived.
    public var lastReply: Instant? { evidence.lastReply }
    /// Mean raw one-way delay of about the last 250 ms; nil before the first.
    var rawDelay: TimeDelta? { evidence.rawDelay }
    /// The recent delay minus its minimum over 10 s, seconds, zero or more.
    ///
    /// It is the one-way delay if the receiver stamps its acknowledgements, else the round trip.
    public var delayExcess: Double { evidence.delayExcess }

    /// The least RTT of the last 10 s; nil without a sample in that time.
    public var minRTT: TimeDelta? { rttWindow.minimum }

    /// Mean RTT of about the last 250 ms, seconds; zero before the first sample.
    var recentRTT: Double { rttFast.mean }

    /// The RTT of the last 250 ms relative to that of the last second, minus one.
    public var rttSlope: Double { evidence.rttSlope }

    /// The least raw one-way delay of the last 10 s: it contains the offset of the clocks.
    public var rawDelayMinimum: TimeDelta? { delayWindow.minimum }

    /// The 0.9 quantile of the differences between consecutive RTT samples, seconds.
    public var jitterP90: Double { evidence.jitterP90 }

    /// Mean delivery rate of about the last second, bytes per second; zero before a sample.
    public var deliveryRate: Double { evidence.rateMean }

    /// Standard deviation of the delivery rate as a share of its mean.
    var rateVariation: Double { evidence.rateVariation }

    /// Share of packets lost over about the last 0.5 s.
    var lossShareShort: Double { evidence.lossShort }
    /// Share of packets lost over about the last 5 s.
    var lossShareLong: Double { evidence.lossLong }
}
