/// An off-policy estimator with its number: it estimates the value of a policy from decisions of
/// another one.
public struct Estimator: Hashable, Sendable, CustomStringConvertible {
    public let kind: EstimatorDescriptor
    /// The number after the name; without one it is tuned, or has its default value.
    public let lambda: Double?
    /// The text that the user gave, such as `dr-clip=10`.
    public let text: String

    static let ips = Estimator(.ips)
    static let snips = Estimator(.snips)
    static let dm = Estimator(.dm)
    static let dr = Estimator(.dr)
    static let sndr = Estimator(.sndr)
    /// One estimator of each kind.
    public static let all = EstimatorDescriptor.catalogue.map { Estimator($0) }

    init(_ kind: EstimatorDescriptor, lambda: Double? = nil) {
        self.kind = kind
        self.lambda = lambda
        text = kind.name + (lambda.map { "=\($0)" } ?? "")
    }

    /// Parses a name, or a name and a number: `dr`, `dr-clip=10`.
    ///
    /// - Returns: nil for an unknown name, and for a number that is out of range or not allowed.
    public init?(parsing text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = parts.first.flatMap({ EstimatorDescriptor.named(String($0)) }) else {
            return nil
        }
        self.kind = kind
        self.text = text
        guard parts.count == 2 else {
            lambda = nil
            return
        }
        guard let number = kind.number, let lambda = Double(parts[1]),
            number.range.contains(lambda)
        else { return nil }
        self.lambda = lambda
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
