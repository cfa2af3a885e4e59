/// What a batch cursor has to read of every decision, besides what it always reads.
///
/// What is not asked for costs nothing and leaves its columns empty.
public struct DecisionColumns: OptionSet, Hashable, Sendable {
    public var rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// How each decision turned out.
    public static let outcomes = DecisionColumns(rawValue: 1)
    /// Features and prediction of the candidate that was chosen.
    public static let chosenFeatures = DecisionColumns(rawValue: 2)
    /// Features and prediction of every candidate.
    public static let candidateFeatures = DecisionColumns(rawValue: 4)
    /// Every candidate with everything a policy may look at, its features among it.
    public static let candidates = DecisionColumns(rawValue: 8)
    /// All actions with their probabilities.
    public static let distributions = DecisionColumns(rawValue: 16)

    /// Everything that was recorded.
    public static let all: DecisionColumns = [
        .outcomes, .chosenFeatures, .candidateFeatures, .candidates, .distributions,
    ]
}
