/// What is asked of an evaluation.
public struct AnalysisOptions: Sendable {
    public var estimators = AnalysisOptions.usual
    public var tuning = Tuning()
    public var interval = IntervalMethod.automatic
    public var confidence = 0.95
    /// The range that rewards are known to lie in; nil takes zero to one when all do, else what
    /// was seen.
    public var rewardRange: ClosedRange<Double>?
    /// The largest weight possible, when it is known.
    public var largestWeight: Double?
    /// Resamples of the bootstraps, and the seed of their draws.
    public var resamples = 1000
    public var seed: UInt64 = 1
    /// Decides deploy, hold or reject by a confidence sequence.
    public var hasGate = false
    /// The smallest gain that is worth deploying a policy for: a share of the recorded mean, or of
    /// the delivery time where rewards are logarithms of times.
    public var margin = 0.01
    /// True where 0.01 of reward is one percent of what the reward stands for.
    var isLogarithmic = false
    /// Decisions after which an old one counts half in the discounted value.
    public var halfLife = 10_000.0
    /// How many candidates are compared at once.
    public var candidates = 1

    /// The estimators reported when none is named; the first is the one to quote.
    public static let usual: [Estimator] = [.dr, .sndr, .snips, .ips, Estimator(.dm)]

    public init() {}

    /// Confidence of each interval among several that are to hold together.
    var simultaneousConfidence: Double { 1 - (1 - confidence) / Double(max(1, candidates)) }

    /// Sequences for rewards in a known range need all decisions in memory.
    var keepsRows: Bool {
        [.betting, .bernstein, .gammaExponential].contains(interval)
    }
}
