public import PathTelemetry

/// Builds the candidates of one decision from the state of the transport and its estimators.
///
/// It lives as long as the connection. For each decision call `begin`, then `add` for every path,
/// then `finish`. Only active paths become candidates, or standby paths if none is active.
public struct CandidateBuilder: ~Copyable, Sendable {
    /// UTC minus the clock of `now`, for features on a UTC grid.
    public var utcOffset: TimeDelta
    private var memory = FeatureMemory()

    public init(utcOffset: TimeDelta = .zero) { self.utcOffset = utcOffset }

    /// Begins a decision.
    public mutating func begin(_ burst: BurstContext, now: Instant) {
        memory.begin(burst, now: now, utcOffset: utcOffset)
    }

    /// Offers a path, in any state; those beyond `PathID.limit` candidates are left out.
    ///
    /// - Parameters:
    ///   - snapshot: read in place and unchanged, as is the estimator (`FeatureMemory.add`).
    ///   - estimator: of the path.
    ///   - clock: of the connection; it learns of the path first.
    public mutating func add(
        _ snapshot: inout PathSnapshot, of estimator: inout PathEstimator,
        clock: inout ClockOffset
    ) {
        memory.add(&snapshot, of: &estimator, clock: &clock)
    }

    /// Writes the candidates, with the features that compare each with the best of the others.
    public mutating func finish(_ candidates: inout CandidateSet) {
        candidates.withMemory(memory.count) { first, step in memory.fill(first, step: step) }
    }
}
