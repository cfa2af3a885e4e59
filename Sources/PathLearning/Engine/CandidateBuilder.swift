public import PathTelemetry

/// Fills the candidates of one decision from what the transport and its estimators know.
///
/// A value that lives as long as the connection. For each decision: `begin`, then `add` for every
/// path, then `finish`. Only active paths become candidates; standby paths where none is active.
public struct CandidateBuilder: ~Copyable, Sendable {
    /// UTC minus the clock of `now`, for features on a UTC grid.
    public var utcOffset: TimeDelta
    private var memory = FeatureMemory()

    public init(utcOffset: TimeDelta = .zero) { self.utcOffset = utcOffset }

    /// Starts a decision.
    public mutating func begin(_ burst: BurstContext, now: Instant) {
        memory.begin(burst, now: now, utcOffset: utcOffset)
    }

    /// Offers a path, in any state; those beyond `PathID.limit` candidates are left out.
    ///
    /// - Parameters:
    ///   - evidence: of the path's estimator.
    ///   - clockOffset: receiver's clock minus sender's, where it is known.
    public mutating func add(
        _ snapshot: borrowing PathSnapshot, evidence: borrowing PathEvidence,
        clockOffset: TimeDelta?
    ) {
        memory.add(snapshot, evidence: evidence, clockOffset: clockOffset)
    }

    /// Writes the candidates, with the features that compare each with the best of the others.
    public mutating func finish(_ candidates: inout CandidateSet) {
        candidates.withMemory(memory.count) { first, step in memory.fill(first, step: step) }
    }
}
