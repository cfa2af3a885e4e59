import CKernels

/// The readings of one decision, and what the latest one made of each path.
///
/// `read` notes what is known of a path at a place of the decision, `extract` turns all of it into
/// features at once. Most of a path is moved by acknowledgements and not by decisions: features
/// whose inputs are still the same bits are not computed again. It changes no result.
public struct FeatureMemory: ~Copyable, @unchecked Sendable {
    /// Memory of its own, because an array is asked at each use whether it is shared: readings, one
    /// a place, and what was made of them, one a path.
    private let readings: UnsafeMutablePointer<ck_reading>
    private let memories: UnsafeMutablePointer<ck_memory>
    private let scalings = FeatureSchema.scalings

    public init() {
        readings = .allocate(capacity: PathID.limit)
        memories = .allocate(capacity: PathID.limit)
        readings.initialize(repeating: ck_reading(), count: PathID.limit)
        // Every memory begins with what it makes of a reading of zeros, from bits that are none.
        UnsafeMutableRawPointer(memories).initializeMemory(
            as: UInt8.self, repeating: 0xff,
            count: PathID.limit * MemoryLayout<ck_memory>.stride)
        for index in 0..<PathID.limit { readings[index].standing.path = UInt8(index) }
        var candidates = [ck_candidate](repeating: ck_candidate(), count: PathID.limit)
        let step = MemoryLayout<ck_candidate>.stride / MemoryLayout<Double>.stride
        ck_fill(scalings, readings, PathID.limit, memories, &candidates, step)
    }

    deinit {
        readings.deallocate()
        memories.deallocate()
    }

    /// Notes what is known of a path at the time of a decision.
    ///
    /// - Parameters:
    ///   - evidence: of the path's estimator.
    ///   - place: of the candidate; nothing is noted at `PathID.limit` and above.
    ///   - clockOffset: `ClockOffset.estimate`, for the delay one way; half the round trip is taken
    ///     where the receiver does not stamp.
    ///   - utcOffset: UTC minus the clock of `now`, for the 15 s grid.
    public mutating func read(
        _ snapshot: borrowing PathSnapshot, evidence: borrowing PathEvidence,
        burst: BurstContext, clockOffset: TimeDelta?, utcOffset: TimeDelta, now: Instant,
        at place: Int
    ) {
        guard place >= 0, place < PathID.limit else { return }
        let smoothed = snapshot.smoothedRTT.seconds
        let least = snapshot.minRTT < snapshot.smoothedRTT ? snapshot.minRTT.seconds : smoothed
        let rate = FeatureSchema.expectedRate(snapshot, measured: evidence.averages.rate_mean)
        let lastReply = snapshot.lastReply == nil ? evidence.lastReply : snapshot.lastReply
        let unanswered = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        let grid = FeatureSchema.gridPhase(snapshot.traits.kind, now + utcOffset)
        var delay = smoothed / 2
        if let raw = evidence.rawDelay {
            delay = ClockOffset.delay(ofRaw: raw, offset: clockOffset)
        }
        let room =
            snapshot.pacingDelay > .zero
            ? 0 : max(0, snapshot.congestionWindow &- snapshot.bytesInFlight)
        readings[place] = ck_reading(
            averages: evidence.averages, rtt: smoothed,
            rtt_variation: snapshot.rttVariation.seconds, least_rtt: least, rate: rate,
            probe_timeouts: Double(snapshot.probeTimeouts), burst: Double(burst.bytes),
            deadline: burst.deadline.seconds,
            is_current: burst.currentPath == snapshot.path ? 1 : 0,
            price: snapshot.traits.pricePerGB, grid_sine: grid.sine, grid_cosine: grid.cosine,
            gap: 1, since_reply: FeatureSchema.age(lastReply, now), unanswered: unanswered,
            in_flight: Double(snapshot.bytesInFlight),
            pacing_delay: snapshot.pacingDelay.seconds,
            since_loss: FeatureSchema.age(evidence.lastLoss, now), delay: delay,
            window: Double(snapshot.congestionWindow), unused: 0,
            standing: ck_standing(
                path: UInt8(truncatingIfNeeded: snapshot.path.index),
                weight: snapshot.traits.weight, price: snapshot.traits.pricePerGB,
                rate_limit: snapshot.traits.rateLimit,
                is_backup: snapshot.traits.isBackup ? 1 : 0, kind: snapshot.traits.kind.rawValue,
                room: Int64(room), in_flight: Int64(snapshot.bytesInFlight),
                window: Int64(snapshot.congestionWindow), rate: rate))
    }

    /// Fills candidates from the readings at the first `count` places: features, predicted
    /// delivery, smoothed RTT and its variation, age of the oldest unanswered packet, the share
    /// of packets lost over 5 s, and what the path is and can take now.
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
    ///   - candidates: the first one; each as `ck_candidate` says.
    ///   - step: doubles from one to the next.
    public mutating func fill(
        _ candidates: UnsafeMutableRawPointer, count: Int, step: Int
    ) {
        ck_fill(
            scalings, readings, min(count, PathID.limit), memories,
            candidates.assumingMemoryBound(to: ck_candidate.self), step)
    }
}
