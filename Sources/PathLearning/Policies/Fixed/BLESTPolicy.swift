internal import PathTelemetry

/// Parameters of blest.
public struct BLESTSettings: PolicySettings {
    /// Receive window, bytes: by default what a connection grants.
    public var window = 16_777_216.0
    /// Initial lambda, and its growth when the receiver was blocked.
    public var lambda = 1.0
    public var step = 0.05

    public init() {}

    public var fields: [PolicyField<BLESTSettings>] {
        [
            PolicyField("window", \.window, 1e3...1e12, "bytes from 1000 to 1e12"),
            PolicyField("lambda", \.lambda, 0.1...10, "a number from 0.1 to 10"),
            PolicyField("step", \.step, 0...1, "a number from 0 to 1"),
        ]
    }
}

/// Blocking estimation: if the fastest path f has no room, it uses the next one, s, only if the
/// data that f sends during a round trip of s also fits into the receive window.
///
///     X = MSS (cwnd_f / MSS + (r - 1) / 2) r,   r = rtt_s / rtt_f
///     send on s if  lambda X <= window - (inflight_s + MSS)
///
/// Lambda grows by `step` if a burst on s took so long that it blocked the receiver (late, or over
/// one and a half times its prediction), and falls by a fifth of a step otherwise. It never waits
/// for a path whose reply is overdue. Source: Ferlin, Alay, Mehani and Boreli, "BLEST: Blocking
/// estimation-based MPTCP scheduler for heterogeneous networks", 2016, section III.
struct BLESTPolicy: Policy {
    private static let segment = 1400.0

    let settings: BLESTSettings
    /// The correction factor of the estimate.
    private(set) var lambda: Double
    /// 1 after a decision that spilled to a slower path.
    private(set) var memo: UInt64 = 0

    init(settings: BLESTSettings = BLESTSettings()) {
        self.settings = settings
        lambda = settings.lambda
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        memo = 0
        let fastest = candidates.least { score(of: $0, burst: burst) }
        let second = candidates.leastWithRoom { score(of: $0, burst: burst) }
        guard second != fastest, candidates[second].room > 0,
            !SteadyPolicy.isSuspicious(candidates[fastest])
        else {
            distribution.choose(second, among: candidates)
            return
        }
        let f = max(candidates[fastest].smoothedRTT, 1e-4)
        let ratio = max(1, candidates[second].smoothedRTT / f)
        let cwnd = Double(max(0, candidates[fastest].congestionWindow))
        let meanwhile = (cwnd + BLESTPolicy.segment * (ratio - 1) / 2) * ratio
        let held = Double(max(0, candidates[second].bytesInFlight)) + BLESTPolicy.segment
        if lambda * meanwhile <= settings.window - held {
            memo = 1
            distribution.choose(second, among: candidates)
        } else {
            distribution.wait(among: candidates)
        }
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard feedback.memo == 1 else { return }
        let delivery = feedback.outcome.delivery ?? .infinity
        let bar = 1.5 * feedback.predictedDelivery
        let blocked = feedback.outcome.isLate || delivery > bar
        lambda += blocked ? settings.step : -settings.step / 5
        lambda = min(max(lambda, settings.lambda), settings.lambda + 1)
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.smoothedRTT
    }
}

extension BLESTPolicy {
    static let descriptor = PolicyDescriptor(
        "blest", "waits when the slower path would block the receiver",
        source: "Ferlin 2016",
        settings: BLESTSettings(),
        needs: { _ in PolicyNeeds().with { $0.fullPaths = true } }
    ) { settings, _ throws(LearningError) in
        BLESTPolicy(settings: settings)
    }
}
