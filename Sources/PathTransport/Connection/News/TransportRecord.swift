public import PathLearning
public import PathTelemetry

/// What a connection hands out for recording.
///
/// Times are those passed in by the caller.
public enum TransportRecord: Sendable {
    /// A burst was given to a path.
    case decision(DecisionRecord)
    /// A decision's outcome became known.
    case outcome(Outcome)
    /// Regular sample of a path, and one at the end.
    case sample(PathSnapshot, PathStatistics, at: Instant)
    /// A path is there, or has another name.
    case pathAdded(PathFacts)
    case pathRemoved(PathID, at: Instant)
}

/// What a recording has to know of a path.
public struct PathFacts: Sendable {
    public var path: PathID
    /// As the client calls it; safe to show.
    public var name: String
    /// The address of this side, where it is known.
    public var local: SocketAddress?
    public var remote: SocketAddress
    public var traits: PathTraits
    public var added: Instant
}
