internal import PathTelemetry

/// Uses the paths in turn and skips those without room.
struct RoundRobinPolicy: Policy {
    private var last: PathID?

    init() {}

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let chosen = candidates.leastWithRoom { score(of: $0, burst: burst) }
        last = candidates[chosen].path
        distribution.choose(chosen, among: candidates)
    }

    /// Steps from the last used path to this one.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        guard let last else { return Double(candidate.path.rawValue) }
        let step = candidate.path.index - last.index
        return Double(step > 0 ? step : step + PathID.limit)
    }
}

/// Uses the lowest smoothed RTT among the paths with room, like Linux MPTCP and MPQUIC.
///
/// Source: Raiciu et al., "How Hard Can It Be? Designing and Implementing a Deployable Multipath
/// TCP", 2012.
struct MinRTTPolicy: Policy {
    init() {}

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        distribution.choose(
            candidates.leastWithRoom { score(of: $0, burst: burst) }, among: candidates)
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.smoothedRTT
    }
}

/// Uses the earliest predicted arrival; the prediction includes waiting for room.
///
/// Source: Chebrolu and Rao, "Bandwidth Aggregation for Real-Time Applications in Heterogeneous
/// Wireless Networks", 2006 (earliest delivery path first).
struct EarliestPolicy: Policy {
    init() {}

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        distribution.choose(
            candidates.least { score(of: $0, burst: burst) }, among: candidates)
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.predictedDelivery
    }
}

/// Sends a copy on every usable path: the least possible delay, at the cost of all copies.
struct RedundantPolicy: Policy {
    init() {}

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        var all = PathSet.wait
        for index in 0..<candidates.count {
            let path = PathSet(candidates[index].path)
            all.formUnion(path)
            distribution.append(path, candidates.count == 1 ? 1 : 0)
        }
        if candidates.count > 1 { distribution.append(all, 1) }
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double { 0 }
}

extension RoundRobinPolicy {
    static let descriptor = PolicyDescriptor(
        "round-robin", "the paths in turn"
    ) { RoundRobinPolicy() }
}

extension MinRTTPolicy {
    static let descriptor = PolicyDescriptor(
        "min-rtt", "the lowest smoothed RTT with room in its window",
        source: "MPTCP 2012", needs: PolicyNeeds().with { $0.leavesSlowPaths = true }
    ) { MinRTTPolicy() }
}

extension EarliestPolicy {
    static let descriptor = PolicyDescriptor(
        "earliest", "the earliest predicted arrival",
        source: "EDPF 2006", needs: PolicyNeeds().with { $0.leavesSlowPaths = true }
    ) { EarliestPolicy() }
}

extension RedundantPolicy {
    static let descriptor = PolicyDescriptor(
        "redundant", "a copy on every path",
        needs: PolicyNeeds().with { $0.fullPaths = true }
    ) { RedundantPolicy() }
}

extension PolicySpecification {
    /// The lowest round-trip time among the paths with room.
    public static let minRTT = MinRTTPolicy.descriptor.specification()
    /// The earliest predicted arrival.
    public static let earliest = EarliestPolicy.descriptor.specification()
    /// The paths in turn.
    public static let roundRobin = RoundRobinPolicy.descriptor.specification()
}
