import PathDemo
import PathEvaluation
import PathForward
import PathLearning
import PathNetwork
import PathReport
import PathSimulation
import PathTelemetry
import PathTrace
import PathTraining
import PathTransport
import PathWorlds
import Pathwise

/// Why a command ends: one line for the user and an exit code.
struct CommandFailure: Error, CustomStringConvertible {
    /// The problem and, after a semicolon, how to fix it.
    var message: String
    var status: ExitStatus

    init(_ message: String, _ status: ExitStatus) {
        self.message = message
        self.status = status
    }

    /// The text that the argument parser shows.
    var description: String { message }

    /// Ended by the user; nothing is printed.
    static func interrupted(by signal: Int32) -> CommandFailure {
        CommandFailure("", ExitStatus(signal: signal))
    }

    /// Wraps an error of any room.
    init(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as CryptoError: self.init(error.description, ExitStatus(error))
        case let error as DemoError: self.init(error.description, ExitStatus(error))
        case let error as EvaluationError: self.init(error.description, ExitStatus(error))
        case let error as FileError: self.init(error.description, ExitStatus(error))
        case let error as ForwardError: self.init(error.description, ExitStatus(error))
        case let error as LearningError: self.init(error.description, ExitStatus(error))
        case let error as ModelProblem: self.init(error.description, ExitStatus(error))
        case let error as NetworkError: self.init(error.description, ExitStatus(error))
        case let error as SessionError:
            self.init(error.description + CommandFailure.hint(error), ExitStatus(error))
        case let error as SimulationError: self.init(error.description, ExitStatus(error))
        case let error as StateError: self.init(error.description, ExitStatus(error))
        case let error as StatusError: self.init(error.description, ExitStatus(error))
        case let error as StreamError: self.init(error.description, ExitStatus(error))
        case let error as SyntaxProblem: self.init(error.description, .usage)
        case let error as TraceError: self.init(error.description, ExitStatus(error))
        case let error as TransferError: self.init(error.description, ExitStatus(error))
        case let error as TrainingError: self.init(error.description, ExitStatus(error))
        case let error as UsageError: self.init(error.description, ExitStatus(error))
        case let error as WorldError: self.init(error.description, ExitStatus(error))
        case is CancellationError: self.init("", .interrupted)
        default: self.init("\(error)", .software)
        }
    }

    /// The options of the command that an error of the library is about.
    private static func hint(_ error: SessionError) -> String {
        switch error {
        case .ended(.refused(.unknownClient)):
            " ('receive --allow', or the file 'clients' of 'serve'), or 'join' with a token of "
                + "'invite'"
        case .ended(let reason) where reason.isWithdrawal:
            " (the file 'clients' of 'serve'), or 'join' with a token of 'invite'"
        case .ended(.refused(.wrongServerKey)): " (--peer is this side's)"
        case .ended(.refused(.presharedKey)): " (--psk)"
        case .ended(.handshakeFailed): " (--peer and --psk)"
        default: ""
        }
    }

    /// The failure of creating a trace, for which a file that cannot be opened is an output.
    init(recording error: TraceError) {
        self.init(error)
        if case .cannotOpen = error { status = .cannotCreate }
    }

    /// The failure as JSON; null if none exists.
    static func json(_ failure: CommandFailure?) -> JSONValue {
        guard let failure else { return .null }
        let message =
            switch failure.status {
            case .interrupted where failure.message.isEmpty: "ended by SIGINT (Ctrl-C)"
            case .terminated where failure.message.isEmpty: "ended by SIGTERM"
            case .hungUp where failure.message.isEmpty: "ended by SIGHUP"
            default: failure.message
            }
        return .object([
            ("message", .string(message)),
            ("exit_code", .int(Int64(failure.status.rawValue))),
        ])
    }

    /// The line for standard error; names in it may come from a peer or a file.
    ///
    /// A very long message is shortened to its beginning and end, which say what is wrong and what
    /// to do.
    var line: String {
        var shown = message[...]
        if message.utf8.count > 12_000 {
            shown = message.prefix(4_000) + " ... " + message.suffix(1_000)
        }
        let flat = shown.split(whereSeparator: \.isNewline).joined(separator: " ")
        return "pathwise: \(EscapedText(flat))\n"
    }
}
