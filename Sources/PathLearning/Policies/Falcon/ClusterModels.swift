import PathTelemetry

/// The linear models of the heuristic's error among which falcon chooses.
struct ClusterModels: Sendable {
    /// For each cluster, one weight per feature and one for the constant.
    let weights: [[Double]]
}

extension ClusterModels {
    /// Makes the uncorrected heuristic, and a trained model's correction if there is one.
    init(model: Model?) {
        let size = FeatureSchema.count + 1
        var weights = [[Double](repeating: 0, count: size)]
        if let residual = model?.residual, residual.weights.count + 1 == size {
            weights.append(residual.weights + [residual.intercept])
        }
        self.weights = weights
    }
}
