/// Parameters of the policies that learn a linear model of the cost and differ in exploration.
public struct LinearBanditSettings: PolicySettings {
    /// The rule that turns costs into probabilities; the raw value is the policy's name.
    public enum Rule: String, Hashable, Sendable, CaseIterable {
        /// The best gets all probability except epsilon.
        case epsilonGreedy = "epsilon-greedy"
        /// Probabilities are proportional to `exp(-cost / temperature)`.
        case softmax
        /// Optimism on a discounted model with change detection.
        case discountedLinUCB = "discounted-lin-ucb"
        /// Optimism on a model of only the last seconds.
        case slidingLinUCB = "sliding-lin-ucb"
        /// The probability that a draw from the cost's posterior is the least.
        case linTS = "lin-ts"
        /// Inverse gap weighting.
        case squareCB = "squarecb"
    }

    public let rule: Rule
    /// Amount of exploration: alpha, temperature, standard deviations of the draw, or the scale of
    /// gamma; see `LinearBandit`.
    var strength: Double
    /// Probability shared by all candidates of the safe set.
    public var epsilon: Double
    /// Prior precision of the weights, above zero.
    public var lambda = 4.0
    /// Half-life of evidence, seconds; infinite means no discounting.
    public var halfLife = 20.0
    /// Length of the window of sliding-lin-ucb, seconds.
    public var window = 10.0
    /// Threshold of the change detector, at which the model is reset; infinite means never.
    public var change: Double
    /// A candidate is safe if its predicted delivery is within `ratio` times the best one's plus
    /// `slack` seconds.
    public var ratio = 2.0
    public var slack = 0.010

    /// Makes the rule's default parameters.
    public init(_ rule: Rule) {
        self.rule = rule
        change = rule == .discountedLinUCB ? 12 : .infinity
        switch rule {
        case .epsilonGreedy: (strength, epsilon) = (0, 0.05)
        case .softmax: (strength, epsilon) = (0.05, 0.01)
        case .discountedLinUCB, .slidingLinUCB: (strength, epsilon) = (0.2, 0.01)
        case .linTS: (strength, epsilon) = (0.2, 0.01)
        case .squareCB: (strength, epsilon) = (10, 0)
        }
    }

    public var fields: [PolicyField<LinearBanditSettings>] {
        var fields: [PolicyField<LinearBanditSettings>] = []
        let strengthName: String? =
            switch rule {
            case .epsilonGreedy: nil
            case .softmax: "temperature"
            case .discountedLinUCB, .slidingLinUCB: "alpha"
            case .linTS: "scale"
            case .squareCB: "gamma"
            }
        if let strengthName {
            fields.append(
                rule == .softmax
                    ? PolicyField(
                        strengthName, \.strength, 1e-6...1e3, "a number from 1e-6 to 1000")
                    : PolicyField(strengthName, \.strength, 0...1e6, "a number from 0 to 1e6"))
        }
        fields.append(PolicyField("epsilon", \.epsilon, 0...1, "a number from 0 to 1"))
        fields.append(PolicyField("lambda", \.lambda, 1e-6...1e6, "a number from 1e-6 to 1e6"))
        if rule == .slidingLinUCB {
            fields.append(PolicyField("window", \.window, 1e-2...1e5, "seconds from 0.01 to 1e5"))
        } else {
            fields.append(
                PolicyField(
                    "half-life", \.halfLife, 1e-3...Double.infinity, "seconds above 0, or inf"))
            fields.append(
                PolicyField(
                    "change", \.change, 1...Double.infinity, "a number of 1 or more, or inf"))
        }
        fields.append(PolicyField("ratio", \.ratio, 1...1e6, "a number of 1 or more"))
        fields.append(PolicyField("slack", \.slack, 0...60, "seconds from 0 to 60"))
        return fields
    }
}
