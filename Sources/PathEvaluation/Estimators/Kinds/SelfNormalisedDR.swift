import DenseMath

extension EstimatorDescriptor {
    static let sndr = EstimatorDescriptor(
        "sndr", "mean of d, plus sum of w (r - q) over sum of w",
        source: "Swaminathan 2015", needs: .model, intervals: .ratio,
        .sums { sums, estimator in sums.selfNormalisedDoublyRobust(estimator) },
        fromTotals: { $0.direct / $0.count + $0.residual / $0.weight })
}

extension OffPolicySums {
    /// The influence of a row is (d - mean d) + w (e - c) / mean w, with c = sum w e / sum w.
    ///
    /// If all rewards are equal, the value is that reward.
    fileprivate func selfNormalisedDoublyRobust(_ estimator: Estimator) -> Estimate {
        if count > 0, leastReward == greatestReward {
            return Estimate(
                estimator: estimator, value: leastReward, standardError: 0, count: count)
        }
        let correction = residual.value / weights.sum
        let value = direct.mean + correction
        var error = 0.0
        if count > 1, weights.sum > 0 {
            let mean = weights.mean
            let from = direct.mean - direct.origin
            let cross =
                (directResidual.value - from * residual.value)
                - correction * (directWeight.value - from * weights.sum)
            let squares =
                residualSquares.value - 2 * correction * residualWeight.value
                + correction * correction * weightSquares.value
            let all = direct.scatter + 2 * cross / mean + squares / (mean * mean)
            let number = Double(count)
            error = (max(0, all) / (number * (number - 1))).squareRoot()
        }
        return Estimate(estimator: estimator, value: value, standardError: error, count: count)
    }
}
