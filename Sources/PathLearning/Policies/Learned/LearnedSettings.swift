/// Parameters of the learned policy.
public struct LearnedSettings: PolicySettings {
    /// Probability shared evenly by the safe set for exploration, 0...1.
    public var epsilon = 0.01
    /// Softmax temperature, above zero: the rest of the probability is proportional to `exp(-cost /
    /// temperature)`.
    var temperature = 0.02
    /// Optimism: how many standard errors of a path's offset are subtracted from its cost.
    public var alpha = 0.3
    /// Prior precision of the weights, above zero.
    public var lambda = 4.0
    /// Half-lives of evidence, seconds, above zero: of the fast and of the slow regression.
    public var fast = 2.0
    public var slow = 60.0
    /// A candidate is safe if its predicted delivery is within `ratio` times the best one's plus
    /// `slack` seconds, and its P(late) within `risk` of the least.
    public var ratio = 1.5
    public var slack = 0.005
    var risk = 0.1
    /// Cost of leaving the path of the previous decision, in units of log delivery.
    public var switching = 0.01

    public init() {}

    public var fields: [PolicyField<LearnedSettings>] {
        let seconds = "seconds above 0"
        return [
            PolicyField("epsilon", \.epsilon, 0...1, "a number from 0 to 1"),
            PolicyField("temperature", \.temperature, 1e-4...10, "a number from 1e-4 to 10"),
            PolicyField("alpha", \.alpha, 0...1e3, "a number from 0 to 1000"),
            PolicyField("lambda", \.lambda, 1e-6...1e6, "a number from 1e-6 to 1e6"),
            PolicyField("fast", \.fast, 1e-2...1e9, seconds),
            PolicyField("slow", \.slow, 1e-2...1e9, seconds),
            PolicyField("ratio", \.ratio, 1...1e6, "a number of 1 or more"),
            PolicyField("slack", \.slack, 0...60, "seconds from 0 to 60"),
            PolicyField("risk", \.risk, 0...1, "a number from 0 to 1"),
            PolicyField("switching", \.switching, 0...10, "a number from 0 to 10"),
        ]
    }
}
