import Glibc
public import PathEvaluation
public import PathLearning
public import PathNetwork
public import PathSimulation
public import PathTrace
public import PathTraining
public import PathTransport
public import Pathwise

/// Why a demonstration failed.
public enum DemoError: Error, Sendable {
    case session(SessionError)
    case network(NetworkError)
    case crypto(CryptoError)
    case trace(TraceError)
    case learning(LearningError)
    case training(TrainingError)
    case evaluation(EvaluationError)
    case simulation(SimulationError)
    case transfer(FileError)
    /// A call on a file or directory failed: what was tried, on what, and the errno.
    case file(String, String, Int32)
    /// Received data differs from the sent data.
    case damaged(policy: String, what: String)
    /// Cancelled by the caller.
    case interrupted
    case other(String)

    /// Wraps an error of any room.
    init(_ error: any Error) {
        switch error {
        case let error as DemoError: self = error
        case let error as SessionError: self = .session(error)
        case let error as NetworkError: self = .network(error)
        case let error as CryptoError: self = .crypto(error)
        case let error as TraceError: self = .trace(error)
        case let error as LearningError: self = .learning(error)
        case .trace(let error) as TrainingError: self = .trace(error)
        case .learning(let error) as TrainingError: self = .learning(error)
        case let error as TrainingError: self = .training(error)
        case let error as EvaluationError: self = .evaluation(error)
        case let error as SimulationError: self = .simulation(error)
        case let error as FileError: self = .transfer(error)
        case is CancellationError: self = .interrupted
        default: self = .other("\(error)")
        }
    }

    /// The underlying error.
    private var cause: (any Error)? {
        switch self {
        case .session(let error): error
        case .network(let error): error
        case .crypto(let error): error
        case .trace(let error): error
        case .learning(let error): error
        case .training(let error): error
        case .evaluation(let error): error
        case .simulation(let error): error
        case .transfer(let error): error
        case .file, .damaged, .interrupted, .other: nil
        }
    }
}

extension DemoError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .file(let operation, let path, let code):
            let fix =
                switch code {
                case ENOSPC, EDQUOT: "; free some space, or choose another place with --directory"
                case EACCES, EPERM, EROFS: "; choose a directory that you may write to"
                case ENOENT, ENOTDIR: "; make the directory above it first"
                default: ""
                }
            return "cannot \(operation) '\(path)': \(String(cString: strerror(code)))\(fix)"
        case .damaged(let policy, let what):
            return "the run with \(policy) is damaged (\(what)); run again, and report this"
        case .interrupted: return "interrupted"
        case .other(let text): return text
        default: return cause.map { "\($0)" } ?? "failed"
        }
    }
}
