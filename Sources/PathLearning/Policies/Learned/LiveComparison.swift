import DenseMath
import Glibc
import PathTelemetry

/// Compares the results of following the learned scores with those of a rival rule, as traffic
/// flows, and says how often the scores decide where the two disagree.
///
/// The result of a message is its delivery time as a share of twice the deadline, and one if it is
/// late, but at most eight times what was predicted. What either would have got is estimated by its
/// predicted result plus, if its path was taken, the error of the prediction over the probability of
/// that path (doubly robust: the mean is right whatever is predicted). With z the sum of the
/// differences over the root of the sum of their squares, both fading, the scores decide with
/// probability
///
///     floor + (1 - 2 floor) / (1 + exp(sharpness z))
///
/// Sources: Dudík, Langford and Li, "Doubly robust policy evaluation and learning", 2011; Auer et
/// al., "The nonstochastic multiarmed bandit problem", 2002 (experts weighted by estimated
/// results).
struct LiveComparison: Sendable {
    /// Half-life of evidence, seconds.
    private static let halfLife = 10.0
    private static let sharpness = 1.5
    /// The least probability of either where they disagree, so that the other can still be judged.
    private static let floor = 0.02
    /// Propensities below this count as this, so that one result does not decide.
    private static let leastPropensity = 0.01
    /// The most that a result counts, in predicted ones: where few messages are late on any path, a
    /// single late one would outweigh the differences of all others.
    private static let limit = 8.0

    private var sum = 0.0
    private var squares = 0.0

    /// The probability of following the scores where the rival disagrees.
    private(set) var share = 0.5

    /// What is remembered of a decision in which both disagree: path and predicted result of each,
    /// in 32 bits.
    static func memo(rival: (PathID, Double), learned: (PathID, Double)) -> UInt64 {
        word(rival.0, rival.1) | word(learned.0, learned.1) << 16
    }

    /// Learns the result of a decision.
    ///
    /// - Parameters:
    ///   - elapsed: seconds since the previous outcome.
    ///   - result: 0...1.
    mutating func learn(
        memo: UInt64, path: PathID, propensity: Double, result: Double, elapsed: Double
    ) {
        guard memo != 0, propensity > 0, result.isFinite else { return }
        let weight = 1 / max(LiveComparison.leastPropensity, propensity)
        let longest =
            LiveComparison.limit
            * max(LiveComparison.predicted(memo), LiveComparison.predicted(memo >> 16))
        let result = min(result, longest)
        func estimate(_ word: UInt64) -> Double {
            let predicted = LiveComparison.predicted(word)
            let isTaken = Int(word & 15) == path.index
            return predicted + (isTaken ? (result - predicted) * weight : 0)
        }
        let difference = estimate(memo >> 16) - estimate(memo)
        let decay = exp2(-elapsed / LiveComparison.halfLife)
        sum = sum * decay + difference
        squares = squares * decay + difference * difference
        let z = sum / max(squares, 1e-18).squareRoot()
        let trust = 1 / (1 + exp(LiveComparison.sharpness * min(max(z, -8), 8)))
        share = LiveComparison.floor + (1 - 2 * LiveComparison.floor) * trust
    }

    /// Forgets all results, as those of other models.
    mutating func forget() { self = LiveComparison() }

    /// Results between exp(-span) and one, in steps of 0.3 percent.
    private static let span = 12.0

    private static func word(_ path: PathID, _ result: Double) -> UInt64 {
        let depth = result > 0 ? -naturalLogarithm(max(result, 1e-300)) : span
        let code = UInt64(min(max(depth / span, 0), 1) * 4095)
        return UInt64(path.index & 15) | code << 4
    }

    private static func predicted(_ word: UInt64) -> Double {
        exp(-Double(word >> 4 & 4095) / 4095 * span)
    }
}
