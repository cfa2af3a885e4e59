extension EstimatorDescriptor {
    /// Empirical likelihood under the constraint that weights have mean one; `CressieRead` has the
    /// mathematics.
    static let cressieRead = EstimatorDescriptor(
        "cressie-read", "empirical likelihood with weights constrained to mean one",
        source: "Karampatziakis 2020",
        number: EstimatorNumber(
            "the largest possible weight, above 1", example: "10",
            range: 1.0.nextUp...Double.greatestFiniteMagnitude, grid: [], choice: .free),
        intervals: [.likelihood, .naturallyLikelihood],
        .sums { sums, estimator in
            let likelihood = CressieRead(sums, largestWeight: estimator.lambda ?? .infinity)
            return Estimate(
                estimator: estimator, value: likelihood.value,
                standardError: sums.selfNormalised(estimator).standardError, count: sums.count,
                lambda: estimator.lambda)
        })
}
