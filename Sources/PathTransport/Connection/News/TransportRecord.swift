public import PathLearning
public import PathTelemetry

/// A record of a connection for a recorder, or for whoever judges its decisions.
///
/// Times are those that the caller passed in.
public enum TransportRecord: Sendable {
    /// A decision about a burst.
    case decision(DecisionRecord)
    /// A decision's outcome became known.
    case outcome(Outcome)
    /// A decision with its outcome and what others would have done, while that is asked for; also
    /// without a recorder.
    case judged(JudgedDecision)
    /// A periodic sample of a path, or the one at the end.
    case sample(PathSnapshot, PathStatistics, at: Instant)
    /// A path was added, or its name changed.
    case pathAdded(PathFacts)
    case pathRemoved(PathID, at: Instant)
}

/// The facts of a path in a recording.
public struct PathFacts: Sendable {
    public var path: PathID
    /// The client's name for it; safe to show.
    public var name: String
    /// The address of this side, if known.
    public var local: SocketAddress?
    public var remote: SocketAddress
    public var traits: PathTraits
    public var added: Instant
}
