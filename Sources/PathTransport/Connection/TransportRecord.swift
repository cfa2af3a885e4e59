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
    /// Regular sample of a path.
    case sample(PathSnapshot, PathStatistics, at: Instant)
}
