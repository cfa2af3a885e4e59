extension EstimatorDescriptor {
    static let replay = EstimatorDescriptor(
        "replay", "mean reward where the log took the policy's most probable action",
        source: "Li 2011", needs: .certainPolicy, intervals: .matchesOnly,
        .sums { sums, estimator in sums.estimate(estimator, sums.matched) })
}
