import PathTelemetry

/// How a session explores: figures of the decisions that were recorded in the last one to two minutes,
/// but for those that were forced.
public struct LearningFigures: Hashable, Sendable {
    public private(set) var decisions = 0
    /// The sum of the probabilities of the chosen actions, and the least of them.
    private var propensities = 0.0
    public private(set) var leastPropensity = 1.0
    /// Decisions whose action was not the most probable one.
    private var explored = 0

    /// The mean probability of the chosen actions; nil without decisions.
    ///
    /// The mean of equal numbers may be rounded to less than each of them.
    public var meanPropensity: Double? {
        decisions > 0 ? max(leastPropensity, propensities / Double(decisions)) : nil
    }

    /// The share of the decisions whose action was not the most probable one; nil without decisions.
    public var exploredShare: Double? {
        decisions > 0 ? Double(explored) / Double(decisions) : nil
    }

    /// Adds a decision.
    ///
    /// - Parameters:
    ///   - propensity: of the chosen action.
    ///   - greatest: the probability of the most probable one.
    mutating func add(propensity: Double, greatest: Double) {
        decisions &+= 1
        propensities += propensity
        leastPropensity = min(leastPropensity, propensity)
        if propensity < greatest { explored &+= 1 }
    }

    /// Adds the figures of other decisions.
    mutating func add(_ other: LearningFigures) {
        decisions &+= other.decisions
        propensities += other.propensities
        leastPropensity = min(leastPropensity, other.leastPropensity)
        explored &+= other.explored
    }
}

/// The figures of the present minute and of the one before.
struct LearningWindow: Sendable {
    private static let length: Int64 = 60_000_000_000

    private var present = LearningFigures()
    private var former = LearningFigures()
    /// When the present minute began, on the session's clock.
    private var begun: Int64 = .min

    /// Takes a decision that was not forced.
    mutating func add(_ frame: DecisionFrame) {
        let propensity = Double(bitPattern: frame.probability(frame.chosen))
        guard propensity >= 0, propensity <= 1 else { return }
        if begun == .min || frame.time &- begun >= LearningWindow.length {
            let isNext = begun != .min && frame.time &- begun < 2 * LearningWindow.length
            former = isNext ? present : LearningFigures()
            present = LearningFigures()
            begun = frame.time
        }
        var greatest = propensity
        for index in 0..<frame.actions {
            greatest = max(greatest, Double(bitPattern: frame.probability(index)))
        }
        present.add(propensity: propensity, greatest: greatest)
    }

    /// The figures at a time on the session's clock.
    func figures(now: Instant) -> LearningFigures {
        guard begun != .min, now.nanoseconds &- begun < 2 * LearningWindow.length else {
            return LearningFigures()
        }
        var sum = former
        sum.add(present)
        return sum
    }
}
