import DenseMath
import Glibc

/// The empirical Bernstein confidence sequence of a gamma-exponential mixture, in constant memory.
///
/// Source: Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic
/// confidence sequences", 2021, proposition 9; for importance weights as in vw-estimators 0.2.2.
struct GammaExponentialSequence: Sendable {
    /// One side: numbers x = w r, or w (1 - r), with a mean of at most one.
    private struct Side: Sendable {
        var sum = CompensatedSum()
        var squares = CompensatedSum()

        mutating func add(_ x: Double, time: Double) {
            let mean = (sum.value + 0.5) / (time + 1)
            // (x - mean)^2 = x^2 - 2 x mean + mean^2.
            squares.add((x - mean) * (x - mean))
            sum.add(x)
        }

        func lowerBound(count: Double, alpha: Double) -> Double {
            let level = -log(alpha)
            let (total, v) = (sum.value, squares.value)
            func wealth(_ mean: Double) -> Double {
                Side.logWealth(total - count * mean, v) - level
            }
            if wealth(0) <= 0 { return 0 }
            let highest = min(1, total / count)
            if wealth(highest) >= 0 { return highest }
            return SpecialFunctions.root(0, highest, wealth)
        }

        /// The logarithm of the mixture, with the gamma prior's shape and rate one.
        static func logWealth(_ s: Double, _ v: Double) -> Double {
            let rho = 1.0
            return s + v + rho * log(rho) - (v + rho) * log(s + v + rho)
                + SpecialFunctions.logLowerGamma(v + rho, s + v + rho)
                - SpecialFunctions.logLowerGamma(rho, rho)
        }
    }

    private var low = Side()
    private var high = Side()
    private var count = 0.0

    /// The interval for rewards from zero to one.
    static func interval(
        weights: some Collection<Double>, rewards: some Collection<Double>, confidence: Double
    ) -> Interval {
        var sequence = GammaExponentialSequence()
        for (weight, reward) in zip(weights, rewards) {
            sequence.low.add(weight * reward, time: sequence.count)
            sequence.high.add(weight * (1 - reward), time: sequence.count)
            sequence.count += 1
        }
        return sequence.interval(confidence: confidence)
    }

    private func interval(confidence: Double) -> Interval {
        let alpha = (1 - confidence) / 2
        guard count > 0 else { return Interval(0, 1, method: "gamma-exponential sequence") }
        return Interval(
            low.lowerBound(count: count, alpha: alpha),
            1 - high.lowerBound(count: count, alpha: alpha), method: "gamma-exponential sequence")
    }
}
