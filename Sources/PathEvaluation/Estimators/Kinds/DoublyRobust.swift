/// The direct method, corrected by weighted residuals of the model.
extension EstimatorDescriptor {
    /// Unbiased if the propensities or the model are right.
    static let dr = EstimatorDescriptor(
        "dr", "doubly robust: mean of d + w (r - q)",
        source: "Dudik 2014", needs: .model,
        .scores { _ in Score(.plain, .residual) },
        fromTotals: { ($0.direct + $0.residual) / $0.count })

    /// Its model is fitted to make the variance of DR small.
    static let mrdr = EstimatorDescriptor(
        "mrdr", "dr with a model fitted to make its variance small",
        source: "Farajtabar 2018", needs: [.model, .robustModel],
        .scores { _ in Score(.plain, .robustResidual) })
}
