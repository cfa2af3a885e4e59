public import PathTelemetry

/// What a decision says is to be done now.
public enum Verdict: Sendable {
    /// No path that was chosen can send now; nothing was opened, and nothing is recorded.
    case nothing
    /// The policy waits: recorded, without an outcome.
    case wait
    case send(Dispatch)
}

/// A burst that is to be sent.
public struct Dispatch: Sendable {
    /// The path that carries the burst.
    public var path: PathID
    /// Further paths, each with a copy.
    public var others: PathSet
    /// The decision's number within the connection, counted from zero.
    public var number: UInt64
    /// The policy had no choice.
    public var isForced: Bool
}

/// What was done in a decision that was recorded.
public struct LoggedAction: Sendable {
    public var action: PathSet
    /// Probability with which it was taken.
    public var propensity: Double
    public var isForced: Bool

    public init(action: PathSet, propensity: Double, isForced: Bool) {
        self.action = action
        self.propensity = propensity
        self.isForced = isForced
    }
}
