/// Parameters of lin-ucb.
public struct LinUCBSettings: PolicySettings {
    /// Optimism: the multiple of `sqrt(x' A^-1 x)` that is subtracted from the predicted cost; zero
    /// or more.
    public var alpha = 0.2
    /// Prior precision of the weights, above zero.
    ///
    /// It is the noise variance over the prior variance of a weight.
    public var lambda = 4.0
    /// Probability shared by all candidates of the safe set, 0...1; the rest goes to the best.
    public var epsilon = 0.02
    /// Half-life of evidence, seconds, above zero; infinite means no discounting.
    public var halfLife = 20.0
    /// A candidate is safe if its predicted delivery is within `ratio` times the best one's plus
    /// `slack` seconds.
    public var ratio = 2.0
    public var slack = 0.010

    /// Number of leading features of the schema: 24 are all, 16 are those of the path's telemetry,
    /// without burst, price and context.
    ///
    /// Fewer features are learned faster and cost less.
    public var features = 24

    public init() {}

    public var fields: [PolicyField<LinUCBSettings>] {
        [
            PolicyField("alpha", \.alpha, 0...1e3, "a number from 0 to 1000"),
            PolicyField("lambda", \.lambda, 1e-6...1e6, "a number from 1e-6 to 1e6"),
            PolicyField("epsilon", \.epsilon, 0...1, "a number from 0 to 1"),
            PolicyField(
                "half-life", \.halfLife, 1e-3...Double.infinity, "seconds above 0, or inf"),
            PolicyField("ratio", \.ratio, 1...1e6, "a number of 1 or more"),
            PolicyField("slack", \.slack, 0...60, "seconds from 0 to 60"),
            PolicyField("features", \.features, counts: [16, 24]),
        ]
    }
}
