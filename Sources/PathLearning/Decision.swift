public import PathTelemetry

/// One path that a decision may use, with all inputs of a policy.
public struct Candidate: Sendable {
    // The kernels' `ck_candidate` in CKernels has the same layout.
    public var features: FeatureVector
    /// The heuristic's prediction h(x): time from now until the burst has arrived, seconds.
    public var predictedDelivery: Double
    /// Smoothed RTT and its variation, seconds.
    public var smoothedRTT: Double
    public var rttVariation: Double
    /// Age of the oldest unacknowledged packet, seconds; zero if none exists.
    public var unansweredAge: Double
    /// Share of packets lost over the last 5 s, 0...1.
    public var lossRate: Double
    public var path: PathID
    public var traits: PathTraits
    /// Bytes that the congestion window and the pacer allow now.
    public var room: Int
    public var bytesInFlight: Int
    public var congestionWindow: Int
    /// Expected delivery rate, bytes per second.
    public var rate: Double

    public init(path: PathID, traits: PathTraits = PathTraits()) {
        self.path = path
        self.traits = traits
        features = FeatureVector(repeating: 0)
        predictedDelivery = 0
        smoothedRTT = 0
        rttVariation = 0
        unansweredAge = 0
        lossRate = 0
        room = 0
        bytesInFlight = 0
        congestionWindow = 0
        rate = 0
    }
}

/// The candidates of one decision: the elements `0 ..< count` are valid.
///
/// They are kept in a copy-on-write array that is refilled for every decision, so that neither a
/// decision nor its record copies them; an array that a record still holds is replaced.
public struct CandidateSet: Sendable {
    public private(set) var count = 0
    /// Elements from `count` on belong to earlier decisions.
    @usableFromInline var storage: [Candidate] = []

    public init() {}

    @inlinable public var isEmpty: Bool { count == 0 }

    /// The candidate at a position below `count`.
    public subscript(index: Int) -> Candidate {
        get {
            precondition(index >= 0 && index < count)
            return storage[index]
        }
        _modify {
            precondition(index >= 0 && index < count)
            yield &storage[index]
        }
    }

    /// Lends all candidates in place without copying; the first `count` are valid.
    @inlinable @inline(__always)
    public func withSpan<Result>(_ body: (Span<Candidate>) -> Result) -> Result {
        body(storage.span)
    }

    /// Empties the set for the next decision.
    public mutating func removeAll() { count = 0 }

    /// Lends the memory of `count` candidates, at most `PathID.limit`, to be filled.
    ///
    /// The body gets the first candidate, and the stride in doubles. The memory still holds an
    /// earlier decision.
    @inline(__always)
    mutating func withMemory(_ count: Int, _ body: (UnsafeMutableRawPointer, Int) -> Void) {
        self.count = min(max(count, 0), PathID.limit)
        if storage.count < self.count { grow() }
        storage.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, count > 0 else { return }
            body(
                UnsafeMutableRawPointer(base),
                MemoryLayout<Candidate>.stride / MemoryLayout<Double>.stride)
        }
    }

    @inline(never)
    private mutating func grow() {
        while storage.count < count { storage.append(Candidate(path: PathID(0))) }
    }

    /// Appends a candidate; it is ignored if there are `PathID.limit` already.
    public mutating func append(_ candidate: Candidate) {
        guard count < PathID.limit else { return }
        if storage.count == count {
            storage.append(candidate)
        } else {
            storage[count] = candidate
        }
        count += 1
    }

    /// The position of a path among the candidates.
    public func index(of path: PathID) -> Int? {
        for index in 0..<count where storage[index].path == path { return index }
        return nil
    }
}

/// Actions with their probabilities, stored inline; the elements `0 ..< count` are valid.
///
/// The first `K` actions are the single candidates in their order; pairs, all paths and wait follow
/// if a policy offers them. Probabilities sum to one within 1e-12.
public struct ActionDistribution: Sendable {
    /// Room for 16 single paths and 16 further actions.
    public static let capacity = 32

    public private(set) var count = 0
    @usableFromInline var actions: InlineArray<32, PathSet>
    @usableFromInline var probabilities: InlineArray<32, Double>
    /// The state of probabilities that are not computed yet; see `workOut`.
    public internal(set) var open = Open.no

    public init() {
        actions = InlineArray(repeating: .wait)
        probabilities = InlineArray(repeating: 0)
    }

    /// Adds an action; it is ignored if there are `capacity` already.
    public mutating func append(_ action: PathSet, _ probability: Double) {
        guard count < ActionDistribution.capacity else { return }
        actions[count] = action
        probabilities[count] = probability
        count += 1
    }

    /// Lends actions and probabilities in place without copying; the first `count` are valid.
    ///
    /// While probabilities are not computed (`isOpen`), the numbers are means of costs, and from
    /// position 16 on standard deviations.
    @inlinable @inline(__always)
    public func withSpans<Result>(_ body: (Span<PathSet>, Span<Double>) -> Result) -> Result {
        body(actions.span, probabilities.span)
    }

    /// Empties the distribution for the next decision.
    public mutating func removeAll() {
        count = 0
        open = .no
    }

