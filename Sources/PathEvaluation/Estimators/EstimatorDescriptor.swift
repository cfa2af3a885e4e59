/// The description of an estimator: its name and help, its needs, the meaning of a number after its
/// name, and how its value is computed from the sums.
///
/// An estimator has a file in `Kinds` with its descriptor, and a line in
/// `EstimatorCatalogue.swift`; the command's option and help, the evaluation and the report find it
/// there. In all descriptions w is the evaluated probability of the logged action over its
/// propensity, r the reward, q the reward model's expectation and d its mean over the evaluated
/// policy's actions.
public struct EstimatorDescriptor: Sendable {
    /// The name that users type.
    public let name: String
    /// Its value in one line, for help texts.
    public let summary: String
    /// Authors and year; empty for textbook estimators.
    public let source: String
    public let needs: EstimatorNeeds
    /// The number that may follow the name; nil if it takes none.
    public let number: EstimatorNumber?
    let intervals: IntervalTraits
    let computation: Computation
    /// The value from sums of counts, w, w r, d and w (r - q), of a batch or a resample; nil for
    /// estimators that need other sums.
    let fromTotals: (@Sendable (TimeBatches.Batch) -> Double)?

    /// How an estimate is computed.
    enum Computation: Sendable {
        /// The mean of a score of every decision, for a given number, or 1.
        case scores(@Sendable (Double) -> Score)
        /// The mean of moments that are always kept.
        case mean(@Sendable (OffPolicySums) -> Moments)
        /// A mean of DR scores with weights that depend on the past.
        case adaptive(AdaptiveRule)
        /// Another function of the sums.
        case sums(@Sendable (OffPolicySums, Estimator) -> Estimate)
    }

    init(
        _ name: String, _ summary: String, source: String = "", needs: EstimatorNeeds = [],
        number: EstimatorNumber? = nil, intervals: IntervalTraits = [], _ computation: Computation,
        fromTotals: (@Sendable (TimeBatches.Batch) -> Double)? = nil
    ) {
        self.name = name
        self.summary = summary
        self.source = source
        self.needs = needs
        self.number = number
        self.intervals = intervals
        self.computation = computation
        self.fromTotals = fromTotals
    }

    /// The rule of its weights; nil for estimators that do not weigh by the past.
    var adaptiveRule: AdaptiveRule? {
        if case .adaptive(let rule) = computation { rule } else { nil }
    }

    /// The estimator with a name; nil if none exists.
    public static func named(_ name: String) -> EstimatorDescriptor? {
        catalogue.first { $0.name == name }
    }
}

/// Two descriptors are equal if their names are.
extension EstimatorDescriptor: Hashable, CustomStringConvertible {
    public static func == (left: EstimatorDescriptor, right: EstimatorDescriptor) -> Bool {
        left.name == right.name
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    public var description: String { name }
}

/// The needs of an estimator besides weights and rewards.
public struct EstimatorNeeds: OptionSet, Hashable, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// A reward model.
    public static let model = EstimatorNeeds(rawValue: 1)
    /// The reward model that minimises the variance of DR, besides the plain one.
    static let robustModel = EstimatorNeeds(rawValue: 2)
    /// A policy that gives one action of every decision probability one.
    public static let certainPolicy = EstimatorNeeds(rawValue: 4)
}

/// The intervals of an estimator besides the common ones.
struct IntervalTraits: OptionSet, Sendable {
    let rawValue: Int

    /// A ratio of sums, whose error is by the delta method.
    static let ratio = IntervalTraits(rawValue: 1)
    /// Empirical likelihood, if requested.
    static let likelihood = IntervalTraits(rawValue: 2)
    /// Empirical likelihood, unless another interval is requested.
    static let naturallyLikelihood = IntervalTraits(rawValue: 4)
    /// The confidence sequences that bet on weighted rewards.
    static let sequences = IntervalTraits(rawValue: 8)
    /// It uses only decisions in which the log took the policy's action.
    static let matchesOnly = IntervalTraits(rawValue: 16)
}

/// The number after an estimator's name.
public struct EstimatorNumber: Sendable {
    /// How it is chosen if none is given.
    enum Choice: Sendable {
        /// From the grid, by the method of `Tuning`.
        case tuned
        /// The number of the grid next to that of the concentration theorem.
        case byTheorem
        /// It is not chosen: the estimator has a rule without it.
        case free
    }

    /// Its meaning, for messages.
    public let meaning: String
    /// A number in range, for messages.
    public let example: String
    let range: ClosedRange<Double>
    /// The candidates for the number if none is given.
    let grid: [Double]
    let choice: Choice

    init(
        _ meaning: String, example: String, range: ClosedRange<Double>, grid: [Double],
        choice: Choice = .tuned
    ) {
        self.meaning = meaning
        self.example = example
        self.range = range
        self.grid = grid
        self.choice = choice
    }

    /// Zero or more.
    static let anySize = 0...Double.greatestFiniteMagnitude

    static let largestWeight = EstimatorNumber(
        "the largest weight", example: "10", range: anySize, grid: weights)

    /// The number of the sub-Gaussian weights.
    static func correction(_ choice: Choice) -> EstimatorNumber {
        EstimatorNumber(
            "the correction, in 0 ... 1", example: "0.1", range: 0...1,
            grid: [
                0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5,
            ], choice: choice)
    }

    /// Candidates for a largest weight, and for the shrinkage of similar strength.
    static let weights = [1.0, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
}
