internal import PathTelemetry

/// Parameters of ecf.
public struct ECFSettings: PolicySettings {
    /// Hysteresis: how much longer it keeps waiting once it waits.
    public var beta = 0.25

    public init() {}

    public var fields: [PolicyField<ECFSettings>] {
        [PolicyField("beta", \.beta, 0...10, "a number from 0 to 10")]
    }
}

/// Earliest completion first: if the fastest path f has no room, it waits for f if all that is left
/// would complete there earlier than a segment on the fastest with room, s.
///
///     wait if  rtt_f (max(k, cwnd_f) / cwnd_f + 1) < (1 + waiting beta) (rtt_s + delta)
///     and      rtt_s max(k, cwnd_s) / cwnd_s >= 2 rtt_f + delta
///
/// with k bytes left, and delta twice the larger RTT variation. It stops waiting when the first test
/// fails, and not when f has room. It never waits for a path whose reply is overdue. Sources: Lim,
/// Nahum, Towsley and Gibbens, "ECF: An MPTCP Path Scheduler to Manage Heterogeneous Paths", 2017,
/// algorithm 1; `mptcp_ecf.c` of MPTCP 0.95 for k, delta and the state.
struct ECFPolicy: Policy {
    let settings: ECFSettings
    private var isWaiting = false

    init(settings: ECFSettings = ECFSettings()) { self.settings = settings }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let fastest = candidates.least { score(of: $0, burst: burst) }
        let second = candidates.leastWithRoom { score(of: $0, burst: burst) }
        guard second != fastest, candidates[second].room > 0,
            !SteadyPolicy.isSuspicious(candidates[fastest])
        else {
            distribution.choose(second, among: candidates)
            return
        }
        let f = candidates[fastest].smoothedRTT
        let s = candidates[second].smoothedRTT
        let delta = 2 * max(candidates[fastest].rttVariation, candidates[second].rttVariation)
        let bar = (1 + (isWaiting ? settings.beta : 0)) * (s + delta)
        guard f * (rounds(candidates[fastest], burst) + 1) < bar else {
            isWaiting = false
            distribution.choose(second, among: candidates)
            return
        }
        guard s * rounds(candidates[second], burst) >= 2 * f + delta else {
            distribution.choose(second, among: candidates)
            return
        }
        isWaiting = true
        distribution.wait(among: candidates)
    }

    /// Number of windows that the bytes left fill, at least one.
    private func rounds(_ candidate: borrowing Candidate, _ burst: BurstContext) -> Double {
        let window = candidate.congestionWindow
        guard window > 0 else { return 1 }
        return Double(max(burst.bytesLeft, window)) / Double(window)
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.smoothedRTT
    }
}

extension ECFPolicy {
    static let descriptor = PolicyDescriptor(
        "ecf", "waits for the fastest path when that completes earlier",
        source: "Lim 2017",
        settings: ECFSettings(),
        needs: { _ in PolicyNeeds().with { $0.fullPaths = true } }
    ) { settings, _ throws(LearningError) in
        ECFPolicy(settings: settings)
    }
}
