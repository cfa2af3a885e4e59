import DenseMath

extension EstimatorDescriptor {
    /// Self-normalised IPS, which is slightly biased and always within the range of rewards.
    static let snips = EstimatorDescriptor(
        "snips", "sum of w r over sum of w: slightly biased, less variance than ips",
        source: "Swaminathan 2015",
        intervals: [.ratio, .likelihood, .sequences],
        .sums { sums, estimator in sums.selfNormalised(estimator) },
        fromTotals: { $0.inverse / $0.weight })
}

extension OffPolicySums {
    /// se^2 = sum (w (r - v) / mean w)^2 / (n (n - 1)).
    func selfNormalised(_ estimator: Estimator) -> Estimate {
        let value = inverse.sum / weights.sum
        var error = 0.0
        if count > 1, weights.sum > 0 {
            let from = value - logged.origin
            let squares =
                squaresDistanceSquare.value - 2 * from * squaresDistance.value
                + from * from * weightSquares.value
            let mean = weights.mean
            let number = Double(count)
            error = (max(0, squares) / (mean * mean * number * (number - 1))).squareRoot()
        }
        return Estimate(estimator: estimator, value: value, standardError: error, count: count)
    }
}
