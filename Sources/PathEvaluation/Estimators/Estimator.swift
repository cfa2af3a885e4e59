/// An off-policy estimator: it estimates the value of a policy from decisions of another one.
///
/// w is the evaluated policy's probability of the logged action over its propensity, r the reward,
/// q the reward model's expectation and d its mean over the evaluated policy's actions.
public struct Estimator: Hashable, Sendable, CustomStringConvertible {
    /// The estimators by the names that users type.
    public enum Name: String, Hashable, Sendable, CaseIterable {
        /// Inverse propensity score: mean of w r. It is unbiased, and its variance is that of the
        /// weights.
        case ips
        /// IPS with weights no larger than lambda.
        case ipsClip = "ips-clip"
        /// Self-normalised IPS: sum of w r over sum of w.
        /// Source: Swaminathan and Joachims, 2015.
        case snips
        /// Direct method: mean of d. It is as biased as the model.
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
        /// DR with a model fitted to minimise DR's variance. Source: Farajtabar et al., 2018.
        case mrdr
        /// Mean reward over the decisions in which the log took the policy's most probable action.
        /// Source: Li et al., 2011.
        case replay
        /// Empirical likelihood under the constraint that weights have mean one; lambda is the
        /// largest possible weight. Source: Karampatziakis et al., 2020.
        case cressieRead = "cressie-read"

        /// The meaning of a number after the name; nil if the name takes none.
        public var parameter: String? {
            switch self {
            case .ipsClip, .drClip, .switchDR: "the largest weight"
            case .drOS: "the strength of shrinkage, less is more"
            case .sgIPS, .sgDR, .subGaussianIPS, .subGaussianDR: "the correction, in 0 ... 1"
            case .cressieRead: "the largest weight possible, above 1"
            case .ips, .snips, .dm, .dr, .sndr, .mrdr, .replay: nil
            }
        }

        /// Whether it uses a reward model.
        public var needsModel: Bool {
            switch self {
            case .ips, .ipsClip, .snips, .sgIPS, .subGaussianIPS, .replay, .cressieRead: false
            case .dm, .dr, .drClip, .sndr, .switchDR, .drOS, .sgDR, .subGaussianDR, .mrdr: true
            }
        }
    }

    public let name: Name
    /// The number after the name; without one it is tuned, or has its default value.
    public let lambda: Double?
    /// The text that the user gave, such as `dr-clip=10`.
    public let text: String

    static let ips = Estimator(.ips)
    static let snips = Estimator(.snips)
    static let dm = Estimator(.dm)
    static let dr = Estimator(.dr)
    static let sndr = Estimator(.sndr)
    /// One estimator of each name.
    public static let all = Name.allCases.map { Estimator($0) }

    public init(_ name: Name, lambda: Double? = nil) {
        self.name = name
        self.lambda = lambda
        text = name.rawValue + (lambda.map { "=\($0)" } ?? "")
    }

    /// Parses a name, or a name and a number: `dr`, `dr-clip=10`.
    ///
    /// - Returns: nil for an unknown name, and for a number that is out of range or not allowed.
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
    /// Standard error of the value; by the delta method for self-normalised estimators, and zero
    /// for fewer than two decisions.
    public var standardError: Double
    public var count: Int
    /// The given or tuned number, for estimators that have one.
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

    /// The standard error if there is one: it needs at least two decisions.
    public var knownError: Double? {
        count > 1 && value.isFinite && standardError.isFinite ? standardError : nil
    }

    /// The normal interval that covers the value with this confidence, for example 0.95.
    ///
    /// It covers only sampling noise, not the reward model's bias (DM) nor large weights that have
    /// not occurred; the verdict warns of those.
    public func interval(confidence: Double) -> (low: Double, high: Double) {
        let width = NormalDistribution.quantile(0.5 + confidence / 2) * standardError
        return (value - width, value + width)
    }
}
