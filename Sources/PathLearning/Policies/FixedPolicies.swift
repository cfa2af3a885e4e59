public import PathTelemetry

/// One path, named by the user; the first candidate while that path is out of service.
public struct SinglePolicy: Policy {
    public var path: PathID

    public init(path: PathID) { self.path = path }

    public mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let found = candidates.index(of: path)
        distribution.choose(found ?? 0, among: candidates)
    }

    public func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.path == path ? 0 : 1
    }
}

/// The paths in turn, leaving out those without room.
public struct RoundRobinPolicy: Policy {
    private var last: PathID?

    public init() {}

    public mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let chosen = candidates.leastWithRoom { score(of: $0, burst: burst) }
        last = candidates[chosen].path
        distribution.choose(chosen, among: candidates)
    }

    /// Steps from the path used last to this one.
    public func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        guard let last else { return Double(candidate.path.rawValue) }
        let step = candidate.path.index - last.index
        return Double(step > 0 ? step : step + PathID.limit)
    }
}

/// Each path with a probability proportional to its fixed weight, among those with room.
public struct WeightedPolicy: Policy {
    public init() {}

    public mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let needed = candidates.hasRoom ? 1 : Int.min
        var total = 0.0
        for index in 0..<candidates.count where candidates[index].room >= needed {
            total += weight(candidates[index])
        }
        for index in 0..<candidates.count {
            let share = weight(candidates[index]) / total
            distribution.append(
                PathSet(candidates[index].path), candidates[index].room >= needed ? share : 0)
        }
    }

    public func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        -weight(candidate)
    }

    /// The user's weight, held within a range whose sums are finite and positive.
    private func weight(_ candidate: borrowing Candidate) -> Double {
        let weight = candidate.traits.weight
        return weight > 1e-9 ? min(weight, 1e9) : 1e-9
    }
}

/// The lowest smoothed RTT among the paths with room: the rule of Linux MPTCP and MPQUIC.
public struct MinRTTPolicy: Policy {
    public init() {}

    public mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        distribution.choose(
            candidates.leastWithRoom { score(of: $0, burst: burst) }, among: candidates)
    }

    public func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.smoothedRTT
    }
}

/// The earliest predicted arrival; waiting for room is part of the prediction.
public struct EarliestPolicy: Policy {
    public init() {}

    public mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        var best = 0
        for index in 1..<max(1, candidates.count)
        where candidates[index].predictedDelivery < candidates[best].predictedDelivery {
            best = index
        }
        distribution.choose(best, among: candidates)
    }

    public func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.predictedDelivery
    }
}

/// A copy on every usable path: the least delay there is, for as many times the bytes.
public struct RedundantPolicy: Policy {
    public init() {}

    public mutating func distribution(
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

    public func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double { 0 }
}
