/// What a decision reads of a path's past: the part of its estimator that is handed over for each
/// decision, as numbers that acknowledgements and losses keep up to date.
public struct PathEvidence: Sendable {
    /// How much the RTT of the last 250 ms lies above that of the last second, as a share of it.
    var rttSlope = 0.0
    /// How far the recent delay lies above its minimum of 10 s, seconds, zero or more.
    var delayExcess = 0.0
    /// The 0.9 quantile of the differences between RTT samples in a row, seconds.
    var jitterP90 = 0.0
    /// Mean delivery rate of about the last second, bytes per second; zero before a sample.
    var rateMean = 0.0
    /// Standard deviation of the delivery rate as a share of its mean.
    var rateVariation = 0.0
    /// Share of packets lost over about the last 0.5 s, and the last 5 s.
    var lossShort = 0.0
    var lossLong = 0.0
    /// Packets of the longest run in the latest loss; zero before the first.
    var lossBurst = 0.0
    /// Mean raw one-way delay of about the last 250 ms, and its least of 10 s.
    var rawDelay: TimeDelta?
    var rawDelayMinimum: TimeDelta?
    /// The least RTT of the last 10 s.
    var minRTT: TimeDelta?
    /// When packets were last declared lost, and when an acknowledgement last arrived.
    var lastLoss: Instant?
    var lastReply: Instant?

    init() {}
}
