/// What tells whether an estimate deserves belief.
public struct Diagnostics: Sendable {
    /// Decisions evaluated.
    public var count = 0
    /// Rows left out because they make no sense.
    public var refused = 0
    /// Decisions that a rule above the policy left no choice, and those without an outcome.
    public var forced = 0
    public var withoutOutcome = 0

    // MARK: Weights

    public var meanWeight = 0.0
    public var meanWeightError = 0.0
    /// How many standard errors the mean weight is off one.
    public var meanWeightDeviation = 0.0
    /// The same, with what the log could not do counted in, and with the standard error that the
    /// recorded probabilities imply where there are any: that of the sample is too small while
    /// rare actions of large weight have not been seen.
    public var weightTest = 0.0
    public var leastWeight = 0.0
    public var largestWeight = 0.0
    public var largestWeightShare = 0.0
    public var effectiveSampleSize = 0.0
    /// The effective sample size that the recorded probabilities imply, whatever was seen; nil when
    /// the logging policy's are not known.
    public var impliedSampleSize: Double?
    /// exp of the entropy of the weights: another count of equally weighted decisions.
    public var entropySampleSize = 0.0
    /// Quantiles of the weights at 50, 95 and 99 %.
    public var weightQuantiles = [0.0, 0, 0]
    /// Share of the weights above ten, and of all weight on the heaviest hundredth.
    public var shareAboveTen = 0.0
    public var topHundredthShare = 0.0
    /// Mean w^2 less one.
    public var divergence = 0.0
    /// Counts in bins of log10(w) from -4 to 4, eight to a decade.
    public var weightHistogram: [Int] = []

    // MARK: Support

    /// Probability that the policy puts, on average, on actions the log could not have taken.
    public var unsupportedShare = 0.0
    /// True when the log tells what its policy could have done: then all that the weights lack is
    /// known.
    var isSupportKnown = false
    public var smallestPropensity = 1.0
    /// Least probability of any action in the log, and the share below 0.01; nil when the log does
    /// not have them.
    public var smallestProbability: Double?
    public var shareOfSmallProbabilities: Double?
    /// Probability that the policy puts, on average, on the action that was taken.
    public var agreement = 0.0
    /// The greatest of the policy's probabilities, on average: one for a policy that does not draw.
    public var greatestProbability = 1.0

    // MARK: Rewards and their model

    public var meanReward = 0.0
    /// Fit of the reward model out of fold, and of each action by name.
    public var model: RewardModelFit?
    public var actionFits: [(name: String, fit: RewardModelFit)] = []
    /// Correlation of what the model leaves over with the next decision's.
    public var autocorrelation = 0.0
    /// True when the error over stretches of time is clearly larger than that of independent
    /// decisions, and when the intervals are made of such stretches.
    public var isDependent = false
    var areIntervalsByTime = false
    /// Standard errors between the mean rewards of the first and of the second half.
    public var drift = 0.0
    /// How much of the load on the chosen path was ours, from zero to one; nil when it is not known.
    public var ownLoad: Double?
    /// The ten rows that move the DR estimate most, and by how much each does.
    public var influential: [(row: Int, weight: Double, influence: Double)] = []
    /// The range of the rewards.
    public var leastReward = 0.0
    public var greatestReward = 0.0
    /// False when the range that rewards may lie in is only that of those seen.
    var isRangeKnown = true

    public init() {}

    /// The effective sample size as verdicts and tables say it: a whole number from ten on.
    public var effectiveSizeText: String {
        let size = effectiveSampleSize
        return Verdict.rounded(size < 9.95 ? (size * 10).rounded() / 10 : size.rounded())
    }

    /// Effective sample size over count.
    public var effectiveShare: Double { effectiveSampleSize / Double(max(1, count)) }
}
