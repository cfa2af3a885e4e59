/// One decision as the estimators see it.
public struct OffPolicyRow: Hashable, Sendable {
    /// w: probability of the logged action under the evaluated policy over its propensity.
    public var weight: Double
    /// r: what the logged action earned.
    public var reward: Double
    /// q(x, a): what the reward model expects of the logged action.
    public var modelled: Double
    /// What the reward model expects of the evaluated policy: sum over actions of pi(a) q(x, a).
    public var direct: Double

    public init(weight: Double, reward: Double, modelled: Double = 0, direct: Double = 0) {
        self.weight = weight
        self.reward = reward
        self.modelled = modelled
        self.direct = direct
    }
}

/// All estimators of one policy in one pass: constant memory, and several merge into one.
///
/// With w = 1 throughout (a policy on its own log) IPS and SNIPS equal the recorded mean exactly,
/// and with a constant reward of 1 SNIPS is exactly 1 with an interval of no width.
public struct OffPolicyAccumulator: Sendable {
    private var logged = Moments()
    private var inverse = Moments()
    private var direct = Moments()
    private var doublyRobust = Moments()
    private var gain = Moments()
    private var weights = Moments()
    private var weightSquares = CompensatedSum()
    // Sums of w^2 (r - origin)^k, for the delta method.
    private var origin = 0.0
    private var squaresTimesReward = CompensatedSum()
    private var squaresTimesSquare = CompensatedSum()
    /// The largest weight.
    public private(set) var largestWeight = 0.0

    public init() {}

    public var count: Int { logged.count }

    /// Takes in one logged decision.
    @inline(__always)
    public mutating func add(_ row: OffPolicyRow) {
        if logged.count == 0 { origin = row.reward }
        let corrected = row.direct + row.weight * (row.reward - row.modelled)
        logged.add(row.reward)
        inverse.add(row.weight * row.reward)
        direct.add(row.direct)
        doublyRobust.add(corrected)
        gain.add(corrected - row.reward)
        weights.add(row.weight)
        let square = row.weight * row.weight
        let distance = row.reward - origin
        weightSquares.add(square)
        squaresTimesReward.add(square * distance)
        squaresTimesSquare.add(square * distance * distance)
        largestWeight = max(largestWeight, row.weight)
    }

    /// Takes in all rows of another accumulator.
    public mutating func merge(_ other: OffPolicyAccumulator) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        let shift = other.origin - origin
        squaresTimesSquare.merge(other.squaresTimesSquare)
        squaresTimesSquare.add(2 * shift * other.squaresTimesReward.value)
        squaresTimesSquare.add(shift * shift * other.weightSquares.value)
        squaresTimesReward.merge(other.squaresTimesReward)
        squaresTimesReward.add(shift * other.weightSquares.value)
        weightSquares.merge(other.weightSquares)
        logged.merge(other.logged)
        inverse.merge(other.inverse)
        direct.merge(other.direct)
        doublyRobust.merge(other.doublyRobust)
        gain.merge(other.gain)
        weights.merge(other.weights)
        largestWeight = max(largestWeight, other.largestWeight)
    }

    // MARK: Estimates

    /// One estimator's value over the rows taken in, with its standard error.
    public func estimate(_ estimator: Estimator) -> Estimate {
        switch estimator {
        case .ips: OffPolicyAccumulator.estimate(.ips, inverse)
        case .dm: OffPolicyAccumulator.estimate(.dm, direct)
        case .dr: OffPolicyAccumulator.estimate(.dr, doublyRobust)
        case .snips: selfNormalised
        }
    }

    private static func estimate(_ estimator: Estimator, _ moments: Moments) -> Estimate {
        Estimate(
            estimator: estimator, value: moments.mean, standardError: moments.standardError,
            count: moments.count)
    }

    /// se^2 = sum (w (r - v) / mean w)^2 / (n (n - 1)).
    private var selfNormalised: Estimate {
        let value = inverse.sum / weights.sum
        var error = 0.0
        if count > 1, weights.sum > 0 {
            let from = value - origin
            let squares =
                squaresTimesSquare.value - 2 * from * squaresTimesReward.value
                + from * from * weightSquares.value
            let mean = weights.mean
            let number = Double(count)
            error = (max(0, squares) / (mean * mean * number * (number - 1))).squareRoot()
        }
        return Estimate(
            estimator: .snips, value: value, standardError: error, count: count)
    }

    /// What the logged decisions earned.
    public var recorded: Estimate { OffPolicyAccumulator.estimate(.ips, logged) }

    /// What the evaluated policy would have earned above the logged one, paired by decision (DR).
    public var gainOverLogged: Estimate { OffPolicyAccumulator.estimate(.dr, gain) }

    // MARK: Weights

    /// Mean of the weights, expected to be one when propensities are right; its standard error.
    public var meanWeight: (value: Double, standardError: Double) {
        (weights.mean, weights.standardError)
    }

    /// Kish's effective sample size: how many equally weighted decisions say as much.
    public var effectiveSampleSize: Double {
        let squares = weightSquares.value
        return squares > 0 ? weights.sum * weights.sum / squares : 0
    }

    /// The largest weight's share of all weight.
    public var largestWeightShare: Double {
        weights.sum > 0 ? largestWeight / weights.sum : 0
    }
}
