/// Logged bandit data in memory: one row a decision, columns apart.
public struct BanditLog: Sendable {
    /// Number of actions.
    let actionCount: Int
    /// Numbers of a context.
    let contextCount: Int
    public internal(set) var actions: [Int32] = []
    public internal(set) var rewards: [Double] = []
    /// Probability with which the logged action was taken.
    public internal(set) var propensities: [Double] = []
    /// `actionCount` probabilities a row: of the evaluated policy.
    public internal(set) var evaluated: [Double] = []
    /// The same of the logging policy; empty when it was not recorded.
    var logging: [Double] = []
    /// The reward expected of each action; empty when it was not given.
    public internal(set) var expected: [Double] = []
    /// `contextCount` numbers a row.
    public internal(set) var contexts: [Double] = []
    /// Rows whose probabilities were written with few digits and were divided by their sum.
    public internal(set) var renormalised = 0
    /// Rows left out, with the reason of the first ones.
    public internal(set) var refused = 0
    public internal(set) var refusals: [String] = []

    public init(actionCount: Int, contextCount: Int = 0) {
        self.actionCount = actionCount
        self.contextCount = contextCount
    }

    public var count: Int { actions.count }

    /// Makes room for that many rows at once, up to some hundred megabytes.
    mutating func reserve(rows: Int) {
        let rows = min(rows, 2_000_000)
        actions.reserveCapacity(rows)
        rewards.reserveCapacity(rows)
        propensities.reserveCapacity(rows)
        guard actionCount <= 16 else { return }
        evaluated.reserveCapacity(rows * actionCount)
    }

    /// Takes in one row.
    ///
    /// - Precondition: the action is below `actionCount`, and every array has its length.
    public mutating func append(
        action: Int, reward: Double, propensity: Double, evaluated: [Double],
        logging: [Double] = [], expected: [Double] = [], context: [Double] = []
    ) {
        precondition(action >= 0 && action < actionCount && evaluated.count == actionCount)
        precondition(context.count == contextCount)
        actions.append(Int32(action))
        rewards.append(reward)
        propensities.append(propensity)
        self.evaluated += evaluated
        self.logging += logging
        self.expected += expected
        contexts += context
    }

    /// Most kept of the reasons for refusals.
    static let refusalLimit = 10
}
