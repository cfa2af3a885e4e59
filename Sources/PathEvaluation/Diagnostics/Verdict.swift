/// Whether an estimate deserves belief, and why not.
public struct Verdict: Hashable, Sendable {
    /// How much an estimate is worth, the best first.
    public enum Level: Int, Hashable, Comparable, Sendable {
        case trust, weak, doNotTrust

        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        /// The words used in tables and JSON.
        public var words: String {
            switch self {
            case .trust: "trust"
            case .weak: "weak"
            case .doNotTrust: "do not trust"
            }
        }
    }

    public private(set) var level = Level.trust
    /// One sentence for each thing that is wrong; empty when all is well.
    public private(set) var reasons: [String] = []

    private mutating func note(_ level: Level, _ reason: String) {
        self.level = max(self.level, level)
        reasons.append(reason)
    }

    /// Limits below which the answer rests on too little.
    enum Limit {
        static let weakShare = 0.1
        static let least = 50.0
        static let leastShare = 0.02
        static let weakLargest = 0.1
        static let largest = 0.3
        static let weakUnsupported = 0.01
        static let unsupported = 0.1
        static let deviations = 3.0
        static let leastSeen = 0.5
        static let drift = 6.0
        static let autocorrelation = 0.2
        static let refused = 0.01
        static let ownLoad = 0.5
    }

    public init(_ facts: Diagnostics) {
        guard facts.count > 0 else {
            note(.doNotTrust, "no decision can be evaluated")
            return
        }
        judgeWeights(facts)
        if facts.unsupportedShare > Limit.weakUnsupported {
            note(
                facts.unsupportedShare > Limit.unsupported ? .doNotTrust : .weak,
                "\(Verdict.percent(facts.unsupportedShare)) of what the policy does was never "
                    + "possible in the log")
        }
        if facts.weightTest.magnitude > Limit.deviations {
            note(
                .doNotTrust,
                "the mean weight is \(Verdict.rounded(facts.meanWeight + facts.unsupportedShare)),"
                    + " not 1: the recorded propensities are wrong")
        }
        let seen = facts.meanWeight + facts.unsupportedShare
        if seen < Limit.leastSeen {
            note(
                .doNotTrust,
                "the mean weight is \(Verdict.rounded(seen)), not 1: most of what the policy "
                    + "would do has not been seen")
        }
        judgeRewards(facts)
    }

    private mutating func judgeWeights(_ facts: Diagnostics) {
        let size = facts.effectiveSampleSize
        let text = "\(Verdict.rounded(size.rounded())) of \(facts.count) decisions"
        if !(size >= Limit.least && facts.effectiveShare >= Limit.leastShare) {
            note(.doNotTrust, "the effective sample size is only \(text)")
        } else if facts.effectiveShare < Limit.weakShare {
            note(.weak, "the effective sample size is \(text)")
        }
        // Rare decisions of large weight that have not been seen yet leave no trace in the sample.
        if let implied = facts.impliedSampleSize,
            !(implied >= Limit.least && implied / Double(facts.count) >= Limit.leastShare)
        {
            note(
                .doNotTrust,
                "what the policy prefers was so rare in the log that \(facts.count) decisions are "
                    + "worth \(Verdict.rounded(implied))")
        }
        let largest = facts.largestWeightShare
        if largest > Limit.largest {
            note(.doNotTrust, "one decision has \(Verdict.percent(largest)) of all weight")
        } else if largest > Limit.weakLargest {
            note(.weak, "one decision has \(Verdict.percent(largest)) of all weight")
        }
    }

    private mutating func judgeRewards(_ facts: Diagnostics) {
        if facts.autocorrelation > Limit.autocorrelation,
            facts.autocorrelation * Double(facts.count).squareRoot() > Limit.deviations
        {
            note(
                .weak,
                "decisions resemble their neighbours (correlation "
                    + "\(Verdict.rounded(facts.autocorrelation))): intervals for independent ones "
                    + "are too narrow, use block-bootstrap or batch-means")
        }
        if facts.drift.magnitude > Limit.drift {
            note(
                .weak,
                "rewards drift: the halves of the log differ by "
                    + "\(Verdict.rounded(facts.drift.magnitude)) standard errors")
        }
        let refused = Double(facts.refused) / Double(max(1, facts.count + facts.refused))
        if refused > Limit.refused {
            note(.weak, "\(Verdict.percent(refused)) of the rows were refused")
        }
        if let load = facts.ownLoad, load > Limit.ownLoad {
            note(
                .weak,
                "\(Verdict.percent(load)) of the load on the paths was ours: another policy would "
                    + "have met other paths")
        }
    }

    static func percent(_ share: Double) -> String { rounded(share * 100) + " %" }

    static func rounded(_ value: Double) -> String {
        let scaled = (value * 100).rounded() / 100
        return scaled == scaled.rounded() && scaled.magnitude < 1e15
            ? String(Int(scaled)) : scaled.description
    }
}
