extension EstimatorDescriptor {
    /// The direct method, which is as biased as the model.
    static let dm = EstimatorDescriptor(
        "dm", "mean of d, the reward model's expectation: as biased as the model",
        needs: .model,
        .mean { $0.direct },
        fromTotals: { $0.direct / $0.count })
}
