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
    }

    /// - Parameter unsupportedShare: how much probability the evaluated policy puts, on average, on
    ///   actions that the log could not have taken.
    public init(_ rows: OffPolicySums, unsupportedShare: Double) {
        guard rows.count > 0 else {
            note(.doNotTrust, "no decision can be evaluated")
            return
        }
        let size = rows.effectiveSampleSize
        let share = size / Double(rows.count)
        let text = "\(Verdict.rounded(size.rounded())) of \(rows.count) decisions"
        if !(size >= Limit.least && share >= Limit.leastShare) {
            note(.doNotTrust, "the effective sample size is only \(text)")
        } else if share < Limit.weakShare {
            note(.weak, "the effective sample size is \(text)")
        }
        let largest = rows.largestWeightShare
        if largest > Limit.largest {
            note(.doNotTrust, "one decision has \(Verdict.percent(largest)) of all weight")
        } else if largest > Limit.weakLargest {
            note(.weak, "one decision has \(Verdict.percent(largest)) of all weight")
        }
        if unsupportedShare > Limit.weakUnsupported {
            note(
                unsupportedShare > Limit.unsupported ? .doNotTrust : .weak,
                "\(Verdict.percent(unsupportedShare)) of what the policy does was never possible "
                    + "in the log")
        }
        let mean = rows.meanWeight
        if mean.standardError > 0, unsupportedShare <= Limit.weakUnsupported,
            (mean.value - 1).magnitude > Limit.deviations * mean.standardError
        {
            note(
                .doNotTrust,
                "the mean weight is \(Verdict.rounded(mean.value)), not 1: the recorded "
                    + "propensities are wrong")
        }
    }

    static func percent(_ share: Double) -> String { rounded(share * 100) + " %" }

    static func rounded(_ value: Double) -> String {
        let scaled = (value * 100).rounded() / 100
        return scaled == scaled.rounded() && scaled.magnitude < 1e15
            ? String(Int(scaled)) : scaled.description
    }
}
