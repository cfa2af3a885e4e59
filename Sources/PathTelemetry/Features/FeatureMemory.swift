import CKernels

/// The readings of one decision, and what the latest one made of each path.
///
/// For each decision: `begin`, then `add` for every path, then `fill`, which turns all of it into
/// features at once. Most of a path is moved by acknowledgements and not by decisions: features
/// whose inputs are still the same bits are not computed again. It changes no result.
public struct FeatureMemory: ~Copyable, @unchecked Sendable {
    /// Memory of its own, because an array is asked at each use whether it is shared: readings, one
    /// a place, and what was made of them, one a path.
    private let readings: UnsafeMutablePointer<ck_reading>
    private let memories: UnsafeMutablePointer<ck_memory>
    private let scalings = FeatureSchema.scalings
    /// Paths of this decision.
    public private(set) var count = 0
    private var hasActive = false
    private var moment = Moment()

    /// What is the same for all paths of a decision.
    private struct Moment: Sendable {
        var now = Instant.zero
        var utc = Instant.zero
        var bytes = 0.0
        var deadline = 0.0
        var current: PathID?
    }

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

    /// Starts a decision.
    ///
    /// - Parameter utcOffset: UTC minus the clock of `now`, for the 15 s grid.
    public mutating func begin(_ burst: BurstContext, now: Instant, utcOffset: TimeDelta) {
        count = 0
        hasActive = false
        moment = Moment(
            now: now, utc: now + utcOffset, bytes: Double(burst.bytes),
            deadline: burst.deadline.seconds, current: burst.currentPath)
    }

    /// Offers a path, in any state: only active ones are taken, standby ones where none is active;
    /// those beyond `PathID.limit` are left out.
    ///
    /// - Parameters:
    ///   - evidence: of the path's estimator.
    ///   - clockOffset: receiver's clock minus sender's, where it is known.
    public mutating func add(
        _ snapshot: borrowing PathSnapshot, evidence: borrowing PathEvidence,
        clockOffset: TimeDelta?
    ) {
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
        read(snapshot, evidence: evidence, clockOffset: clockOffset, at: count)
        count += 1
    }

    /// Notes what is known of a path at a place of the decision.
    ///
    /// - Parameter clockOffset: for the delay one way; half the round trip is taken where the
    ///   receiver does not stamp.
    @inline(__always)
    mutating func read(
        _ snapshot: borrowing PathSnapshot, evidence: borrowing PathEvidence,
        clockOffset: TimeDelta?, at place: Int
    ) {
        let now = moment.now
        let smoothed = snapshot.smoothedRTT.seconds
        let least = snapshot.minRTT < snapshot.smoothedRTT ? snapshot.minRTT.seconds : smoothed
        let rate = FeatureSchema.expectedRate(snapshot, measured: evidence.averages.rate_mean)
        let lastReply = snapshot.lastReply == nil ? evidence.lastReply : snapshot.lastReply
        let unanswered = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        let grid = FeatureSchema.gridPhase(snapshot.traits.kind, moment.utc)
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
            probe_timeouts: Double(snapshot.probeTimeouts), burst: moment.bytes,
            deadline: moment.deadline, is_current: moment.current == snapshot.path ? 1 : 0,
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

    /// Fills `count` candidates: features, predicted delivery, smoothed RTT and its variation, age of
    /// the oldest unanswered packet, the share of packets lost over 5 s, and what the path is and
    /// can take now.
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
    public mutating func fill(_ candidates: UnsafeMutableRawPointer, step: Int) {
        fill(candidates, count: count, step: step)
    }

    /// The same of the readings at the first `count` places.
    @inline(__always)
    mutating func fill(_ candidates: UnsafeMutableRawPointer, count: Int, step: Int) {
        ck_fill(
            scalings, readings, count, memories,
            candidates.assumingMemoryBound(to: ck_candidate.self), step)
    }
}
