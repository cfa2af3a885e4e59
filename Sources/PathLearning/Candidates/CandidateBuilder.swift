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
    private let heuristic = DeliveryHeuristic()
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
        var all = candidates.storage.mutableSpan
        fill(&all[place], snapshot, estimator, burst: burst, now: now)
    }

    /// Completes the candidates: features that compare each with the best of the others.
    public func finish(_ candidates: inout CandidateSet) {
        guard candidates.count > 1 else { return }
        let count = candidates.count
        var all = candidates.storage.mutableSpan
        var best = Double.infinity
        var second = Double.infinity
        for index in 0..<count {
            let prediction = all[index].predictedDelivery
            if prediction < best {
                second = best
                best = prediction
            } else if prediction < second {
                second = prediction
            }
        }
        // All gaps through one logarithm of four lanes.
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * PathID.limit) { buffer in
            guard let ratios = buffer.baseAddress else { return }
            for index in 0..<count {
                let prediction = all[index].predictedDelivery
                ratios[index] = prediction / (prediction > best ? best : second)
            }
            for index in count..<((count + 3) & ~3) { ratios[index] = 1 }
            let gaps = ratios + PathID.limit
            FeatureSchema.scaleGaps(ratios, into: gaps, count: count)
            for index in 0..<count {
                all[index].features[Feature.predictionGap.rawValue] = gaps[index]
            }
        }
    }

    /// Forgets a path that was removed.
    public mutating func remove(path: PathID) { clockOffset.remove(path: path) }

    private mutating func fill(
        _ candidate: inout Candidate, _ snapshot: borrowing PathSnapshot,
        _ estimator: borrowing PathEstimator, burst: BurstContext, now: Instant
    ) {
        candidate.path = snapshot.path
        candidate.traits = snapshot.traits
        FeatureSchema.extract(
            from: snapshot, estimator: estimator, burst: burst, utcOffset: utcOffset, now: now,
            memory: &memory, into: &candidate.features)
        let age = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        let rate = FeatureSchema.expectedRate(snapshot, estimator)
        // Without stamps from the receiver, half the round trip.
        var delay = snapshot.smoothedRTT.seconds / 2
        if let raw = estimator.rawDelay { delay = clockOffset.delay(ofRaw: raw) }
        candidate.smoothedRTT = snapshot.smoothedRTT.seconds
        candidate.rttVariation = snapshot.rttVariation.seconds
        candidate.unansweredAge = age
        candidate.lossRate = estimator.lossShareLong
        candidate.room =
            snapshot.pacingDelay > .zero
            ? 0 : max(0, snapshot.congestionWindow - snapshot.bytesInFlight)
        candidate.bytesInFlight = snapshot.bytesInFlight
        candidate.congestionWindow = snapshot.congestionWindow
        candidate.rate = rate
        candidate.predictedDelivery = heuristic.predict(
            snapshot: snapshot, bytes: burst.bytes, rate: rate, delay: delay,
            unansweredAge: age)
    }
}
