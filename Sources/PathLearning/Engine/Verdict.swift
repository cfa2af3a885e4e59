public import PathTelemetry

/// The action that a decision demands.
public enum Verdict: Sendable {
    /// No chosen path can send now; no decision was opened, and nothing is recorded.
    case nothing
    /// The policy waits; this is recorded and has no outcome.
    case wait
    case send(Dispatch)
}

/// A burst to send.
public struct Dispatch: Sendable {
    /// The path that carries the burst.
    public var path: PathID
    /// Further paths, each with a copy.
    public var others: PathSet
    /// The decision's number within the connection, counted from zero.
    public var number: UInt64
    /// Whether the policy had no choice.
    public var isForced: Bool
}

/// The recorded action of a decision.
public struct LoggedAction: Sendable {
    public var action: PathSet
    /// Propensity of the action.
    public var propensity: Double
    public var isForced: Bool

    public init(action: PathSet, propensity: Double, isForced: Bool) {
        self.action = action
        self.propensity = propensity
        self.isForced = isForced
    }
}
