import PathTelemetry

/// Estimates how far the round trips of a path lie from one another without a change of its queue.
///
/// Each round gives the smaller of two means: how far samples are below the largest before them, and
/// how far above the smallest. A queue that only grows or only shrinks gives zero, and jitter gives
/// about the distance of its mean from its minimum. The estimate is an exponentially weighted mean over
/// rounds.
struct JitterEstimator: Sendable {
    /// Weight of a round; the first ones weigh more.
    private static let weight = 1.0 / 8
    /// Least samples that a round must have.
    private static let leastSamples = 4
    /// The most that one round may give, seconds.
    private static let limit = 0.1

    /// The estimate.
    private(set) var spread = TimeDelta.zero
    private var rounds = 0.0
    private var count = 0
    private var largest = 0.0
    private var smallest = Double.infinity
    private var below = 0.0
    private var above = 0.0

    /// Takes one round trip.
    mutating func handle(_ rtt: TimeDelta) {
        let sample = rtt.seconds
        largest = max(largest, sample)
        smallest = min(smallest, sample)
        below += largest - sample
        above += sample - smallest
        count &+= 1
    }

    /// Ends a round.
    mutating func endRound() {
        if count >= JitterEstimator.leastSamples {
            let sample = min(min(below, above) / Double(count), JitterEstimator.limit)
            rounds = min(rounds + 1, 1 / JitterEstimator.weight)
            spread = TimeDelta(seconds: spread.seconds + (sample - spread.seconds) / rounds)
        }
        count = 0
        largest = 0
        smallest = .infinity
        below = 0
        above = 0
    }
}
