public import PathTelemetry

/// Fills the candidates of one decision from what the transport and its estimators know.
///
/// A value that lives as long as the connection. For each decision: `begin`, then `add` for every
/// path, then `finish`. Only active paths become candidates; standby paths where none is active.
public struct CandidateBuilder: ~Copyable, Sendable {
    /// The common distance of the clocks; its users may read it for absolute one-way delays.
    public private(set) var clockOffset = ClockOffset()
    /// UTC minus the clock of `now`, for features on a UTC grid.
    public var utcOffset: TimeDelta
    private var count = 0
    private var hasActive = false
    private var memory = FeatureMemory()

    public init(utcOffset: TimeDelta = .zero) { self.utcOffset = utcOffset }

    /// Starts a decision.
    public mutating func begin() {
        count = 0
        hasActive = false
    }

    /// Offers a path, in any state; those beyond `PathID.limit` candidates are left out.
    public mutating func add(
        _ snapshot: borrowing PathSnapshot, evidence: borrowing PathEvidence,
        burst: BurstContext, now: Instant
    ) {
        clockOffset.update(path: snapshot.path, from: evidence)
        switch snapshot.state {
        case .active:
            if !hasActive { count = 0 }
            hasActive = true
        case .standby:
            if hasActive { return }
        default:
            return
        }
        guard count < PathID.limit else { return }
        memory.read(
            snapshot, evidence: evidence, burst: burst, clockOffset: clockOffset.estimate,
            utcOffset: utcOffset, now: now, at: count)
        count += 1
    }

    /// Writes the candidates, with the features that compare each with the best of the others.
    public mutating func finish(_ candidates: inout CandidateSet) {
        candidates.withMemory(count) { first, step in
            memory.fill(first, count: count, step: step)
        }
    }

    /// Forgets a path that was removed.
    public mutating func remove(path: PathID) { clockOffset.remove(path: path) }
}
