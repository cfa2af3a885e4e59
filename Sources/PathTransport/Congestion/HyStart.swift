import PathTelemetry

/// HyStart++: leaves slow start when the round trip grows (RFC 9406), before packets are lost.
struct HyStart: Sendable {
    /// Constants of RFC 9406, section 4.3.
    static let minimumThreshold = TimeDelta.milliseconds(4)
    static let maximumThreshold = TimeDelta.milliseconds(16)
    static let thresholdDivisor: Int64 = 8
    static let samplesNeeded = 8
    static let conservativeGrowthDivisor = 4
    static let conservativeRounds = 5
    /// Growth per ACK without pacing is bounded to this many packets; this sender paces, so the
    /// bound is infinite (RFC 9406, 4.3, L).

    private var lastRoundMinimum = TimeDelta.infinite
    private var currentRoundMinimum = TimeDelta.infinite
    private var baseline = TimeDelta.infinite
    private var samples = 0
    private var roundEnd: UInt64 = 0
    private var roundsInConservative = 0
    /// Whether growth is reduced while the rise of the delay is checked.
    private(set) var isConservative = false

    init() {}

    /// Takes one ACK of slow start.
    ///
    /// - Returns: true when slow start is over: five rounds of conservative slow start passed.
    mutating func handleAck(rtt: TimeDelta?, largestAcked: UInt64, largestSent: UInt64) -> Bool {
        if let rtt {
            currentRoundMinimum = min(currentRoundMinimum, rtt)
            samples &+= 1
        }
        if isConservative {
            if samples >= HyStart.samplesNeeded && currentRoundMinimum < baseline {
                // The rise was not a queue.
                isConservative = false
                baseline = .infinite
                roundsInConservative = 0
            }
        } else if samples >= HyStart.samplesNeeded && currentRoundMinimum != .infinite
            && lastRoundMinimum != .infinite
        {
            let threshold = max(
                HyStart.minimumThreshold,
                min(lastRoundMinimum / HyStart.thresholdDivisor, HyStart.maximumThreshold))
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
            currentRoundMinimum = .infinite
            samples = 0
            roundEnd = largestSent
        }
        return false
    }
}
