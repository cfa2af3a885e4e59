/// Parameters of lin-ucb.
public struct LinUCBSettings: PolicySettings {
    /// Optimism: how many `sqrt(x' A^-1 x)` are taken off the predicted cost; zero or more.
    public var alpha = 0.2
    /// Prior precision of the weights, above zero.
    ///
    /// Noise variance over the variance expected of a weight.
    public var lambda = 4.0
    /// Probability shared by all candidates of the safe set, 0...1; the rest goes to the best.
    public var epsilon = 0.02
    /// Time after which evidence counts half, seconds, above zero; infinite: it never fades.
    public var halfLife = 20.0
    /// A candidate is safe if its predicted delivery is within `ratio` times the best one's plus
    /// `slack` seconds.
    public var ratio = 2.0
    public var slack = 0.010

    /// How many features of the schema are looked at, from the first: 24 are all, 16 those that
    /// telemetry knows of a path, without burst, price and context.
    ///
    /// Fewer are learned faster and cost less to look at.
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
