public import PathTelemetry

/// Fills the candidates of one decision from what the transport and its estimators know.
///
/// A value that lives as long as the connection. For each decision: `begin`, then `add` for every
/// path, then `finish`. Only active paths become candidates; standby paths where none is active.
public struct CandidateBuilder: Sendable {
    /// The common distance of the clocks; its users may read it for absolute one-way delays.
    public private(set) var clockOffset = ClockOffset()
    /// UTC minus the clock of `now`, for features on a UTC grid.
    public var utcOffset: TimeDelta
    private var hasActive = false
    private var memory = FeatureMemory()

    public init(utcOffset: TimeDelta = .zero) { self.utcOffset = utcOffset }

    /// Starts a decision.
    public mutating func begin(_ candidates: inout CandidateSet) {
        candidates.removeAll()
        hasActive = false
    }

    /// Offers a path, in any state.
    public mutating func add(
        _ snapshot: borrowing PathSnapshot, estimator: borrowing PathEstimator,
        burst: BurstContext, now: Instant, to candidates: inout CandidateSet
    ) {
        clockOffset.update(path: snapshot.path, from: estimator)
        switch snapshot.state {
        case .active:
            if !hasActive { candidates.removeAll() }
            hasActive = true
        case .standby:
            if hasActive { return }
        default:
            return
        }
        guard let place = candidates.grow() else { return }
        let rate = memory.read(
            snapshot, estimator: estimator, burst: burst, clockOffset: clockOffset.estimate,
            utcOffset: utcOffset, now: now, at: place)
        var all = candidates.storage.mutableSpan
        all[place].path = snapshot.path
        all[place].traits = snapshot.traits
        all[place].room =
            snapshot.pacingDelay > .zero
            ? 0 : max(0, snapshot.congestionWindow - snapshot.bytesInFlight)
        all[place].bytesInFlight = snapshot.bytesInFlight
        all[place].congestionWindow = snapshot.congestionWindow
        all[place].rate = rate
    }

    /// Completes the candidates: features, those that compare each with the best of the others
    /// among them, and predictions.
    public mutating func finish(_ candidates: inout CandidateSet) {
        candidates.withMemory { first, step, count in
            memory.fill(first, count: count, step: step)
        }
    }

    /// Forgets a path that was removed.
    public mutating func remove(path: PathID) { clockOffset.remove(path: path) }
}
