/// Parameters of the learned policy.
public struct LearnedSettings: Hashable, Sendable {
    /// Probability shared evenly by the safe set, 0...1: what exploring may cost.
    public var epsilon = 0.02
    /// Differences of cost that are a matter of taste, above zero: the rest of the probability goes
    /// by `exp(-cost / temperature)`.
    var temperature = 0.02
    /// Optimism: how many standard errors of a path's own offset are taken off its cost.
    public var alpha = 0.3
    /// Prior precision of the weights, above zero.
    public var lambda = 4.0
    /// Times after which evidence counts half, seconds, above zero: of the model that follows
    /// changes, and of the one that remembers.
    public var fast = 2.0
    public var slow = 60.0
    /// A candidate is safe if its predicted delivery is within `ratio` times the best one's plus
    /// `slack` seconds, and its P(late) within `risk` of the least.
    public var ratio = 1.5
    public var slack = 0.005
    var risk = 0.1
    /// What leaving the path of the previous decision costs, in units of log delivery.
    public var switching = 0.01

    public init() {}
}
