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
    /// Decisions after which an old one counts half in the discounted value.
    public var halfLife = 10_000.0
    /// How many candidates are compared at once.
    public var candidates = 1

    /// The estimators reported when none is named; the first is the one to quote.
    public static let usual: [Estimator] = [.dr, .sndr, .snips, .ips, Estimator(.dm)]

    public init() {}

    /// Confidence of each interval among several that are to hold together.
    public var simultaneousConfidence: Double { 1 - (1 - confidence) / Double(max(1, candidates)) }

    /// Betting needs all decisions in memory.
    var keepsRows: Bool { interval == .betting }
}
