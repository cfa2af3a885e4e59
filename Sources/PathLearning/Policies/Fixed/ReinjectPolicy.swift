internal import PathTelemetry

/// Parameters of reinject.
public struct ReinjectSettings: PolicySettings {
    /// Age of an unacknowledged packet, in round trips of the fastest path.
    public var factor = 1.1
    /// Age at which it is always re-injected, and below which it never is, seconds.
    public var deadline = 0.5
    public var least = 0.02

    public init() {}

    public var fields: [PolicyField<ReinjectSettings>] {
        [
            PolicyField("factor", \.factor, 0.1...100, "a number from 0.1 to 100"),
            PolicyField("deadline", \.deadline, 1e-3...60, "seconds from 0.001 to 60"),
            PolicyField("least", \.least, 1e-3...60, "seconds from 0.001 to 60"),
        ]
    }

    /// The age at which an unacknowledged packet's data is queued once for another path.
    var age: ReinjectionAge {
        ReinjectionAge(factor: factor, longest: deadline, least: least)
    }
}

/// Min-RTT with re-injection: data that is unacknowledged for too long is also sent on another
/// path.
///
/// The policy itself is min-rtt; the transport re-injects data older than `ReinjectSettings.age`,
/// as the policy's needs demand. Source: Zheng et al., "XLINK: QoE-driven multi-path QUIC transport
/// in large-scale video services", 2021; the age is that of its public implementation.
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

extension ReinjectPolicy {
    static let descriptor = PolicyDescriptor(
        "reinject", "min-rtt, and long unanswered data is resent on other paths",
        source: "XLINK 2021",
        settings: ReinjectSettings(),
        needs: { settings in PolicyNeeds().with { $0.reinjection = settings.age } }
    ) { settings, _ throws(LearningError) in
        ReinjectPolicy(settings: settings)
    }
}
