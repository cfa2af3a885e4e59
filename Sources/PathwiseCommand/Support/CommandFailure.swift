import PathDemo
import PathEvaluation
import PathLearning
import PathNetwork
import PathSimulation
import PathTelemetry
import PathTrace
import PathTraining
import PathTransport
import Pathwise

/// Why a command ends: one line for the user and an exit code.
struct CommandFailure: Error, CustomStringConvertible {
    /// What is wrong, and after a semicolon how to mend it.
    var message: String
    var status: ExitStatus

    init(_ message: String, _ status: ExitStatus) {
        self.message = message
        self.status = status
    }

    /// What the argument parser shows of an option's value.
    var description: String { message }

    /// Ended by the user; nothing is printed.
    static func interrupted(by signal: Int32) -> CommandFailure {
        CommandFailure("", ExitStatus(signal: signal))
    }

    /// The error of any room.
    init(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as CryptoError: self.init(error.description, ExitStatus(error))
        case let error as LearningError: self.init(error.description, ExitStatus(error))
        case let error as ModelProblem: self.init(error.description, ExitStatus(error))
        case let error as TraceError: self.init(error.description, ExitStatus(error))
        case let error as SimulationError: self.init(error.description, ExitStatus(error))
        case let error as NetworkError: self.init(error.description, ExitStatus(error))
        case let error as DemoError: self = CommandFailure(demo: error)
        case .trace(let error) as TrainingError: self.init(error)
        case .learning(let error) as TrainingError: self.init(error)
        case .options(let problem) as TrainingError: self.init(problem, .usage)
        case let error as TrainingError: self.init(error.description, .dataError)
        case .trace(let error) as EvaluationError: self.init(error)
        case .learning(let error) as EvaluationError: self.init(error)
        case .cannotRead as EvaluationError: self.init("\(error)", .noInput)
        case .unavailable as EvaluationError: self.init("\(error)", .usage)
        case let error as EvaluationError: self.init(error.description, .dataError)
        case let error as SessionError: self.init(error.description, ExitStatus(error))
        case let error as StreamError: self.init("\(error)", .software)
        case let error as SyntaxProblem: self.init(error.description, .usage)
        default: self.init("\(error)", .software)
        }
    }

    private init(demo error: DemoError) {
        if let cause = error.cause {
            self.init(cause)
        } else if case .file(_, _, let code) = error {
            self.init(error.description, ExitStatus(writing: code))
        } else {
            self.init(error.description, .software)
        }
    }

    /// The failure of making a trace, where a file that cannot be opened is an output.
    init(recording error: TraceError) {
        self.init(error)
        if case .cannotOpen = error { status = .cannotCreate }
    }

    /// The line that stands on standard error; names in it may come from a peer or a file.
    var line: String {
        let flat = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        return "pathwise: \(EscapedText(flat))\n"
    }
}

/// What each room's errors mean to whoever called the program.
extension ExitStatus {
    init(_ error: CryptoError) {
        switch error {
        case .keyFileMissing: self = .noInput
        case .keyFileExists: self = .cannotCreate
        case .keyFileExposed: self = .configuration
        case .keyFileMalformed, .notBase64, .wrongLength, .messageTooShort, .messageTooLong:
            self = .dataError
        case .keyFile(let operation, _, let code):
            self =
                operation == "create" || operation == "write"
                ? ExitStatus(writing: code) : ExitStatus(reading: code)
        case .peerRefused, .authenticationFailed, .weakPublicKey, .presharedKeyMissing:
            self = .noPermission
        case .backend, .outOfOrder, .nonceExhausted: self = .software
        }
    }

    init(_ error: LearningError) {
        switch error {
        case .unknownPolicy, .unknownParameter, .invalidValue, .unknownPath: self = .usage
        case .model(_, let problem): self = ExitStatus(problem)
        case .training: self = .dataError
        }
    }

    init(_ problem: ModelProblem) {
        switch problem {
        case .system(let operation, _):
            switch operation {
            case "open", "stat": self = .noInput
            case "create", "rename": self = .cannotCreate
            default: self = .inputOutput
            }
        case .truncated, .oversized, .malformed, .notAModel, .wrongSchema, .nonFinite:
            self = .dataError
        }
    }

    init(_ error: TraceError) {
        switch error {
        case .cannotOpen: self = .noInput
        case .exists: self = .cannotCreate
        case .notATrace, .otherVersion, .otherSchema, .damaged, .importRefused, .repeated:
            self = .dataError
        case .diskFull, .writeFailed, .exportFailed: self = .inputOutput
        case .busy: self = .temporary
        }
    }

    init(_ error: SimulationError) {
        switch error {
        case .unknownOption, .invalidOption, .conflictingOptions, .unknownScenario: self = .usage
        case .unreadableFile: self = .noInput
        case .invalidTrace, .invalidScenario: self = .dataError
        }
    }

    init(_ error: NetworkError) {
        switch error {
        case .malformedName, .malformedInterface: self = .usage
        case .unresolved: self = .unavailable
        case .system(_, _, let code): self = ExitStatus(socket: code)
        }
    }

    init(_ error: SessionError) {
        switch error {
        case .ended(let reason): self = ExitStatus(reason)
        case .network(let error): self = ExitStatus(error)
        case .crypto(let error): self = ExitStatus(error)
        case .stream, .transfer: self = .software
        }
    }
}
