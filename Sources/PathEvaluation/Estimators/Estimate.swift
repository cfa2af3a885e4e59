/// How the value of a policy is estimated from decisions that another one took.
public enum Estimator: String, Hashable, Sendable, CaseIterable {
    /// Inverse propensity score: mean of w r. Unbiased, the variance of the weights.
    case ips
    /// Self-normalised IPS: sum of w r over sum of w.
    case snips
    /// Direct method: mean of what a reward model predicts. As biased as the model.
    case dm
    /// Doubly robust: the direct method, corrected by weighted residuals of the model.
    case dr
}

/// One estimated value with its uncertainty.
public struct Estimate: Hashable, Sendable {
    public var estimator: Estimator
    public var value: Double
    /// Of the value; for SNIPS by the delta method, zero below two decisions.
    public var standardError: Double
    public var count: Int

    public init(estimator: Estimator, value: Double, standardError: Double, count: Int) {
        self.estimator = estimator
        self.value = value
        self.standardError = standardError
        self.count = count
    }

    /// The normal interval that covers the value with this confidence, for example 0.95.
    ///
    /// It knows only of sampling noise: not of the reward model's bias (DM), nor of weights whose
    /// largest ones were not seen; the verdict tells of those.
    public func interval(confidence: Double) -> (low: Double, high: Double) {
        let width = NormalDistribution.quantile(0.5 + confidence / 2) * standardError
        return (value - width, value + width)
    }
}
