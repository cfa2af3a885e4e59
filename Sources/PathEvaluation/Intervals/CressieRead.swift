import DenseMath

/// Empirical likelihood of the Cressie-Read family (power -2): the values that reweighted decisions
/// can have if the importance weights are known to have mean one.
///
/// Six sums suffice, so it can be streamed and merged. Source: Karampatziakis, Langford and
/// Mineiro, "Empirical likelihood for contextual bandits", 2020; the closed form as in
/// vw-estimators 0.2.2.
struct CressieRead: Sendable {
    private let count: Double
    private let weights: Double
    private let weightSquares: Double
    private let inverse: Double
    private let squaresReward: Double
    private let squaresRewardSquare: Double
    private let rewards: Double
    private let least: Double
    private let largest: Double

    /// - Parameter largestWeight: the largest weight *possible*, not the largest seen; the larger
    ///   of both is used.
    init(_ sums: OffPolicySums, largestWeight: Double = .infinity) {
        count = Double(sums.count)
        weights = sums.weights.sum
        weightSquares = sums.weightSquares.value
        inverse = sums.inverse.sum
        let origin = sums.logged.origin
        squaresReward = sums.squaresDistance.value + origin * weightSquares
        squaresRewardSquare =
            sums.squaresDistanceSquare.value + 2 * origin * sums.squaresDistance.value
            + origin * origin * weightSquares
        rewards = sums.logged.sum
        least = 0
        largest = max(largestWeight, sums.largestWeight)
    }

    /// The estimate.
    var value: Double {
        guard count > 0 else { return .nan }
        let other = weights < count ? largest : least
        var gamma = -(1 + count) / count
        var beta = 0.0
        if other < .infinity {
            let a = (other + weights) / (1 + count)
            let b = (other * other + weightSquares) / (1 + count)
            // If all weights are one there is nothing to correct.
            guard a * a < b else { return rewards / count }
            gamma = (b - a) / (a * a - b)
            beta = (1 - a) / (a * a - b)
        }
        let value = (-gamma * inverse - beta * squaresReward) / (1 + count)
        let missing = max(0, 1 - (-gamma * weights - beta * weightSquares) / (1 + count))
        return value + missing * rewards / count
    }

    /// The interval for rewards known to lie in a range.
    func interval(rewards range: ClosedRange<Double>, confidence: Double) -> Interval {
        let name = "Cressie-Read empirical likelihood"
        guard count > 0 else { return Interval(range.lowerBound, range.upperBound, method: name) }
        let n = count
        let other = weights < n ? largest : least
        var best = 1 + 1 / n
        if other < .infinity {
            let a = (other + weights) / (1 + n)
            let b = (other * other + weightSquares) / (1 + n)
            best = b > a * a ? (1 + n) * (a - 1) * (a - 1) / (b - a * a) : 0
        }
        // The upper quantile of F(1, n) is the square of that of Student's t.
        let t = StudentDistribution.quantile(0.5 + confidence / 2, freedom: n)
        let phi = (-best - t * t) / (2 * (1 + n))
        func bound(_ r: Double, _ sign: Double) -> Double {
            var lowest = Double.infinity
            for weight in [least, largest] {
                if let candidate = candidate(r, sign, weight, phi) {
                    lowest = min(lowest, candidate)
                }
            }
            let bound = lowest < .infinity ? sign * lowest : range.lowerBound
            return min(range.upperBound, max(range.lowerBound, bound))
        }
        return Interval(bound(range.lowerBound, 1), bound(range.upperBound, -1), method: name)
    }

    private func candidate(
        _ r: Double, _ sign: Double, _ weight: Double, _ phi: Double
    ) -> Double? {
        let n = count
        let x: Double
        let y: Double
        let z: Double
        if weight == .infinity {
            x = sign * (r + (inverse - weights * r) / n)
            let distance = r * weights - inverse
            y =
                distance * distance / (n * (1 + n))
                - (r * r * weightSquares - 2 * r * squaresReward + squaresRewardSquare) / (1 + n)
            z = phi + 1 / (2 * n)
        } else {
            let w = (weight + weights) / (1 + n)
            let ww = (weight * weight + weightSquares) / (1 + n)
            let wr = sign * (weight * r + inverse) / (1 + n)
            let wwr = sign * (weight * weight * r + squaresReward) / (1 + n)
            let wwrr = (weight * weight * r * r + squaresRewardSquare) / (1 + n)
            let spread = ww - w * w
            guard spread > 0 else { return nil }
            let cross = wwr - w * wr
            x = wr + (1 - w) * cross / spread
            y = cross * cross / spread - (wwrr - wr * wr)
            z = phi + 0.5 * (1 - w) * (1 - w) / spread
        }
        let product = y * z
        if product.magnitude <= 1e-18 { return x - 2.0.squareRoot() * 1e-9 }
        guard z <= 0, product >= 0 else { return nil }
        return x - (2 * product).squareRoot()
    }
}
