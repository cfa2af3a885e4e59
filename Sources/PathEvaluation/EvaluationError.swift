public import PathLearning
public import PathTrace

/// Why an evaluation could not be made.
public enum EvaluationError: Error, Equatable, Sendable, CustomStringConvertible {
    case trace(TraceError)
    case learning(LearningError)
    /// A file could not be read.
    case cannotRead(path: String, reason: String)
    /// A row (counted from one, after the header) or a column of a log is invalid.
    case log(path: String, row: Int?, column: String?, problem: String)
    /// The request is not possible with this data.
    case unavailable(String)
    /// The traces contain no decision that can evaluate another policy.
    case nothingToEvaluate(decisions: Int, forced: Int, withoutOutcome: Int, refused: Int)

    public var description: String {
        switch self {
        case .trace(let error): error.description
        case .learning(let error): error.description
        case .cannotRead(let path, let reason):
            "cannot read '\(path)': \(reason); check the name and the permissions"
        case .log(let path, let row, let column, let problem):
            "'\(path)'" + (row.map { ", row \($0)" } ?? "")
                + (column.map { ", column \($0)" } ?? "") + ": " + problem
        case .unavailable(let what): what
        case .nothingToEvaluate(let decisions, let forced, let withoutOutcome, let refused):
            "none of \(decisions) decisions can be evaluated (\(forced) forced, \(withoutOutcome) "
                + "without an outcome, \(refused) refused); record with at least two paths and a "
                + "policy that explores"
        }
    }
}
