/// How the value of a policy is estimated from decisions that another one took.
///
/// w is the evaluated probability of the logged action over its propensity, r the reward,
/// q the reward model's expectation and d its mean over the evaluated policy's actions.
public struct Estimator: Hashable, Sendable, CustomStringConvertible {
    /// The estimators by the names that people type.
    public enum Name: String, Hashable, Sendable, CaseIterable {
        /// Inverse propensity score: mean of w r. Unbiased, the variance of the weights.
        case ips
        /// IPS with weights no larger than lambda.
        case ipsClip = "ips-clip"
        /// Self-normalised IPS: sum of w r over sum of w.
        /// Source: Swaminathan and Joachims, 2015.
        case snips
        /// Direct method: mean of d. As biased as the model.
        case dm
        /// Doubly robust: mean of d + w (r - q). Source: Dudik et al., 2014.
        case dr
        /// DR with weights no larger than lambda.
        case drClip = "dr-clip"
        /// Self-normalised DR: mean of d, plus sum of w (r - q) over sum of w.
        case sndr
        /// DR that drops the correction where w > lambda. Source: Wang et al., 2017.
        case switchDR = "switch-dr"
        /// DR with the weights lambda w / (w^2 + lambda). Source: Su et al., 2020, section 3.
        case drOS = "dr-os"
        /// IPS with the weights w / (1 - lambda + lambda w). Source: Metelli et al., 2021.
        case sgIPS = "sg-ips"
        /// DR with these weights.
        case sgDR = "sg-dr"
        /// `sgIPS` whose lambda, when none is given, is that of the concentration theorem.
        case subGaussianIPS = "sub-gaussian-ips"
        /// `sgDR` with lambda by the theorem.
        case subGaussianDR = "sub-gaussian-dr"
        /// DR with a model fitted to make DR's variance small. Source: Farajtabar et al., 2018.
        case mrdr
        /// Mean reward where the log did what the policy most probably does. Source: Li et al., 2011.
        case replay
        /// Empirical likelihood under the constraint that weights have mean one; lambda is the
        /// largest weight possible. Source: Karampatziakis et al., 2020.
        case cressieRead = "cressie-read"

        /// What a number after the name means; nil when it means nothing.
        public var parameter: String? {
            switch self {
            case .ipsClip, .drClip, .switchDR: "the largest weight"
            case .drOS: "the strength of shrinkage, less is more"
            case .sgIPS, .sgDR, .subGaussianIPS, .subGaussianDR: "the correction, in 0 ... 1"
            case .cressieRead: "the largest weight possible, above 1"
            case .ips, .snips, .dm, .dr, .sndr, .mrdr, .replay: nil
            }
        }

        /// True when it uses a reward model.
        public var needsModel: Bool {
            switch self {
            case .ips, .ipsClip, .snips, .sgIPS, .subGaussianIPS, .replay, .cressieRead: false
            case .dm, .dr, .drClip, .sndr, .switchDR, .drOS, .sgDR, .subGaussianDR, .mrdr: true
            }
        }
    }

    public let name: Name
    /// The number after the name; without one it is tuned, or has its natural value.
    public let lambda: Double?
    /// The text that was given, `dr-clip=10`.
    public let text: String

    static let ips = Estimator(.ips)
    static let snips = Estimator(.snips)
    static let dm = Estimator(.dm)
    static let dr = Estimator(.dr)
    static let sndr = Estimator(.sndr)
    /// One of each name.
    public static let all = Name.allCases.map { Estimator($0) }

    public init(_ name: Name, lambda: Double? = nil) {
        self.name = name
        self.lambda = lambda
        text = name.rawValue + (lambda.map { "=\($0)" } ?? "")
    }

    /// A name, or a name and a number: `dr`, `dr-clip=10`.
    ///
    /// - Returns: nil for an unknown name, and for a number that is out of range or out of place.
    public init?(parsing text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let name = Name(rawValue: String(first)) else { return nil }
        self.name = name
        self.text = text
        guard parts.count == 2 else {
            lambda = nil
            return
        }
        guard name.parameter != nil, let number = Double(parts[1]), number >= 0 else { return nil }
        switch name {
        case .sgIPS, .sgDR, .subGaussianIPS, .subGaussianDR: guard number <= 1 else { return nil }
        case .cressieRead: guard number > 1, number.isFinite else { return nil }
        default: guard number.isFinite else { return nil }
        }
        lambda = number
    }

    public var description: String { text }
}

/// One estimated value with its uncertainty.
public struct Estimate: Hashable, Sendable {
    public var estimator: Estimator
    public var value: Double
    /// Of the value; for self-normalised estimators by the delta method, zero below two decisions.
    public var standardError: Double
    public var count: Int
    /// The number that was given or tuned, for the estimators that have one.
    public var lambda: Double?

    public init(
        estimator: Estimator, value: Double, standardError: Double, count: Int,
        lambda: Double? = nil
    ) {
        self.estimator = estimator
        self.value = value
        self.standardError = standardError
        self.count = count
        self.lambda = lambda
    }

    /// The standard error where there is one: two decisions say how far values lie apart, one does
    /// not.
    public var knownError: Double? {
        count > 1 && value.isFinite && standardError.isFinite ? standardError : nil
    }

    /// The normal interval that covers the value with this confidence, for example 0.95.
    ///
    /// It knows only of sampling noise: not of the reward model's bias (DM), nor of weights whose
    /// largest ones were not seen; the verdict tells of those.
    public func interval(confidence: Double) -> (low: Double, high: Double) {
        let width = NormalDistribution.quantile(0.5 + confidence / 2) * standardError
        return (value - width, value + width)
    }
}
