import CKernels
public import PathTelemetry

/// A rule that turns candidates into a distribution over actions, and learns from outcomes.
///
/// It is deterministic and has no clock, no I/O and no allocation per decision. A policy never
/// draws: it computes probabilities and `PathSelector` samples them in one place, so that every
/// propensity is known.
public protocol Policy: Sendable {
    /// Writes the distribution: first the single candidates in their order (with probability zero
    /// for unwanted ones), then further actions. `distribution` is empty at the call.
    ///
    /// - Parameter candidates: at least one.
    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution)

    /// Learns the outcome of an earlier decision; outcomes may come late and in any order.
    mutating func learn(_ feedback: borrowing Feedback)

    /// The quantity that the policy minimises, for one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double

    /// A value of the latest decision that the policy gets back with its outcome.
    ///
    /// Its getter may mutate, because a policy that is only read through the protocol is copied.
    var memo: UInt64 { mutating get }

    /// Is told which action of the latest distribution was taken.
    ///
    /// Only policies whose needs say `choices` are told.
    mutating func handleChoice(_ action: PathSet, now: Instant)

    /// The oldest pending event of the policy's guard.
    mutating func pollEvent() -> GuardEvent?
}

extension Policy {
    public mutating func learn(_ feedback: borrowing Feedback) {}
    public var memo: UInt64 { mutating get { 0 } }
    /// Most policies do not need this.
    public mutating func handleChoice(_ action: PathSet, now: Instant) {}
    /// Most policies have no guard.
    public mutating func pollEvent() -> GuardEvent? { nil }
}

/// An outcome together with the inputs of its decision.
public struct Feedback: Sendable {
    /// Features of the chosen candidate at the time of the decision.
    public var features: FeatureVector
    /// Its heuristic prediction h(x) at that time, seconds.
    public var predictedDelivery: Double
    public var burst: BurstContext
    public var outcome: Outcome
    /// When the outcome became known; it determines the discount of older evidence.
    public var now: Instant
    /// The chosen candidate's path; the fastest one if copies used several.
    public var path: PathID
    /// All paths that carried a copy.
    public var action: PathSet
    /// Propensity of the action; NaN if `lin-ts` has not computed it.
    public var propensity: Double
    /// `Decision.memo`.
    public var memo: UInt64
    /// Whether the decision had no choice; only policies with `PolicyNeeds.forcedFeedback` learn
    /// from it.
    public var isForced: Bool

    /// - Parameter action: nil means the path alone.
    public init(
        features: FeatureVector, predictedDelivery: Double, burst: BurstContext, outcome: Outcome,
        now: Instant, path: PathID = PathID(0), action: PathSet? = nil, propensity: Double = 1,
        memo: UInt64 = 0, isForced: Bool = false
    ) {
        self.features = features
        self.path = path
        self.predictedDelivery = predictedDelivery
        self.burst = burst
        self.outcome = outcome
        self.now = now
        self.action = action ?? PathSet(path)
        self.propensity = propensity
        self.memo = memo
        self.isForced = isForced
    }
}

extension Feedback {
    /// Makes the feedback of a closed decision.
    ///
    /// - Parameter memo: of the policy that learns; nil means the one that decided.
    init(_ closed: borrowing BurstLedger.Closed, memo: UInt64? = nil) {
        let own = closed.open.memo
        self.init(
            features: closed.open.features, predictedDelivery: closed.open.predictedDelivery,
            burst: closed.open.burst, outcome: closed.outcome, now: closed.outcome.closedAt,
            path: closed.open.path, action: closed.open.action,
            propensity: closed.open.propensity, memo: memo ?? own,
            isForced: closed.open.isForced)
    }
}

extension ActionDistribution {
    /// Puts all probability on one candidate, in an empty distribution.
    public mutating func choose(_ chosen: Int, among candidates: Span<Candidate>) {
        let count = min(candidates.count, PathID.limit)
        withSingles(count) { probabilities, actions in
            for index in 0..<count {
                probabilities[index] = index == chosen ? 1 : 0
                actions[index] = PathSet(candidates[index].path).rawValue
            }
        }
    }

    /// Puts all probability on waiting.
    public mutating func wait(among candidates: Span<Candidate>) {
        choose(-1, among: candidates)
        append(.wait, 1)
    }
}

extension Span where Element == Candidate {
    /// Lends the candidates to a kernel: the first one, the stride in doubles, and the count.
    @inline(__always)
    func withKernel<Result>(
        _ body: (UnsafePointer<ck_candidate>, Int, Int) -> Result
    ) -> Result? {
        // The count of the buffer would be divided out of its bytes.
        let count = count
        return withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return nil }
            // `Candidate` has the layout of `ck_candidate`.
            return body(
                UnsafeRawPointer(base).assumingMemoryBound(to: ck_candidate.self),
                MemoryLayout<Candidate>.stride / MemoryLayout<Double>.stride, count)
        }
    }

    /// The position of a path among the candidates.
    func index(of path: PathID) -> Int? {
        for index in 0..<count where self[index].path == path { return index }
        return nil
    }

    /// The candidate with the least score among all; NaN loses, and the first of equals wins.
    func least(_ score: (borrowing Candidate) -> Double) -> Int {
        var best = 0
        var bestScore = Double.infinity
        for index in 0..<count {
            let value = score(self[index])
            if value < bestScore {
                best = index
                bestScore = value
            }
        }
        return best
    }

    /// Whether a candidate can send now.
    var hasRoom: Bool {
        for index in 0..<count where self[index].room > 0 { return true }
        return false
    }

    /// The candidate with the least score among those with room to send now.
    ///
    /// If none has room it is the least of all; the first of equals wins.
    func leastWithRoom(_ score: (borrowing Candidate) -> Double) -> Int {
        let needed = hasRoom ? 1 : Int.min
        var best = -1
        var bestScore = Double.infinity
        for index in 0..<count where self[index].room >= needed {
            let value = score(self[index])
            if best < 0 {
                best = index
                bestScore = value
            } else if value < bestScore {
                best = index
                bestScore = value
            }
        }
        return max(0, best)
    }
}
