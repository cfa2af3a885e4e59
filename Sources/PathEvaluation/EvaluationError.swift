public import PathLearning
public import PathTrace

/// Why an evaluation could not be made.
public enum EvaluationError: Error, Equatable, Sendable, CustomStringConvertible {
    case trace(TraceError)
    case learning(LearningError)
    /// The traces hold no decision that tells anything of another policy.
    case nothingToEvaluate(decisions: Int, forced: Int, withoutOutcome: Int, refused: Int)

    public var description: String {
        switch self {
        case .trace(let error): error.description
        case .learning(let error): error.description
        case .nothingToEvaluate(let decisions, let forced, let withoutOutcome, let refused):
            "none of \(decisions) decisions can be evaluated (\(forced) forced, \(withoutOutcome) "
                + "without an outcome, \(refused) refused); record with at least two paths and a "
                + "policy that explores"
        }
    }
}
