import CKernels
public import PathTelemetry

/// A rule that turns candidates into a distribution over actions, and learns from outcomes.
///
/// Deterministic, no clock, no I/O and no allocation per decision. A policy never draws: it states
/// probabilities and `PathSelector` samples them in one place, so that every propensity is known.
public protocol Policy: Sendable {
    /// Writes the distribution: first the single candidates in their order (probability zero for
    /// those not wanted), then further actions. `distribution` comes in empty.
    ///
    /// - Parameter candidates: at least one.
    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution)

    /// Takes in how an earlier decision turned out. Outcomes may come late and in any order.
    mutating func learn(_ feedback: borrowing Feedback)

    /// What the policy minimises, for one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double

    /// What of the latest decision the policy wants to hear again with its outcome.
    var memo: UInt64 { get }

    /// Hears which action of the distribution stated last was taken.
    ///
    /// Only policies whose needs say `choices` are told.
    mutating func handleChoice(_ action: PathSet, now: Instant)

    /// The oldest thing that a guard of the policy did and that was not handed out yet.
    mutating func pollEvent() -> GuardEvent?
}

extension Policy {
    public mutating func learn(_ feedback: borrowing Feedback) {}
    public var memo: UInt64 { 0 }
    /// Most policies do not ask.
    public mutating func handleChoice(_ action: PathSet, now: Instant) {}
    /// Most policies have no guard.
    public mutating func pollEvent() -> GuardEvent? { nil }
}

/// An outcome together with what was known when its decision was made.
public struct Feedback: Sendable {
    /// Features of the chosen candidate at the time of the decision.
    public var features: FeatureVector
    /// Its heuristic prediction h(x) at that time, seconds.
    public var predictedDelivery: Double
    public var burst: BurstContext
    public var outcome: Outcome
    /// When the outcome became known: decides how much older evidence has faded.
    public var now: Instant
    /// The chosen candidate's path; the fastest one where copies went over several.
    public var path: PathID
    /// All paths that carried a copy.
    public var action: PathSet
    /// Probability with which the action was taken; not a number where `lin-ts` left it open.
    public var propensity: Double
    /// `Decision.memo`.
    public var memo: UInt64
    /// The decision had no choice; only the learned policy learns from it.
    public var isForced: Bool

    /// - Parameter action: the path alone when nil.
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

extension ActionDistribution {
    /// All probability on one candidate.
    public mutating func choose(_ chosen: Int, among candidates: Span<Candidate>) {
        for index in 0..<candidates.count {
            append(PathSet(candidates[index].path), index == chosen ? 1 : 0)
        }
    }

    /// All probability on sending nothing yet.
    public mutating func wait(among candidates: Span<Candidate>) {
        choose(-1, among: candidates)
        append(.wait, 1)
    }
}

extension Span where Element == Candidate {
    /// Lends the candidates to a kernel: the first one, the distance to the next in doubles, and how
    /// many there are.
    @inline(__always)
    func withKernel<Result>(
        _ body: (UnsafePointer<ck_candidate>, Int, Int) -> Result
    ) -> Result? {
        withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return nil }
            // A candidate is as `ck_candidate` says.
            return body(
                UnsafeRawPointer(base).assumingMemoryBound(to: ck_candidate.self),
                MemoryLayout<Candidate>.stride / MemoryLayout<Double>.stride, buffer.count)
        }
    }

    /// The position of a path among the candidates.
    func index(of path: PathID) -> Int? {
        for index in 0..<count where self[index].path == path { return index }
        return nil
    }

    /// The candidate with the least score among all; not-a-number loses, the first one of equals.
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

    /// True when a candidate can send now.
    var hasRoom: Bool {
        for index in 0..<count where self[index].room > 0 { return true }
        return false
    }

    /// The candidate with the least score among those with room to send now.
    ///
    /// Among all when none has room; the first one of equals.
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
