import PathTelemetry

/// Linear models of the heuristic's error that falcon chooses from.
struct ClusterModels: Sendable {
    /// For each cluster a weight a feature, and one for the constant.
    let weights: [[Double]]
}

extension ClusterModels {
    /// The heuristic as it is, and a trained model's correction where there is one.
    init(model: Model?) {
        let size = FeatureSchema.count + 1
        var weights = [[Double](repeating: 0, count: size)]
        if let residual = model?.residual, residual.weights.count + 1 == size {
            weights.append(residual.weights + [residual.intercept])
        }
        self.weights = weights
    }
}
