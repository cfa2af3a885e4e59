/// Logged bandit data in memory: one row per decision, stored by columns.
public struct BanditLog: Sendable {
    /// Number of actions.
    var actionCount: Int
    /// Numbers per context.
    let contextCount: Int
    public internal(set) var actions: [Int32] = []
    public internal(set) var rewards: [Double] = []
    /// Probability with which the logged action was taken.
    public internal(set) var propensities: [Double] = []
    /// How many actions each decision offered; empty if all did offer all.
    var offeredCounts: [Int32] = []
    /// The evaluated policy's probabilities, `actionCount` per row; empty if the log has none.
    public internal(set) var evaluated: [Double] = []
    /// The same of the logging policy; empty if not recorded.
    var logging: [Double] = []
    /// The expected reward of each action; empty if not given.
    public internal(set) var expected: [Double] = []
    /// The contexts, `contextCount` numbers per row.
    public internal(set) var contexts: [Double] = []
    /// Rows whose probabilities were written with few digits and were divided by their sum.
    public internal(set) var renormalised = 0
    /// Decisions without a reward, and those in which the policy had no choice; they have no row.
    var withoutOutcome = 0
    var forced = 0
    /// Number of refused rows, and the reasons for the first ones.
    public internal(set) var refused = 0
    public internal(set) var refusals: [String] = []

    public init(actionCount: Int, contextCount: Int = 0) {
        self.actionCount = actionCount
        self.contextCount = contextCount
    }

    public var count: Int { actions.count }

    /// Reserves memory for that many rows, up to some hundred megabytes.
    mutating func reserve(rows: Int) {
        let rows = min(rows, 2_000_000)
        actions.reserveCapacity(rows)
        rewards.reserveCapacity(rows)
        propensities.reserveCapacity(rows)
        guard actionCount <= 16 else { return }
        evaluated.reserveCapacity(rows * actionCount)
    }

    /// Appends one row.
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

    /// Counts a refused row, and keeps the reasons of the first ones.
    mutating func refuse(_ reason: EvaluationError) {
        refused += 1
        if refusals.count < BanditLog.refusalLimit { refusals.append(reason.description) }
    }

    /// The most reasons for refusals that are kept.
    static let refusalLimit = 10
}
