/// The figures that tell whether an estimate can be trusted.
public struct Diagnostics: Sendable {
    /// Decisions evaluated.
    public var count = 0
    /// Rows that were refused as invalid.
    public var refused = 0
    /// Decisions in which a rule left the policy no choice, and decisions without an outcome.
    public var forced = 0
    public var withoutOutcome = 0

    // MARK: Weights

    public var meanWeight = 0.0
    public var meanWeightError = 0.0
    /// Deviation of the mean weight from one, in standard errors.
    public var meanWeightDeviation = 0.0
    /// The same including the probability of actions that the log could not take, and with the
    /// standard error that recorded probabilities imply if there are any: the sample's error is too
    /// small while rare actions of large weight have not occurred.
    public var weightTest = 0.0
    public var leastWeight = 0.0
    public var largestWeight = 0.0
    public var largestWeightShare = 0.0
    public var effectiveSampleSize = 0.0
    /// The expected effective sample size under the recorded probabilities; nil if the logging
    /// policy's distribution is not known.
    public var impliedSampleSize: Double?
    /// Exponential of the entropy of the weights, another effective sample size.
    public var entropySampleSize = 0.0
    /// Quantiles of the weights at 50, 95 and 99 %.
    public var weightQuantiles = [0.0, 0, 0]
    /// Share of the weights above ten, and share of the total weight in the heaviest 1 %.
    public var shareAboveTen = 0.0
    public var topHundredthShare = 0.0
    /// Mean of w^2 minus one, the chi-squared divergence.
    public var divergence = 0.0
    /// Counts in bins of log10(w) from -4 to 4, eight per decade.
    public var weightHistogram: [Int] = []

    // MARK: Support

    /// Mean probability, under the policy, of actions that the log could not have taken.
    public var unsupportedShare = 0.0
    /// Whether the log contains its policy's distributions, so that unsupported probability is
    /// known exactly.
    var isSupportKnown = false
    public var smallestPropensity = 1.0
    /// Least probability of any action in the log, and the share below 0.01; nil if the log has no
    /// distributions.
    public var smallestProbability: Double?
    public var shareOfSmallProbabilities: Double?
    /// Mean probability of the logged action under the policy.
    public var agreement = 0.0
    /// Mean of the policy's largest probability; one for a deterministic policy.
    public var greatestProbability = 1.0

    // MARK: Rewards and their model

    public var meanReward = 0.0
    /// How well the reward model predicts rewards that it was not fitted to, in all and for each
    /// action by name.
    public var model: RewardModelFit?
    public var actionFits: [(name: String, fit: RewardModelFit)] = []
    /// Lag-1 autocorrelation of the model's residuals.
    public var autocorrelation = 0.0
    /// Whether decisions are clearly autocorrelated, and whether the intervals come from batch
    /// means.
    public var isDependent = false
    var areIntervalsByTime = false
    /// Difference between the mean rewards of both halves, in standard errors.
    public var drift = 0.0
    /// The sender's own share of the load on the chosen path, from zero to one; nil if unknown.
    public var ownLoad: Double?
    /// The ten rows with the largest influence on the DR estimate.
    public var influential: [(row: Int, weight: Double, influence: Double)] = []
    /// The range of the rewards.
    public var leastReward = 0.0
    public var greatestReward = 0.0
    /// Whether the range of possible rewards is known and not just observed.
    var isRangeKnown = true
    /// Whether decisions are evaluated while traffic flows, where no option can be given.
    var isLive = false

    public init() {}

    /// The effective sample size as verdicts and tables show it: a whole number from ten on.
    public var effectiveSizeText: String {
        let size = effectiveSampleSize
        return Verdict.rounded(size < 9.95 ? (size * 10).rounded() / 10 : size.rounded())
    }

    /// Effective sample size over count.
    public var effectiveShare: Double { effectiveSampleSize / Double(max(1, count)) }
}
