import Glibc
internal import PathTelemetry

/// Parameters of ols.
public struct OLSSettings: PolicySettings {
    /// The exponent b of rewards `exp(b (x - 1))`, which penalises low goodput.
    var sharpness = 4.0
    /// Multiple of the mean deviation beyond which a reward counts as an outlier.
    public var deviation = 3.0
    /// Least time of an interval, seconds, and least packets in it.
    public var interval = 0.040
    public var packets = 30.0

    public init() {}

    public var fields: [PolicyField<OLSSettings>] {
        [
            PolicyField("sharpness", \.sharpness, 0...100, "a number from 0 to 100"),
            PolicyField("deviation", \.deviation, 0.1...100, "a number from 0.1 to 100"),
            PolicyField("interval", \.interval, 1e-3...60, "seconds from 0.001 to 60"),
            PolicyField("packets", \.packets, 1...1e6, "a number from 1 to 1e6"),
        ]
    }
}

/// A bandit on redundancy: it chooses the share of bursts that are also sent over a second path.
///
/// Arms are shares of 1, 1/2 and 1/32. An arm is kept for an interval of at least 40 ms, two round
/// trips and 30 packets; its goodput x is the bytes that arrived in time over all bytes sent,
/// copies included, and its reward `min(x, exp(b (x - 1)))`. UCB1 selects the next arm. After each
/// arm had 25 intervals, four consecutive outliers beyond three mean deviations (gain 1/8) begin a
/// new epoch, which resets the arms. Bursts take the path of min-rtt, and copies the next best path
/// that answers. Learning follows the order of outcomes. Source: Xing et al., "An Online Learning
/// Assisted Packet Scheduler for MPTCP in Mobile Networks", 2023.
struct OLSPolicy: Policy {
    /// Shares of bursts sent twice.
    static let arms = [1.0, 0.5, 1.0 / 32]
    private static let epochLength = 25.0
    private static let gain = 0.125

    private struct Arm: Sendable {
        var count = 0.0
        var mean = 0.0
        var deviation = 0.0
    }

    let settings: OLSSettings
    /// Number of the arm of this interval.
    private(set) var arm = 2
    /// Number of epochs that were begun.
    private(set) var epochs: UInt64 = 0
    private var table: InlineArray<3, Arm>
    private var strays = 0
    private var start: Instant?
    private var roundTrip = 0.0
    private var packets = 0
    private var sent = 0.0
    private var arrived = 0.0

    init(settings: OLSSettings = OLSSettings()) {
        self.settings = settings
        table = InlineArray(repeating: Arm())
    }

    /// The active arm, counted from one.
    var memo: UInt64 { UInt64(arm + 1) }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let first = candidates.leastWithRoom { score(of: $0, burst: burst) }
        roundTrip = candidates[first].smoothedRTT
        let answering = SafeSet.answering(candidates)
        var second = -1
        for index in 0..<candidates.count
        where index != first && answering & (1 &<< UInt32(index)) != 0 {
            if second < 0 {
                second = index
            } else if candidates[index].smoothedRTT < candidates[second].smoothedRTT {
                second = index
            }
        }
        let share = second < 0 ? 0 : OLSPolicy.share(arm)
        for index in 0..<candidates.count {
            distribution.append(PathSet(candidates[index].path), index == first ? 1 - share : 0)
        }
        guard second >= 0 else { return }
        var both = PathSet(candidates[first].path)
        both.formUnion(PathSet(candidates[second].path))
        distribution.append(both, share)
    }

    private static func share(_ arm: Int) -> Double { arm == 0 ? 1 : arm == 1 ? 0.5 : 1.0 / 32 }

    /// Bytes of one copy of the burst, and of all copies.
    private static func bytes(of feedback: borrowing Feedback) -> (once: Double, all: Double) {
        let taken = feedback.outcome.bytes
        guard !taken.isEmpty else {
            let planned = Double(max(0, feedback.burst.bytes))
            return (planned, planned * Double(max(1, feedback.action.count)))
        }
        var most = 0
        var paths = taken.paths
        while let path = paths.popFirst() { most = max(most, taken[path]) }
        return (Double(most), Double(taken.total))
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        if start == nil { start = feedback.now }
        // Outcomes of an earlier interval's arm say nothing about this one's.
        guard feedback.memo == memo, let begin = start else { return }
        let (once, all) = OLSPolicy.bytes(of: feedback)
        sent += all
        if !feedback.outcome.isLate { arrived += once }
        packets &+= max(0, feedback.outcome.packets)
        let least = max(settings.interval, roundTrip <= 30 ? 2 * roundTrip : 0)
        guard (feedback.now - begin).seconds >= least, Double(packets) >= settings.packets,
            sent > 0
        else { return }
        let ratio = arrived / sent
        close(reward: min(ratio, exp(settings.sharpness * (ratio - 1))))
        start = feedback.now
        (sent, arrived, packets) = (0, 0, 0)
    }

    /// Adds an interval's reward and selects the next arm.
    private mutating func close(reward: Double) {
        var own = table[arm]
        let error = reward - own.mean
        let bar = settings.deviation * own.deviation
        if own.count >= OLSPolicy.epochLength, error.magnitude > bar {
            strays += 1
        } else {
            strays = 0
        }
        own.count += 1
        own.mean += error / own.count
        own.deviation += OLSPolicy.gain * (error.magnitude - own.deviation)
        table[arm] = own
        if strays >= 4 {
            epochs &+= 1
            strays = 0
            for index in 0..<3 { table[index] = Arm() }
        }
        var total = 0.0
        for index in 0..<3 { total += table[index].count }
        var best = 0
        var highest = -Double.infinity
        for index in 0..<3 {
            let bonus = (2 * log(max(1, total)) / max(table[index].count, 1e-3)).squareRoot()
            let value = table[index].count > 0 ? table[index].mean + bonus : .infinity
            if value > highest {
                best = index
                highest = value
            }
        }
        arm = best
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.smoothedRTT
    }
}

extension OLSPolicy {
    static let descriptor = PolicyDescriptor(
        "ols", "sends a learned share of bursts twice",
        source: "Xing 2023",
        settings: OLSSettings(),
        needs: { _ in PolicyNeeds().with { $0.fullPaths = true } }
    ) { settings, _ throws(LearningError) in
        OLSPolicy(settings: settings)
    }
}
