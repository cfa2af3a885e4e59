import CKernels

/// The readings of one decision, and what the latest one made of each path.
///
/// `read` notes what is known of a path at a place of the decision, `extract` turns all of it into
/// features at once. Most of a path is moved by acknowledgements and not by decisions: features
/// whose inputs are still the same bits are not computed again. It changes no result.
public struct FeatureMemory: Sendable {
    /// One a place.
    private var readings: [ck_reading]
    /// One a path.
    private var memories: [ck_memory]

    public init() {
        readings = [ck_reading](repeating: ck_reading(), count: PathID.limit)
        memories = [ck_memory](repeating: ck_memory(), count: PathID.limit)
        // Every memory begins with what it makes of a reading of zeros, from bits that are none.
        memories.withUnsafeMutableBytes { bytes in
            for index in bytes.indices { bytes[index] = 0xff }
        }
        for index in readings.indices { readings[index].path = Int64(index) }
        var candidates = [ck_candidate](repeating: ck_candidate(), count: PathID.limit)
        let step = MemoryLayout<ck_candidate>.stride / MemoryLayout<Double>.stride
        ck_fill(FeatureSchema.scalings, readings, PathID.limit, &memories, &candidates, step)
    }

    /// Notes what is known of a path at the time of a decision.
    ///
    /// - Parameters:
    ///   - place: of the candidate, below `PathID.limit`.
    ///   - clockOffset: `ClockOffset.estimate`, for the delay one way; half the round trip is taken
    ///     where the receiver does not stamp.
    ///   - utcOffset: UTC minus the clock of `now`, for the 15 s grid.
    /// - Returns: the rate that a burst can expect, bytes per second.
    public mutating func read(
        _ snapshot: borrowing PathSnapshot, estimator: borrowing PathEstimator,
        burst: BurstContext, clockOffset: TimeDelta?, utcOffset: TimeDelta, now: Instant,
        at place: Int
    ) -> Double {
        let smoothed = snapshot.smoothedRTT.seconds
        let least = snapshot.minRTT < snapshot.smoothedRTT ? snapshot.minRTT.seconds : smoothed
        let rate = FeatureSchema.expectedRate(snapshot, estimator)
        let lastReply = snapshot.lastReply == nil ? estimator.lastReply : snapshot.lastReply
        let unanswered = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        let grid = FeatureSchema.gridPhase(snapshot.traits.kind, now + utcOffset)
        let rawDelay = estimator.rawDelayNow
        var delay = smoothed / 2
        if let rawDelay { delay = ClockOffset.delay(ofRaw: rawDelay, offset: clockOffset) }
        readings[place] = ck_reading(
            rtt: smoothed, rtt_variation: snapshot.rttVariation.seconds, least_rtt: least,
            rtt_fast: estimator.rttFast.mean, delay_excess: estimator.excess(of: rawDelay),
            jitter: estimator.jitterP90, rate: rate, rate_mean: estimator.rateSlow.mean,
            lost_short: estimator.lossShort.lost, lost_long: estimator.lossLong.lost,
            loss_burst: Double(estimator.lastLossBurst),
            since_loss: FeatureSchema.age(estimator.lastLoss, now),
            since_reply: FeatureSchema.age(lastReply, now), unanswered: unanswered,
            in_flight: Double(snapshot.bytesInFlight),
            pacing_delay: snapshot.pacingDelay.seconds,
            probe_timeouts: Double(snapshot.probeTimeouts), burst: Double(burst.bytes),
            deadline: burst.deadline.seconds,
            is_current: burst.currentPath == snapshot.path ? 1 : 0,
            price: snapshot.traits.pricePerGB, grid_sine: grid.sine, grid_cosine: grid.cosine,
            gap: 1, rtt_slow: estimator.rttSlow.mean,
            delivered_short: estimator.lossShort.delivered,
            delivered_long: estimator.lossLong.delivered,
            rate_squares: estimator.rateSlow.squares, rate_weight: estimator.rateSlow.weight,
            delay: delay,
            window: Double(snapshot.congestionWindow), path: Int64(snapshot.path.index))
        return rate
    }

    /// Fills candidates from the readings at the first `count` places: features, predicted
    /// delivery, smoothed RTT and its variation, age of the oldest unanswered packet, and the share
    /// of packets lost over 5 s.
    ///
    /// The prediction, seconds from now until the burst given to the path has arrived, is
    ///
    ///     h = wait + bytes / rate + one-way delay + overdue
    ///
    /// `wait` is the longer of the pacer's queue and the time until the window has room for the
    /// burst. `overdue` is the age of the oldest unanswered packet beyond what its reply should have
    /// taken (`srtt + max(4 rttvar, 10 ms)`: a single lost packet has no news of its own before
    /// that), so a path that falls silent gets worse by itself before anything is declared lost.
    ///
    /// - Parameters:
    ///   - candidates: the first one; each begins with 24 features, the five numbers above in their
    ///     order, and its path.
    ///   - step: doubles from one to the next.
    public mutating func fill(
        _ candidates: UnsafeMutableRawPointer, count: Int, step: Int
    ) {
        ck_fill(
            FeatureSchema.scalings, readings, min(count, PathID.limit), &memories,
            candidates.assumingMemoryBound(to: ck_candidate.self), step)
    }
}
