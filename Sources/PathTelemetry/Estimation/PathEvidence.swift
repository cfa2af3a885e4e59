/// The part of a path's estimator that each decision reads, as numbers that acknowledgements and
/// losses keep up to date.
public struct PathEvidence: Sendable {
    /// The RTT of the last 250 ms relative to that of the last second, minus one.
    var rttSlope = 0.0
    /// The recent delay minus its minimum over 10 s, seconds, zero or more.
    var delayExcess = 0.0
    /// The one-way delay that is usual minus its minimum over 10 s, seconds, zero or more; and how far
    /// the next packet is expected from that, right after the latest reply (`DelayForecast`).
    var usualExcess = 0.0
    var lastingExcess = 0.0
    /// The 0.9 quantile of the differences between consecutive RTT samples, seconds.
    var jitterP90 = 0.0
    /// Mean delivery rate of about the last second, bytes per second; zero before a sample.
    var rateMean = 0.0
    /// Standard deviation of the delivery rate as a share of its mean.
    var rateVariation = 0.0
    /// Share of packets lost over about the last 0.5 s, and the last 5 s.
    var lossShort = 0.0
    var lossLong = 0.0
    /// Packets in the longest run of the latest loss; zero before the first.
    var lossBurst = 0.0
    /// Mean raw one-way delay of about the last 250 ms, and its minimum over 10 s.
    var rawDelay: TimeDelta?
    var rawDelayMinimum: TimeDelta?
    /// The least RTT of the last 10 s.
    var minRTT: TimeDelta?
    /// Bytes that were served behind others in the queue of the path, and the seconds that this took;
    /// both fade with a time constant of a second.
    var queuedBytes = 0.0
    var queuedTime = 0.0
    /// When packets were last declared lost, and when an acknowledgement last arrived.
    var lastLoss: Instant?
    var lastReply: Instant?

    init() {}

    /// Bytes that the expected rate stands for, at most, before any service was seen.
    private static let priorBytes = 2400.0
    /// Seconds that it stands for, at most.
    private static let priorTime = 0.002

    /// Seconds that the path needs for a byte, from packets that were seen to wait behind others.
    ///
    /// The controller's rate is a guess as long as there is little to send: a path of 1.5 Mbit/s that
    /// carries a burst from time to time may be paced at 40.
    ///
    /// - Parameter rate: expected before any service was seen, bytes per second, above zero.
    @inline(__always)
    public func serviceTime(expected rate: Double) -> Double {
        let most = rate * PathEvidence.priorTime
        let bytes = most < PathEvidence.priorBytes ? most : PathEvidence.priorBytes
        return (queuedTime + bytes / rate) / (queuedBytes + bytes)
    }
}
