/// What an estimator is: its name and what people read about it, what it needs, what a number after
/// its name means, and how its value comes out of the sums.
///
/// An estimator is its file in `Kinds`, which ends with its descriptor, and a line in
/// `EstimatorCatalogue.swift`: the command's option and help, the evaluation and the report find it
/// there. In all descriptions w is the evaluated probability of the logged action over its
/// propensity, r the reward, q the reward model's expectation and d its mean over the evaluated
/// policy's actions.
public struct EstimatorDescriptor: Sendable {
    /// As people type it.
    public let name: String
    /// What it computes, in one line for help texts.
    public let summary: String
    /// Authors and year; empty for what every textbook has.
    public let source: String
    public let needs: EstimatorNeeds
    /// The number that may follow the name; nil when none may.
    public let number: EstimatorNumber?
    let intervals: IntervalTraits
    let computation: Computation
    /// The value from sums of counts, w, w r, d and w (r - q), of a stretch of time or a resample;
    /// nil for estimators that need other sums.
    let fromTotals: (@Sendable (TimeBatches.Batch) -> Double)?

    /// How an estimate comes about.
    enum Computation: Sendable {
        /// The mean of a score of every decision, for a number; without one of 1.
        case scores(@Sendable (Double) -> Score)
        /// The mean of what is kept anyway.
        case mean(@Sendable (OffPolicySums) -> Moments)
        /// Anything else that the sums give.
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

    /// The estimator of a name; nil when there is none.
    public static func named(_ name: String) -> EstimatorDescriptor? {
        catalogue.first { $0.name == name }
    }
}

/// Two descriptors are the same when their names are.
extension EstimatorDescriptor: Hashable, CustomStringConvertible {
    public static func == (left: EstimatorDescriptor, right: EstimatorDescriptor) -> Bool {
        left.name == right.name
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    public var description: String { name }
}

/// What an estimator asks for besides weights and rewards.
public struct EstimatorNeeds: OptionSet, Hashable, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// A reward model.
    public static let model = EstimatorNeeds(rawValue: 1)
    /// The reward model that makes the variance of DR small, besides the plain one.
    static let robustModel = EstimatorNeeds(rawValue: 2)
    /// A policy that is certain of what it does in every decision.
    public static let certainPolicy = EstimatorNeeds(rawValue: 4)
}

/// Which intervals an estimator has besides those that all have.
struct IntervalTraits: OptionSet, Sendable {
    let rawValue: Int

    /// A ratio of sums: its error is by the delta method.
    static let ratio = IntervalTraits(rawValue: 1)
    /// Empirical likelihood, when that is asked for.
    static let likelihood = IntervalTraits(rawValue: 2)
    /// Empirical likelihood, unless something else is asked for.
    static let naturallyLikelihood = IntervalTraits(rawValue: 4)
    /// The sequences that bet on weighted rewards.
    static let sequences = IntervalTraits(rawValue: 8)
    /// It looks only at decisions in which the log did what the policy would have done.
    static let matchesOnly = IntervalTraits(rawValue: 16)
}

/// The number after an estimator's name.
public struct EstimatorNumber: Sendable {
    /// How it is chosen when none is given.
    enum Choice: Sendable {
        /// Among the grid, by the method of `Tuning`.
        case tuned
        /// The one of the grid next to that of the concentration theorem.
        case byTheorem
        /// It is not: the estimator knows what to do without.
        case free
    }

    /// What it means, for messages.
    public let meaning: String
    /// One that is in range, for messages.
    public let example: String
    let range: ClosedRange<Double>
    /// The numbers among which one is chosen when none is given.
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

    /// Of the sub-Gaussian weights.
    static func correction(_ choice: Choice) -> EstimatorNumber {
        EstimatorNumber(
            "the correction, in 0 ... 1", example: "0.1", range: 0...1,
            grid: [
                0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5,
            ], choice: choice)
    }

    /// Candidates for a largest weight, and for what shrinks weights as strongly.
    static let weights = [1.0, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
}
