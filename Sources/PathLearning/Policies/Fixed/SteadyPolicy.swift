internal import PathTelemetry

/// Age-aware min-RTT with hysteresis: the fallback, and the baseline that a learned policy must not
/// be materially worse than.
///
/// The estimate of a path is `max(srtt + 2 rttvar if suspicious, age of the oldest unanswered)`. It
/// switches only if another path's estimate is below `current / 1.2 - 5 ms`, or if the current path
/// is gone or silent for `max(3 srtt, 400 ms)`. If the current path has no room, the burst goes to
/// the best path that has, without a switch.
struct SteadyPolicy: Policy {
    private static let margin = 1.2
    private static let slack = 0.005

    /// The current path of each traffic class.
    private var stream: PathID?
    private var message: PathID?

    init() {}

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        distribution.choose(choice(among: candidates, burst: burst), among: candidates)
    }

    /// Chooses a candidate and remembers the current path.
    mutating func choice(among candidates: Span<Candidate>, burst: BurstContext) -> Int {
        choice(among: candidates, burst: burst) { SteadyPolicy.estimate(candidates[$0]) }
    }

    /// The same with given estimates.
    ///
    /// - Parameter estimate: estimate of the candidate at a position.
    @inline(__always)
    mutating func choice(
        among candidates: Span<Candidate>, burst: BurstContext, estimate: (Int) -> Double
    ) -> Int {
        var best = 0
        var least = estimate(0)
        for index in 1..<max(1, candidates.count) {
            let own = estimate(index)
            if own < least {
                best = index
                least = own
            }
        }
        var home = best
        if let path = burst.trafficClass == .stream ? stream : message,
            let current = candidates.index(of: path)
        {
            home = current
        }
        if home != best {
            let moves = SteadyPolicy.moves(from: estimate(home), to: least)
            let silent = SteadyPolicy.isSilent(candidates[home])
            if moves || silent { home = best }
        }
        if burst.trafficClass == .stream {
            stream = candidates[home].path
        } else {
            message = candidates[home].path
        }
        if candidates[home].room <= 0 {
            home = candidates.leastWithRoom { SteadyPolicy.estimate($0) }
        }
        return home
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        SteadyPolicy.estimate(candidate)
    }

    /// Whether another path's estimate is better by enough to switch to it.
    @inline(__always)
    static func moves(from own: Double, to other: Double) -> Bool {
        other < own / margin - slack
    }

    /// The age-aware round-trip time, seconds.
    @inline(__always)
    static func estimate(_ candidate: borrowing Candidate) -> Double {
        estimate(candidate, isOverdue: isSuspicious(candidate))
    }

    /// The same where it is known whether the reply is overdue.
    @inline(__always)
    static func estimate(_ candidate: borrowing Candidate, isOverdue: Bool) -> Double {
        let longer = isOverdue ? 2 * candidate.rttVariation : 0
        let reply = candidate.smoothedRTT + longer
        // The same as `max`, even for NaN, by one instruction.
        return candidate.unansweredAge > reply ? candidate.unansweredAge : reply
    }

    /// Whether a reply is overdue beyond what the variation explains.
    @inline(__always)
    static func isSuspicious(_ candidate: borrowing Candidate) -> Bool {
        candidate.unansweredAge
            > ReplyTime.latest(rtt: candidate.smoothedRTT, variation: candidate.rttVariation)
    }

    /// Whether the path counts as dead: no reply for three round trips and at least 400 ms.
    static func isSilent(_ candidate: borrowing Candidate) -> Bool {
        candidate.unansweredAge > max(3 * candidate.smoothedRTT, 0.4)
    }
}

extension SteadyPolicy {
    static let descriptor = PolicyDescriptor(
        "steady", "lowest RTT, avoids silent paths, switches only for a clear gain"
    ) { SteadyPolicy() }
}

extension PolicySpecification {
    /// The lowest round-trip time, aware of silence; it switches only for a clear gain.
    public static let steady = SteadyPolicy.descriptor.specification()
}
