/// The options of an evaluation.
public struct AnalysisOptions: Sendable {
    public var estimators = AnalysisOptions.usual
    public var tuning = Tuning()
    public var interval = IntervalMethod.automatic
    public var confidence = 0.95
    /// The known range of rewards; nil means zero to one if all rewards lie there, else the
    /// observed range.
    public var rewardRange: ClosedRange<Double>?
    /// The largest possible weight, if known.
    public var largestWeight: Double?
    /// Number of bootstrap resamples, and the seed of their draws.
    public var resamples = 1000
    public var seed: UInt64 = 1
    /// Whether to decide deploy, hold or reject by a confidence sequence.
    public var hasGate = false
    /// The smallest gain for which a policy is worth deploying: a share of the recorded mean, or of
    /// the delivery time if rewards are logarithms of times.
    public var margin = 0.01
    /// Whether rewards are logarithms, so that 0.01 of reward is one percent of the quantity.
    var isLogarithmic = false
    /// Half-life of the discounted value, decisions.
    public var halfLife = 10_000.0
    /// How many candidate policies are compared at once.
    public var candidates = 1

    /// The estimators reported by default; the first is the one to quote.
    public static let usual: [Estimator] = [.dr, .sndr, .snips, .ips, Estimator(.dm)]

    /// Whether only what estimates, verdict and network figures need is kept, in little memory: no
    /// distributions of weights and rewards, and no values by action, class or path.
    var isBrief = false

    public init() {}

    /// Confidence of each of several intervals that have to hold simultaneously.
    var simultaneousConfidence: Double { 1 - (1 - confidence) / Double(max(1, candidates)) }

    /// Whether all decisions are kept in memory, as sequences for rewards in a known range require.
    var keepsRows: Bool {
        [.betting, .bernstein, .gammaExponential].contains(interval)
    }
}
