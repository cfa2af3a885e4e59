public import PathLearning
public import PathTrace

/// Why training failed.
public enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
    case trace(TraceError)
    case learning(LearningError)
    /// Options are incompatible or out of range; the text says which, and what to give instead.
    case options(String)
    /// The same decisions are in two of the inputs.
    case twice(String, String)
    /// A file of statistics that cannot be used.
    case statistics(file: String, reason: String)
    /// The caller asked to stop.
    case interrupted

    public var description: String {
        switch self {
        case .trace(let error): error.description
        case .learning(let error): error.description
        case .options(let problem): problem
        case .twice(let one, let other):
            "'\(one)' and '\(other)' hold the same decisions: name each recording once"
        case .statistics(let file, let reason):
            "statistics '\(file)': \(reason)"
        case .interrupted: "interrupted"
        }
    }
}
