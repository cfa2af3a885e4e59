import DenseMath
import Glibc

/// A weighted mean of scores whose weights depend on the past, and its variance, in constant
/// memory.
///
/// The mean is `Q = sum h G / sum h` and its variance `sum h^2 (G - Q)^2 / (sum h)^2`. Source: Zhan,
/// Hadad, Hirshberg and Athey, "Off-policy evaluation via adaptive weighting with data from
/// contextual bandits", 2021, equations 8 and 9. Their weights need the logging policy's
/// probabilities in contexts of the past, which a log does not have; here the variance that a
/// policy's scores will have is the fading mean of what it was before, which is as valid, since it
/// is known before the decision, and slightly wider. The mean over time is weighted, so a value that
/// drifts is that of the times with more exploration.
struct AdaptiveSums: Hashable, Sendable {
    /// Decisions after which a variance counts half, unless given.
    static let halfLife = 500.0

    let rule: AdaptiveRule
    let halfLife: Double
    private let decay: Double
    /// Fading sums of the variances and of their number; the first one is a guess.
    private var variances = 1.0
    private var number = 1.0
    private(set) var count = 0
    private var origin = 0.0
    // Sums of h, h (G - o), h^2, h^2 (G - o) and h^2 (G - o)^2.
    private var weights = CompensatedSum()
    private var first = CompensatedSum()
    private var squares = CompensatedSum()
    private var squaresFirst = CompensatedSum()
    private var squaresSecond = CompensatedSum()

    init(_ rule: AdaptiveRule, halfLife: Double = AdaptiveSums.halfLife) {
        self.rule = rule
        self.halfLife = halfLife
        decay = exp2(-1 / halfLife)
    }

    /// Adds a decision's score, with a weight from the variances before, then its variance.
    @inline(__always)
    mutating func add(_ score: Double, variance: Double) {
        // The floor keeps a long time without any difference from weighing everything.
        add(score, weight: rule.weight(max(variances / number, 1e-3)))
        variances = decay * variances + variance
        number = decay * number + 1
    }

    /// Adds a score with a weight that was known before it.
    @inline(__always)
    mutating func add(_ score: Double, weight: Double) {
        if count == 0 { origin = score }
        count &+= 1
        let distance = score - origin
        weights.add(weight)
        first.add(weight * distance)
        squares.add(weight * weight)
        squaresFirst.add(weight * weight * distance)
        squaresSecond.add(weight * weight * distance * distance)
    }

    /// NaN without decisions.
    var mean: Double { weights.value > 0 ? origin + first.value / weights.value : .nan }

    var variance: Double {
        guard count > 1, weights.value > 0 else { return 0 }
        let from = first.value / weights.value
        let all =
            squaresSecond.value - 2 * from * squaresFirst.value + from * from * squares.value
        return max(0, all) / (weights.value * weights.value)
    }

    var standardError: Double { variance.squareRoot() }

    /// Adds all decisions of other sums with the same rule.
    mutating func merge(_ other: AdaptiveSums) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        let shift = other.origin - origin
        squaresSecond.add(other.squaresSecond)
        squaresSecond.add(2 * shift * other.squaresFirst.value)
        squaresSecond.add(shift * shift * other.squares.value)
        squaresFirst.add(other.squaresFirst)
        squaresFirst.add(shift * other.squares.value)
        first.add(other.first)
        first.add(shift * other.weights.value)
        squares.add(other.squares)
        weights.add(other.weights)
        count += other.count
    }

    /// Writes or reads all numbers, for merging.
    mutating func transfer(_ stream: inout NumberStream) {
        stream.pass(&count)
        stream.pass(&origin)
        stream.pass(&variances)
        stream.pass(&number)
        stream.pass(&weights)
        stream.pass(&first)
        stream.pass(&squares)
        stream.pass(&squaresFirst)
        stream.pass(&squaresSecond)
    }
}

extension AdaptiveSums {
    /// Empty sums for each of the estimators that weigh adaptively.
    static func needed(for estimators: [Estimator]) -> [AdaptiveSums] {
        var all: [AdaptiveSums] = []
        for estimator in estimators {
            guard let rule = estimator.kind.adaptiveRule else { continue }
            let sums = AdaptiveSums(rule, halfLife: estimator.lambda ?? halfLife)
            if !all.contains(where: { $0.isLike(sums) }) { all.append(sums) }
        }
        return all
    }

    /// Whether other sums weigh in the same way.
    func isLike(_ other: AdaptiveSums) -> Bool { rule == other.rule && halfLife == other.halfLife }

    /// The estimate of the sums that weigh as an estimator does; nil if there are none.
    static func estimate(_ all: [AdaptiveSums], _ estimator: Estimator) -> Estimate? {
        guard let rule = estimator.kind.adaptiveRule else { return nil }
        let wanted = AdaptiveSums(rule, halfLife: estimator.lambda ?? halfLife)
        return all.first { $0.isLike(wanted) }.map {
            Estimate(
                estimator: estimator, value: $0.mean, standardError: $0.standardError,
                count: $0.count, lambda: estimator.lambda)
        }
    }
}
