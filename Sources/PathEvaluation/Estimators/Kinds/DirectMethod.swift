extension EstimatorDescriptor {
    /// The direct method, which is as biased as the model.
    static let dm = EstimatorDescriptor(
        "dm", "mean of d, what the reward model expects: as biased as the model",
        needs: .model,
        .mean { $0.direct },
        fromTotals: { $0.direct / $0.count })
}
