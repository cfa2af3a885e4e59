public import PathTelemetry

/// Parameters of reinject.
public struct ReinjectSettings: PolicySettings, Sendable {
    /// Age of an unanswered packet in round trips of the fastest path.
    public var factor = 1.1
    /// Age at which it goes again whatever the round trip, and below which it never does, seconds.
    public var deadline = 0.5
    public var least = 0.02

    public init() {}

    var fields: [PolicyField<ReinjectSettings>] {
        [
            PolicyField("factor", \.factor, 0.1...100, "a number from 0.1 to 100"),
            PolicyField("deadline", \.deadline, 1e-3...60, "seconds from 0.001 to 60"),
            PolicyField("least", \.least, 1e-3...60, "seconds from 0.001 to 60"),
        ]
    }

    /// The age at which an unanswered packet's data is queued again for another path, once:
    /// `max(min(factor rtt, deadline), least)`.
    ///
    /// - Parameter fastest: the least smoothed RTT of all paths.
    public func age(fastest: TimeDelta) -> TimeDelta {
        TimeDelta(seconds: max(min(factor * fastest.seconds, deadline), least))
    }
}

/// Min-RTT with re-injection: what is unanswered for too long goes again on another path.
///
/// The policy itself is min-rtt; the transport asks `ReinjectSettings.age` and queues what is older
/// elsewhere. Source: Zheng et al., "XLINK: QoE-driven multi-path QUIC transport in large-scale
/// video services", 2021; the age as in its public implementation.
struct ReinjectPolicy: Policy {
    let settings: ReinjectSettings
    private var base = MinRTTPolicy()

    init(settings: ReinjectSettings = ReinjectSettings()) { self.settings = settings }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        base.distribution(for: candidates, burst: burst, now: now, into: &distribution)
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        base.score(of: candidate, burst: burst)
    }
}
