/// Raises an alarm once losses are above zero on average, at a known rate of false alarms.
///
/// It bets that the next loss is positive, with eight sizes of bets at once, and multiplies each
/// bettor's evidence by `1 + f d / b`, where `-b` is the least possible loss, known before it. Under
/// losses with a mean of at most zero given the past, however dependent, a restarting detector
/// with threshold `1 / alpha` runs for at least `1 / alpha` losses on average until a false alarm.
/// It restarts by itself, so it has no window and finds changes at any time. It does not allocate.
/// Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change
/// detection", 2024.
package struct EDetector: Sendable {
    /// How evidence accumulates.
    package enum Rule: Sendable {
        /// Shiryaev and Roberts: the sum of the evidence since every possible start. It is the
        /// fastest for small losses.
        case shiryaevRoberts
        /// CUSUM: the evidence since the best start, which falls back to one in good times, so it
        /// also tells when to relax.
        case cumulativeSum
        /// The evidence since the first loss, without restarts: it exceeds `1 / alpha` ever with
        /// probability alpha at most. It proves a claim, such as a gain, at any time.
        case process
    }

    /// The sizes of the bets, as shares of the largest safe one; they have equal weights.
    package static let bets: InlineArray<8, Double> = [
        0.9, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005,
    ]

    package let rule: Rule
    private var wealth: InlineArray<8, Double>
    /// The mean of all bettors' evidence.
    package private(set) var evidence: Double

    package init(_ rule: Rule) {
        self.rule = rule
        let first: Double = rule == .shiryaevRoberts ? 0 : 1
        wealth = InlineArray(repeating: first)
        evidence = first
    }

    /// Takes one loss and returns the evidence after it.
    ///
    /// A sample whose bound is not above zero says nothing and is skipped, as are samples that are
    /// not finite; a loss below the bound counts as the bound.
    @discardableResult
    package mutating func add(_ sample: LossSample) -> Double {
        guard sample.bound > 0, sample.bound < .infinity, sample.loss.isFinite else {
            return evidence
        }
        let ratio = max(sample.loss / sample.bound, -1)
        var sum = 0.0
        for index in 0..<8 {
            let factor = 1 + EDetector.bets[index] * ratio
            let before =
                switch rule {
                case .shiryaevRoberts: wealth[index] + 1
                case .cumulativeSum: max(wealth[index], 1)
                case .process: wealth[index]
                }
            wealth[index] = min(before * factor, EDetector.most)
            sum += wealth[index]
        }
        evidence = sum / 8
        return evidence
    }

    /// Forgets all losses.
    package mutating func reset() { self = EDetector(rule) }

    /// Evidence beyond this is not counted, so that it stays finite.
    private static let most = 1e200
}
