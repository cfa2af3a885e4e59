/// The optional columns that a batch cursor reads.
///
/// Columns that are not requested cost nothing and stay empty.
public struct DecisionColumns: OptionSet, Hashable, Sendable {
    public var rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The outcome of each decision.
    public static let outcomes = DecisionColumns(rawValue: 1)
    /// Features and prediction of the chosen candidate.
    public static let chosenFeatures = DecisionColumns(rawValue: 2)
    /// Features and prediction of every candidate.
    public static let candidateFeatures = DecisionColumns(rawValue: 4)
    /// Every candidate with all inputs of a policy, features included.
    public static let candidates = DecisionColumns(rawValue: 8)
    /// All actions with their probabilities.
    public static let distributions = DecisionColumns(rawValue: 16)

    /// Everything that was recorded.
    public static let all: DecisionColumns = [
        .outcomes, .chosenFeatures, .candidateFeatures, .candidates, .distributions,
    ]
}
