import Glibc
import PathLearning

/// Time-uniform intervals: they stay valid if one looks repeatedly and stops at any time.
///
/// All are for numbers x >= 0 whose mean is at most one, such as w r with rewards in 0 ... 1.
enum PredictableMixture {
    /// The empirical Bernstein lower bound in constant memory.
    ///
    /// Source: the same, theorem 2.
    struct BernsteinLowerBound {
        private var bets: PredictableBets
        private let truncation: Double
        private let level: Double
        private var time = 0.0
        private var sum = 0.0
        private var weighted = 0.0
        private var lambdas = 0.0
        private var penalty = 0.0

        init(alpha: Double, truncation: Double = 0.5) {
            bets = PredictableBets(alpha: alpha)
            self.truncation = truncation
            level = log(1 / alpha)
        }

        mutating func add(_ x: Double) {
            let lambda = min(truncation, bets.next)
            let mean = time > 0 ? sum / time : 0
            weighted += lambda * x
            lambdas += lambda
            penalty += (x - mean) * (x - mean) * (-log1p(-lambda) - lambda)
            time += 1
            sum += x
            bets.learn(x)
        }

        var value: Double {
            lambdas > 0 ? max(0, weighted / lambdas - (level + penalty) / lambdas) : 0
        }
    }

    /// The lower end of the betting sequence, the m at which the wealth `sum ln(1 + min(lambda_t, 1
    /// / (2 m)) (x_t - m))` reaches ln(1 / alpha).
    ///
    /// Source: the same, section 4, with predictable plug-in bets.
    static func bettingLowerBound(_ values: some Sequence<Double>, alpha: Double) -> Double {
        var bets = PredictableBets(alpha: alpha)
        let pairs = values.map { x in
            let lambda = bets.next
            bets.learn(x)
            return (x: x, lambda: lambda)
        }
        let level = log(1 / alpha)
        func wealth(_ m: Double) -> Double {
            let cap = 0.5 / m
            var sum = 0.0
            // Eight factors are multiplied per logarithm; none is below one half.
            var product = 1.0
            var number = 0
            for (x, lambda) in pairs {
                product *= 1 + min(lambda, cap) * (x - m)
                number += 1
                if number == 8 {
                    sum += log(product)
                    product = 1
                    number = 0
                }
            }
            return sum + log(product) - level
        }
        if !(wealth(1e-12) > 0) { return 0 }
        if wealth(1) > 0 { return 1 }
        return SpecialFunctions.root(1e-12, 1, wealth)
    }
}

/// The interval of the asymptotic confidence sequence for a mean.
///
/// Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
/// asymptotic confidence sequences", 2024, theorem 2.2 and appendix B.2 for rho.
enum AsymptoticSequence {
    /// The rho^2 that makes the sequence narrowest at a number of decisions.
    static func rho2(alpha: Double, narrowestAt count: Double = 1000) -> Double {
        (-SpecialFunctions.lambertLower(-alpha * alpha * exp(-1)) - 1) / count
    }

    /// The interval at the present count; the intervals at all counts hold simultaneously with this
    /// confidence.
    static func interval(
        _ moments: Moments, confidence: Double, narrowestAt count: Double = 1000
    ) -> Interval {
        let alpha = 1 - confidence
        let rho = rho2(alpha: alpha, narrowestAt: count)
        let n = Double(moments.count)
        let inner = n * rho + 1
        let width =
            moments.variance.squareRoot()
            * (2 * inner * log(inner.squareRoot() / alpha) / (n * n * rho)).squareRoot()
        return Interval(
            moments.mean - width, moments.mean + width, method: "asymptotic confidence sequence")
    }
}

/// Betting and empirical Bernstein sequences of w r for rewards from zero to one.
enum BettingSequence {
    /// Computes both ends by betting, each with half the error; this needs all decisions in memory.
    static func interval(
        weights: some Collection<Double>, rewards: some Collection<Double>, confidence: Double
    ) -> Interval {
        let alpha = (1 - confidence) / 2
        let low = PredictableMixture.bettingLowerBound(
            zip(weights, rewards).lazy.map { $0 * $1 }, alpha: alpha)
        let high = PredictableMixture.bettingLowerBound(
            zip(weights, rewards).lazy.map { $0 * (1 - $1) }, alpha: alpha)
        return Interval(low, 1 - high, method: "betting confidence sequence")
    }

    /// The interval of the gain over the logging policy, w r - r, for rewards from zero to one.
    ///
    /// (1 + w r - r) / 2 is not negative and has a mean of at most one; so has the same with 1 - r,
    /// which bounds the other side.
    static func gain(
        weights: some Collection<Double>, rewards: some Collection<Double>, confidence: Double
    ) -> Interval {
        let alpha = (1 - confidence) / 2
        func share(_ weight: Double, _ reward: Double) -> Double {
            (1 + (weight - 1) * reward) / 2
        }
        let low = PredictableMixture.bettingLowerBound(
            zip(weights, rewards).lazy.map { share($0, $1) }, alpha: alpha)
        let high = PredictableMixture.bettingLowerBound(
            zip(weights, rewards).lazy.map { share($0, 1 - $1) }, alpha: alpha)
        return Interval(2 * low - 1, 1 - 2 * high, method: "betting confidence sequence")
    }

    /// Computes both ends by empirical Bernstein, in constant memory but wider.
    static func bernstein(
        weights: some Collection<Double>, rewards: some Collection<Double>, confidence: Double
    ) -> Interval {
        let alpha = (1 - confidence) / 2
        var low = PredictableMixture.BernsteinLowerBound(alpha: alpha)
        var high = PredictableMixture.BernsteinLowerBound(alpha: alpha)
        for (weight, reward) in zip(weights, rewards) {
            low.add(weight * reward)
            high.add(weight * (1 - reward))
        }
        return Interval(
            low.value, 1 - high.value, method: "empirical Bernstein confidence sequence")
    }
}