    /// Lends the probabilities and sets of `count` single candidates, at most `PathID.limit`, to a
    /// kernel that writes them in groups of four.
    @inline(__always)
    mutating func withSingles(
        _ count: Int, _ body: (UnsafeMutablePointer<Double>, UnsafeMutablePointer<UInt16>) -> Void
    ) {
        self.count = min(count, PathID.limit)
        withUnsafeMutablePointer(to: &probabilities) { probabilities in
            withUnsafeMutablePointer(to: &actions) { actions in
                body(
                    UnsafeMutableRawPointer(probabilities).assumingMemoryBound(to: Double.self),
                    UnsafeMutableRawPointer(actions).assumingMemoryBound(to: UInt16.self))
            }
        }
    }

    /// The action whose part of 0 ..< 1 contains the draw; never one with probability zero.
    ///
    /// Nil if a probability is not finite or negative, or if they do not sum to one within 1e-9. It
    /// is mutating because only mutable storage has an address; a reading method would copy all of
    /// it first.
    mutating func sample(_ draw: Double) -> Int? {
        guard !isOpen else { return sampleOpen(draw) }
        var sum = 0.0
        // This counts the parts that end at or before the draw, without an unpredictable branch.
        var before = 0
        var last = 0
        var isSound = true
        for index in 0..<count {
            let share = probabilities[index]
            isSound = isSound && share >= 0
            sum += share
            last = share > 0 ? index : last
            before &+= draw < sum ? 0 : 1
        }
        guard isSound, (sum - 1).magnitude <= 1e-9 else { return nil }
        return min(before, last)
    }

    /// The action at a position below `count`.
    public func action(_ index: Int) -> PathSet {
        precondition(index >= 0 && index < count)
        return actions.span[index]
    }

    /// The probability of the action at a position below `count`; NaN while probabilities are not
    /// computed.
    public subscript(index: Int) -> Double {
        get {
            precondition(index >= 0 && index < count)
            return isOpen ? .nan : probabilities.span[index]
        }
        set {
            precondition(index >= 0 && index < count)
            probabilities[index] = newValue
        }
    }
}

/// A policy's choice, with the whole distribution from which it was drawn, after overrides.
public struct Decision: Sendable {
    public var distribution: ActionDistribution
    /// Index of the chosen action in `distribution`.
    public var chosen: Int
    /// Whether a rule above the policy left only this action, for example if one path is usable.
    ///
    /// Forced decisions are recorded but neither evaluated nor, by most policies, learned from.
    public var isForced: Bool
    /// A value that the policy gets back with the outcome; it is not recorded.
    public var memo: UInt64

    /// Makes an empty decision, which `PathSelector.decide` fills.
    public init() { self.init(distribution: ActionDistribution(), chosen: 0) }

    public init(
        distribution: ActionDistribution, chosen: Int, isForced: Bool = false, memo: UInt64 = 0
    ) {
        self.distribution = distribution
        self.chosen = chosen
        self.isForced = isForced
        self.memo = memo
    }

    public var action: PathSet { distribution.action(chosen) }
    /// Propensity: the probability of the chosen action; NaN while probabilities are not computed.
    public var propensity: Double { distribution[chosen] }
}

/// The outcome of a decision.
///
/// A burst has arrived when its last byte has, in whichever packet, so a timely retransmission
/// makes up for a loss. The receiver's time stamp counts. The burst is closed as late if no arrival
/// is known one round trip and four variations after the deadline.
public struct Outcome: Sendable {
    /// The decision's number within the connection, counted from zero.
    public var decision: UInt64
    /// Decision to arrival of the burst's last byte at the receiver, seconds; nil if the deadline
    /// passed first.
    public var delivery: Double?
    /// Whether it was not delivered within the deadline.
    ///
    /// Unacknowledged bursts count as late and are never dropped.
    public var isLate: Bool
    /// The deadline, seconds; it is the censoring time of `delivery`.
    public var deadline: Double
    /// Packets of the burst without retransmissions, and how many were declared lost before the
    /// outcome closed.
    public var packets: Int
    public var lostPackets: Int
    /// Bytes of the burst's datagrams (UDP payload) by path until then, including copies and
    /// retransmissions.
    ///
    /// It is empty if not recorded.
    public var bytes: PathBytes
    /// When the outcome closed.
    public var closedAt: Instant
    /// The path that was chosen for the burst; nil if it is not recorded.
    public var path: PathID?

    public init(
        decision: UInt64, delivery: Double?, isLate: Bool, deadline: Double, packets: Int,
        lostPackets: Int, bytes: PathBytes = PathBytes(), closedAt: Instant, path: PathID? = nil
    ) {
        self.decision = decision
        self.delivery = delivery
        self.isLate = isLate
        self.deadline = deadline
        self.packets = packets
        self.lostPackets = lostPackets
        self.bytes = bytes
        self.closedAt = closedAt
        self.path = path
    }
}

/// Everything needed to replay one decision.
public struct DecisionRecord: Sendable {
    /// The decision's number within the connection, counted from zero.
    public var number: UInt64
    public var time: Instant
    public var burst: BurstContext
    public var candidates: CandidateSet
    public var decision: Decision
    /// The uniform random number that selected the action.
    public var draw: Double

    public init(
        number: UInt64, time: Instant, burst: BurstContext, candidates: CandidateSet,
        decision: Decision, draw: Double
    ) {
        self.number = number
        self.time = time
        self.burst = burst
        self.candidates = candidates
        self.decision = decision
        self.draw = draw
    }
}
