import PathTelemetry

/// HyStart++ (RFC 9406): leaves slow start when the round-trip time grows, before packets are lost.
struct HyStart: Sendable {
    /// Constants of RFC 9406, section 4.3.
    static let minimumThreshold = TimeDelta.milliseconds(4)
    static let maximumThreshold = TimeDelta.milliseconds(16)
    static let thresholdDivisor: Int64 = 8
    static let samplesNeeded = 8
    static let conservativeGrowthDivisor = 4
    static let conservativeRounds = 5
    /// This sender paces, so growth per ACK has no bound (L in RFC 9406, 4.3, is infinite).

    private var lastRoundMinimum = TimeDelta.infinite
    private var currentRoundMinimum = TimeDelta.infinite
    private var baseline = TimeDelta.infinite
    private var samples = 0
    private var jitter = JitterEstimator()
    private var roundEnd: UInt64 = 0
    private var roundsInConservative = 0
    /// Whether growth is reduced while a rise of the delay is confirmed.
    private(set) var isConservative = false

    init() {}

    /// Takes one ACK of slow start.
    ///
    /// - Returns: true when slow start is over, after five rounds of conservative slow start.
    mutating func handleAck(rtt: TimeDelta?, largestAcked: UInt64, largestSent: UInt64) -> Bool {
        if let rtt {
            currentRoundMinimum = min(currentRoundMinimum, rtt)
            samples &+= 1
            jitter.handle(rtt)
        }
        if isConservative {
            if samples >= HyStart.samplesNeeded && currentRoundMinimum < baseline {
                // The rise did not come from a queue.
                isConservative = false
                baseline = .infinite
                roundsInConservative = 0
            }
        } else if samples >= HyStart.samplesNeeded && currentRoundMinimum != .infinite
            && lastRoundMinimum != .infinite
        {
            let rise = max(
                HyStart.minimumThreshold,
                min(lastRoundMinimum / HyStart.thresholdDivisor, HyStart.maximumThreshold))
            // Minima of rounds differ by the jitter of the path, which RFC 9406 does not know.
            let threshold = rise + jitter.spread * Int64(2)
            if currentRoundMinimum >= lastRoundMinimum + threshold {
                isConservative = true
                baseline = currentRoundMinimum
                roundsInConservative = 0
            }
        }
        if largestAcked >= roundEnd {
            if isConservative {
                roundsInConservative &+= 1
                if roundsInConservative >= HyStart.conservativeRounds { return true }
            }
            lastRoundMinimum = currentRoundMinimum
            jitter.endRound()
            currentRoundMinimum = .infinite
            samples = 0
            roundEnd = largestSent
        }
        return false
    }
}
