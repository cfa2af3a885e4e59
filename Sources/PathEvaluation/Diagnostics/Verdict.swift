import PathTelemetry

/// Whether an estimate can be trusted, and the reasons if not.
public struct Verdict: Hashable, Sendable {
    /// How far an estimate can be trusted, best first.
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
    /// One sentence for each problem; empty if none exists.
    public private(set) var reasons: [String] = []

    private mutating func note(_ level: Level, _ reason: String) {
        self.level = max(self.level, level)
        reasons.append(reason)
    }

    /// The limits of the checks.
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
        static let ownLoad = 0.2
    }

    /// The bias and the coverage of DR from a sender's own share of the load on, by `make audit`.
    ///
    /// The bias is how much too good values were on average, in shares of a delivery time; the
    /// coverage is the share of 95 % intervals that had the truth. Below 20 % of the load values
    /// were off by 0.4 %, and 94 % of the intervals had the truth.
    static let audited: [(load: Double, bias: Double, covered: Double)] = [
        (0.2, 0.28, 0.69), (0.35, 0.51, 0.52), (0.5, 0.67, 0.32),
    ]

    public init(_ facts: Diagnostics) {
        guard facts.count > 0 else {
            note(.doNotTrust, "no decision can be evaluated")
            return
        }
        judgeWeights(facts)
        if facts.unsupportedShare > Limit.weakUnsupported {
            note(
                facts.unsupportedShare > Limit.unsupported ? .doNotTrust : .weak,
                "\(Verdict.percent(facts.unsupportedShare)) of the policy's choices were never "
                    + "possible in the log")
        }
        judgeMeanWeight(facts)
        judgeRewards(facts)
    }

    /// Judges the mean weight, which is one if the propensities are right and the log could have
    /// taken all actions of the policy.
    private mutating func judgeMeanWeight(_ facts: Diagnostics) {
        let mean = facts.meanWeight + facts.unsupportedShare
        guard facts.largestWeight > 0 else {
            // If the support is known, the share of unsupported actions explains everything.
            if facts.unsupportedShare < Limit.unsupported {
                note(
                    .doNotTrust,
                    "the policy never chooses a logged action (agreement 0 %), so the log says "
                        + "nothing about it")
            }
            return
        }
        let text = "the mean weight is \(Verdict.rounded(mean)), not 1"
        if facts.weightTest.magnitude > Limit.deviations {
            // Too little weight may also come from actions that the log never took.
            if facts.weightTest > 0 || facts.isSupportKnown {
                note(.doNotTrust, text + ": the recorded propensities are wrong")
            } else {
                note(
                    .doNotTrust,
                    text + ": the log never took some of the policy's actions, or the recorded "
                        + "propensities are too large")
            }
        }
        if mean < Limit.leastSeen, Double(facts.count) >= Limit.least {
            note(.doNotTrust, text + ": most of the policy's choices are not in the log")
        }
    }

    private mutating func judgeWeights(_ facts: Diagnostics) {
        let size = facts.effectiveSampleSize
        let text = "\(facts.effectiveSizeText) of \(facts.count) decisions"
        if Double(facts.count) < Limit.least {
            note(
                .doNotTrust,
                (facts.count == 1
                    ? "only 1 decision can be evaluated"
                    : "only \(facts.count) decisions can be "
                        + "evaluated") + ", and fewer than \(Int(Limit.least)) say little")
        } else if !(size >= Limit.least && facts.effectiveShare >= Limit.leastShare) {
            note(.doNotTrust, "the effective sample size is only \(text)")
        } else if facts.effectiveShare < Limit.weakShare {
            note(.weak, "the effective sample size is \(text)")
        }
        // Rare decisions of large weight that have not occurred yet leave no trace in the sample.
        if let implied = facts.impliedSampleSize, Double(facts.count) >= Limit.least,
            !(implied >= Limit.least && implied / Double(facts.count) >= Limit.leastShare)
        {
            note(
                .doNotTrust,
                "the policy's choices were so rare in the log that \(facts.count) decisions are "
                    + "worth \(Verdict.rounded(implied))")
        }
        // With few decisions each one has a large share.
        let largest = facts.largestWeightShare
        let isUneven = largest * Double(facts.count) > 2
        if isUneven, largest > Limit.largest {
            note(.doNotTrust, "one decision has \(Verdict.percent(largest)) of all weight")
        } else if isUneven, largest > Limit.weakLargest {
            note(.weak, "one decision has \(Verdict.percent(largest)) of all weight")
        }
    }

    private mutating func judgeRewards(_ facts: Diagnostics) {
        let isCorrelated =
            facts.autocorrelation > Limit.autocorrelation
            && facts.autocorrelation * Double(facts.count).squareRoot() > Limit.deviations
        if facts.isDependent || isCorrelated {
            let text =
                "decisions are autocorrelated (\(Verdict.rounded(facts.autocorrelation))): "
            if facts.areIntervalsByTime {
                note(.trust, text + "intervals use batch means")
            } else {
                note(
                    .weak,
                    text + "intervals for independent decisions are too narrow, so use auto, "
                        + "batch-means or block-bootstrap")
            }
        }
        if facts.leastReward == facts.greatestReward, !facts.isRangeKnown {
            note(
                .weak,
                (facts.count == 1 ? "there is one reward" : "all rewards are the same")
                    + " and the range of possible rewards is unknown"
                    + (facts.isLive ? "" : ": give --reward-range"))
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
        if let load = facts.ownLoad, load >= Limit.ownLoad,
            let found = Verdict.audited.last(where: { load >= $0.load })
        {
            note(
                .weak,
                "\(Verdict.percent(load)) of the load on the paths was the recorded traffic: "
                    + "another policy would have changed the paths (in worlds with such loads, "
                    + "values were \(Verdict.percent(found.bias)) of a delivery time too good on "
                    + "average, and \(Verdict.percent(found.covered)) of the intervals had the "
                    + "truth: make audit)")
        }
    }

    /// Formats a share with one digit after the point, as in the tables.
    static func percent(_ share: Double) -> String {
        rounded((share * 1000).rounded() / 10) + " %"
    }

    static func rounded(_ value: Double) -> String { NumberText.rounded(value, 2) }
}
