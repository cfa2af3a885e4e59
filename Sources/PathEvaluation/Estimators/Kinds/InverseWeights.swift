/// Means of weighted rewards. They are unbiased with plain weights, and have less variance but some
/// bias when large weights are reduced.
extension EstimatorDescriptor {
    /// Inverse propensity score, whose variance is that of the weights.
    static let ips = EstimatorDescriptor(
        "ips", "mean of w r: unbiased, with the variance of the weights",
        intervals: [.likelihood, .sequences],
        .scores { _ in Score(.plain, .reward) },
        fromTotals: { $0.inverse / $0.count })

    static let ipsClip = EstimatorDescriptor(
        "ips-clip", "ips with weights no larger than a number",
        number: .largestWeight,
        .scores { Score(.clip($0), .reward) })

    static let sgIPS = EstimatorDescriptor(
        "sg-ips", "ips with the weights w / (1 - lambda + lambda w)",
        source: "Metelli 2021", number: .correction(.tuned),
        .scores { Score(.subGaussian($0), .reward) })

    static let subGaussianIPS = EstimatorDescriptor(
        "sub-gaussian-ips", "sg-ips with lambda by the concentration theorem",
        source: "Metelli 2021", number: .correction(.byTheorem),
        .scores { Score(.subGaussian($0), .reward) })
}
