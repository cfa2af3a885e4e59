public import PathTelemetry

/// Age-aware min-RTT with hysteresis: the fallback, and the rule that a learned policy must never
/// be materially worse than.
///
/// The estimate of a path is `max(srtt + 2 rttvar if suspicious, age of the oldest unanswered)`.
/// It moves only when another path's estimate is below `current / 1.2 - 5 ms`, or when the current
/// one is gone or silent for `max(3 srtt, 400 ms)`. When the current path has no room, the burst
/// spills to the best one that has, without a move.
struct SteadyPolicy: Policy {
    static let margin = 1.2
    static let slack = 0.005

    /// The path that bursts of each traffic class are on.
    private var stream: PathID?
    private var message: PathID?

    init() {}

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        distribution.choose(choice(among: candidates, burst: burst), among: candidates)
    }

    /// The candidate that it takes; remembers the path it is on.
    mutating func choice(among candidates: Span<Candidate>, burst: BurstContext) -> Int {
        choice(among: candidates, burst: burst) { SteadyPolicy.estimate(candidates[$0]) }
    }

    /// The same where estimates are known.
    ///
    /// - Parameter estimate: of the candidate at a place.
    @inline(__always)
    mutating func choice(
        among candidates: Span<Candidate>, burst: BurstContext, estimate: (Int) -> Double
    ) -> Int {
        var best = 0
        for index in 1..<max(1, candidates.count) where estimate(index) < estimate(best) {
            best = index
        }
        var home = best
        if let path = burst.trafficClass == .stream ? stream : message,
            let current = candidates.index(of: path)
        {
            home = current
        }
        if home != best {
            let bar = estimate(home) / SteadyPolicy.margin - SteadyPolicy.slack
            let moves = estimate(best) < bar
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

    /// The age-aware round trip, seconds.
    static func estimate(_ candidate: borrowing Candidate) -> Double {
        let suspicious = isSuspicious(candidate) ? 2 * candidate.rttVariation : 0
        return max(candidate.smoothedRTT + suspicious, candidate.unansweredAge)
    }

    /// A reply is overdue beyond what variation explains.
    static func isSuspicious(_ candidate: borrowing Candidate) -> Bool {
        candidate.unansweredAge
            > candidate.smoothedRTT + max(4 * candidate.rttVariation, 0.01)
    }

    /// Taken for dead: no reply for three round trips and at least 400 ms.
    static func isSilent(_ candidate: borrowing Candidate) -> Bool {
        candidate.unansweredAge > max(3 * candidate.smoothedRTT, 0.4)
    }
}

extension SteadyPolicy {
    static let descriptor = PolicyDescriptor(
        "steady", "lowest RTT, aware of silence, moves only for a clear gain"
    ) { SteadyPolicy() }
}

extension PolicySpecification {
    /// The lowest round trip, aware of silence; moves only for a clear gain.
    public static let steady = SteadyPolicy.descriptor.specification()
}
