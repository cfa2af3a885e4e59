import CKernels

/// The readings of one decision, and the features of each path from its latest decision.
///
/// For each decision call `begin`, then `add` for every path, then `fill`, which scales all raw
/// quantities at once. Most quantities of a path change with acknowledgements and not with
/// decisions, so four consecutive features whose raw quantities have not changed are not computed
/// again. This changes no result.
public struct FeatureMemory: ~Copyable, @unchecked Sendable {
    /// Manually allocated, because an array checks at each use whether it is shared: `readings` has
    /// the candidates with unscaled features, one for each place, and `memories` their features,
    /// one for each path.
    private let readings: UnsafeMutablePointer<ck_candidate>
    private let memories: UnsafeMutablePointer<ck_memory>
    private let scalings = FeatureMemory.scalings
    /// Paths of this decision.
    public private(set) var count = 0
    private var hasActive = false
    private var moment = DecisionMoment()

    public init() {
        readings = .allocate(capacity: PathID.limit)
        memories = .allocate(capacity: PathID.limit)
        readings.initialize(repeating: ck_candidate(), count: PathID.limit)
        // Bits that four consecutive raw quantities never have, so that the first reading differs
        // from them.
        UnsafeMutableRawPointer(memories).initializeMemory(
            as: UInt8.self, repeating: 0xff,
            count: PathID.limit * MemoryLayout<ck_memory>.stride)
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
        moment = DecisionMoment(
            now: now, utc: now + utcOffset, bytes: Double(burst.bytes),
            deadline: burst.deadline.seconds, current: burst.currentPath)
    }

    /// Offers a path in any state: only active ones become candidates, or standby ones if none is
    /// active; those beyond `PathID.limit` are left out.
    ///
    /// - Parameters:
    ///   - snapshot: unchanged, as is the estimator. The compiler copies a large value from memory
    ///     for a call that borrows it; an `inout` value is read where it is.
    ///   - estimator: of the path.
    ///   - clock: of the connection; it learns of the path first.
    public mutating func add(
        _ snapshot: inout PathSnapshot, of estimator: inout PathEstimator,
        clock: inout ClockOffset
    ) {
        clock.update(path: snapshot.path, from: estimator.evidence)
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
        read(&snapshot, &estimator.evidence, clockOffset: clock.estimate, at: count)
        count += 1
    }

    /// Writes the readings of a path at a place of the decision.
    ///
    /// - Parameter clockOffset: for the one-way delay, which is half the round trip if the receiver
    ///   sends no timestamps.
    @inline(__always)
    mutating func read(
        _ snapshot: inout PathSnapshot, _ evidence: inout PathEvidence,
        clockOffset: TimeDelta?, at place: Int
    ) {
        if snapshot.traits.kind == .starlink { moment.computeGrid() }
        let path = PathReading(&snapshot, &evidence, clockOffset: clockOffset, moment)
        let reading = readings + place
        var rows = RawQuantities(
            first: UnsafeMutableRawPointer(reading).assumingMemoryBound(to: Double.self))
        FeatureTable.fill(&rows, path, &evidence, moment)
        let room =
            snapshot.pacingDelay > .zero
            ? 0 : max(0, snapshot.congestionWindow &- snapshot.bytesInFlight)
        reading.pointee.prediction = path.prediction
        reading.pointee.rtt = path.rtt
        reading.pointee.variation = path.rttVariation
        reading.pointee.age = path.unansweredAge
        reading.pointee.loss = evidence.lossLong
        reading.pointee.standing = ck_standing(
            path: UInt8(truncatingIfNeeded: snapshot.path.index),
            weight: snapshot.traits.weight, price: snapshot.traits.pricePerGB,
            rate_limit: snapshot.traits.rateLimit,
            is_backup: snapshot.traits.isBackup ? 1 : 0, kind: snapshot.traits.kind.rawValue,
            room: Int64(room), in_flight: Int64(snapshot.bytesInFlight),
            window: Int64(snapshot.congestionWindow), rate: path.rate)
    }

    /// Fills `count` candidates: features, predicted delivery, smoothed RTT and its variation, age
    /// of the oldest unanswered packet, the share of packets lost over 5 s, and the state and room
    /// of the path.
    ///
    /// - Parameters:
    ///   - candidates: the first one; each is a `ck_candidate`.
    ///   - step: doubles from one to the next.
    public mutating func fill(_ candidates: UnsafeMutableRawPointer, step: Int) {
        fill(candidates, count: count, step: step)
    }

    /// The same for the readings at the first `count` places.
    @inline(__always)
    mutating func fill(_ candidates: UnsafeMutableRawPointer, count: Int, step: Int) {
        ck_fill(
            scalings, readings, count, Feature.predictionGap.rawValue, memories,
            candidates.assumingMemoryBound(to: ck_candidate.self), step)
    }

    /// The constants of all scalings, made once.
    private nonisolated(unsafe) static let scalings: UnsafePointer<ck_scaling> = {
        let table = UnsafeMutablePointer<ck_scaling>.allocate(capacity: 1)
        table.initialize(to: ck_scaling())
        let count = FeatureVector.count
        let columns = UnsafeMutableRawPointer(table).bindMemory(
            to: Double.self, capacity: 6 * count)
        for feature in Feature.allCases {
            let scaling = feature.scaling
            let place = feature.rawValue
            columns[place] = scaling.low
            columns[count + place] = scaling.high
            columns[2 * count + place] = 1 / scaling.reference
            columns[3 * count + place] = scaling.curve == .logarithmOfOnePlus ? 1 : 0
            columns[4 * count + place] = 1 / scaling.divisor
            columns[5 * count + place] = scaling.curve == .linear ? 0 : 1
        }
        return UnsafePointer(table)
    }()
}

/// Writes raw quantities into a candidate, in the place of its features.
private struct RawQuantities: FeatureRows {
    let first: UnsafeMutablePointer<Double>

    @inline(__always)
    mutating func row(
        _ feature: Feature, _ name: StaticString, unit: StaticString, _ scaling: Scaling,
        _ meaning: StaticString, _ raw: Double
    ) {
        first[feature.rawValue] = raw
    }
}
