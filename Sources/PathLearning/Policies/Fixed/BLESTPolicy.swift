internal import PathTelemetry

/// Parameters of blest.
public struct BLESTSettings: PolicySettings {
    /// Receive window, bytes: by default what a connection grants.
    public var window = 16_777_216.0
    /// Lambda at the start, its least and greatest value, and its steps after the receiver was
    /// blocked and when it was not.
    public var lambda = 1.2
    public var least = 1.0
    public var most = 1.3
    public var up = 0.04
    public var down = 0.01

    public init() {}

    public var fields: [PolicyField<BLESTSettings>] {
        [
            PolicyField("window", \.window, 1e3...1e12, "bytes from 1000 to 1e12"),
            PolicyField("lambda", \.lambda, 0.1...10, "a number from 0.1 to 10"),
            PolicyField("least", \.least, 0.1...10, "a number from 0.1 to 10"),
            PolicyField("most", \.most, 0.1...10, "a number from 0.1 to 10"),
            PolicyField("up", \.up, 0...1, "a number from 0 to 1"),
            PolicyField("down", \.down, 0...1, "a number from 0 to 1"),
        ]
    }
}

/// Blocking estimation: if the fastest path f has no room, it uses the next one, s, only if what f
/// sends until a segment on s is acknowledged also fits into the receive window.
///
///     linger_s = max(rtt_s, least_s + (most_s - least_s) (inflight_s + 1) / cwnd_s)
///     n = linger_s / ((least_f + most_f) / 2) + 1,   X = (cwnd_f + (n - 1) / 2) n   packets
///     send on s if  lambda X <= window - (inflight_s + MSS)
///
/// where least and most are of the path's smoothed round trips. At most once in a least round trip of
/// f, lambda grows by `up` if a burst on s blocked the receiver since (it was late, or took over one
/// and a half times its prediction; the kernel counts retransmissions of the whole connection, which
/// Pathwise does not have), and falls by `down` otherwise. It never waits for a path whose reply is
/// overdue. Sources: Ferlin, Alay, Mehani and Boreli, "BLEST: Blocking estimation-based MPTCP
/// scheduler for heterogeneous networks", 2016, section III; `mptcp_blest.c` of MPTCP 0.95 for the
/// constants and the time that a segment lingers.
struct BLESTPolicy: Policy {
    private static let segment = 1400.0

    let settings: BLESTSettings
    /// The correction factor of the estimate.
    private(set) var lambda: Double
    /// 1 after a decision that spilled to a slower path.
    private(set) var memo: UInt64 = 0
    /// The least and greatest smoothed RTT of each path, seconds.
    private var least = InlineArray<16, Double>(repeating: .infinity)
    private var most = InlineArray<16, Double>(repeating: 0)
    private var wasBlocked = false
    private var adaptedAt: Instant?

    init(settings: BLESTSettings = BLESTSettings()) {
        self.settings = settings
        lambda = settings.lambda
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        memo = 0
        for index in 0..<candidates.count {
            let (path, rtt) = (candidates[index].path.index, candidates[index].smoothedRTT)
            least[path] = min(least[path], rtt)
            most[path] = max(most[path], rtt)
        }
        let fastest = candidates.least { score(of: $0, burst: burst) }
        let second = candidates.leastWithRoom { score(of: $0, burst: burst) }
        adapt(leastRTT: least[candidates[fastest].path.index], now: now)
        guard second != fastest, candidates[second].room > 0,
            !SteadyPolicy.isSuspicious(candidates[fastest])
        else {
            distribution.choose(second, among: candidates)
            return
        }
        let (f, s) = (candidates[fastest].path.index, candidates[second].path.index)
        let round = max((least[f] + most[f]) / 2, 1e-4)
        let flight = Double(max(0, candidates[second].bytesInFlight))
        let share =
            (flight + BLESTPolicy.segment) / Double(max(1, candidates[second].congestionWindow))
        let linger = max(
            candidates[second].smoothedRTT, least[s] + (most[s] - least[s]) * min(1, share))
        let rounds = linger / round + 1
        let window = Double(max(0, candidates[fastest].congestionWindow))
        let meanwhile = (window + BLESTPolicy.segment * (rounds - 1) / 2) * rounds
        if lambda * meanwhile <= settings.window - (flight + BLESTPolicy.segment) {
            memo = 1
            distribution.choose(second, among: candidates)
        } else {
            distribution.wait(among: candidates)
        }
    }

    private mutating func adapt(leastRTT: Double, now: Instant) {
        guard let last = adaptedAt else {
            adaptedAt = now
            return
        }
        guard (now - last).seconds >= leastRTT else { return }
        adaptedAt = now
        lambda += wasBlocked ? settings.up : -settings.down
        lambda = min(max(lambda, settings.least), settings.most)
        wasBlocked = false
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard feedback.memo == 1 else { return }
        let delivery = feedback.outcome.delivery ?? .infinity
        let bar = 1.5 * feedback.predictedDelivery
        if feedback.outcome.isLate || delivery > bar { wasBlocked = true }
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
