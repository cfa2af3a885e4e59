import PathDemo
import PathEvaluation
import PathForward
import PathLearning
import PathNetwork
import PathSimulation
import PathTrace
import PathTraining
import PathTransport
import PathWorlds
import Pathwise

/// The exit code for each room's errors.
///
/// Every switch lists every case, so that a new case needs an exit code here.
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

    init(_ error: ForwardError) {
        switch error {
        case .malformedTarget, .malformedForward, .malformedRule: self = .usage
        case .listen(_, let error): self = ExitStatus(error)
        case .malformedOpening: self = .protocolError
        }
    }

    init(_ error: LearningError) {
        switch error {
        case .unknownPolicy, .unknownParameter, .invalidValue, .unknownPath, .notForShadow:
            self = .usage
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

    init(_ error: TrainingError) {
        switch error {
        case .trace(let error): self = ExitStatus(error)
        case .learning(let error): self = ExitStatus(error)
        case .options: self = .usage
        case .twice, .statistics: self = .dataError
        case .interrupted: self = .interrupted
        }
    }

    init(_ error: EvaluationError) {
        switch error {
        case .trace(let error): self = ExitStatus(error)
        case .learning(let error): self = ExitStatus(error)
        case .cannotRead: self = .noInput
        case .log, .nothingToEvaluate: self = .dataError
        case .unavailable: self = .usage
        }
    }

    init(_ error: SimulationError) {
        switch error {
        case .unknownOption, .invalidOption, .conflictingOptions, .unknownScenario: self = .usage
        case .unreadableFile: self = .noInput
        case .invalidTrace, .invalidScenario: self = .dataError
        }
    }

    init(_ error: WorldError) {
        switch error {
        case .unreadable, .unreadableInput: self = .noInput
        case .syntax, .invalid: self = .dataError
        case .unknownWorld: self = .usage
        case .stalled: self = .software
        }
    }

    init(_ error: NetworkError) {
        switch error {
        case .malformedName, .malformedInterface: self = .usage
        case .unresolved: self = .unavailable
        case .system(_, _, let code): self = ExitStatus(socket: code)
        }
    }

    init(_ error: StatusError) {
        switch error {
        case .system(_, _, let code): self = ExitStatus(socket: code)
        case .unsafeFolder, .tooLong: self = .configuration
        case .noAnswer: self = .temporary
        }
    }

    init(_ error: UsageError) {
        switch error {
        case .system(_, _, let code): self = ExitStatus(writing: code)
        case .foreign: self = .noPermission
        case .malformed: self = .dataError
        }
    }

    init(_ error: StreamError) {
        switch error {
        case .flowControl, .finalSize, .tooManyRanges, .streamLimit, .malformedMessage:
            self = .protocolError
        case .streamState, .unknownStream, .messageSize: self = .software
        case .messageQueueFull: self = .temporary
        }
    }

    init(_ error: FileError) {
        switch error.operation {
        case .create, .write, .rename, .synchronize: self = ExitStatus(writing: error.code)
        case .open, .read, .list: self = ExitStatus(reading: error.code)
        }
    }

    init(_ error: StateError) {
        switch error {
        case .noHome, .exposed, .foreign, .malformed, .notRegular: self = .configuration
        case .missing: self = .noInput
        case .inUse: self = .unavailable
        case .file(let error): self = ExitStatus(error)
        case .crypto(let error): self = ExitStatus(error)
        case .token: self = .dataError
        case .badName, .severalProfiles: self = .usage
        case .noProfile(let name, _): self = name == nil ? .usage : .noInput
        case .profileExists: self = .cannotCreate
        }
    }

    init(_ error: SessionError) {
        switch error {
        case .ended(let reason): self = ExitStatus(reason)
        case .network(let error): self = ExitStatus(error)
        case .noPath, .absentPaths, .capsReached: self = .unavailable
        case .noAddress, .deadline: self = .usage
        case .crypto(let error): self = ExitStatus(error)
        case .learning(let error): self = ExitStatus(error)
        case .stream(let error): self = ExitStatus(error)
        case .transfer: self = .protocolError
        case .unexpected: self = .software
        }
    }

    /// The exit code for an item that was not transferred.
    init(_ error: TransferError) {
        switch error {
        case .notStored(let reason, _), .forbidden(let reason, _): self = ExitStatus(reason)
        case .shrank, .givenUp: self = .inputOutput
        case .takenOver: self = .temporary
        case .mismatch: self = .dataError
        case .cutShort, .otherVersion: self = .unavailable
        case .malformed: self = .protocolError
        }
    }

    init(_ reason: TransferReason) {
        switch reason {
        case .cannotCreate: self = .cannotCreate
        case .inputOutput, .givenUp: self = .inputOutput
        case .temporary: self = .temporary
        case .mismatch: self = .dataError
        case .malformed: self = .protocolError
        case .cutShort: self = .unavailable
        }
    }

    /// The exit code for the end of a connection.
    init(_ reason: CloseReason) {
        switch reason {
        case .local: self = .success
        case .peer where reason.isWithdrawal: self = .noPermission
        case .peer where reason.isSessionLimit: self = .temporary
        case .peer, .idleTimeout, .forgotten, .handshakeTimeout: self = .unavailable
        case .refused(.busy): self = .temporary
        case .refused(.version): self = .unavailable
        case .refused(.wrongServerKey), .refused(.unknownClient), .refused(.cipherSuite),
            .refused(.presharedKey), .handshakeFailed:
            self = .noPermission
        case .protocolViolation: self = .protocolError
        case .cryptography: self = .software
        }
    }

    init(_ error: DemoError) {
        switch error {
        case .session(let error): self = ExitStatus(error)
        case .network(let error): self = ExitStatus(error)
        case .crypto(let error): self = ExitStatus(error)
        case .trace(let error): self = ExitStatus(error)
        case .learning(let error): self = ExitStatus(error)
        case .training(let error): self = ExitStatus(error)
        case .evaluation(let error): self = ExitStatus(error)
        case .simulation(let error): self = ExitStatus(error)
        case .transfer(let error): self = ExitStatus(error)
        case .file(_, _, let code): self = ExitStatus(writing: code)
        case .damaged: self = .dataError
        case .interrupted: self = .interrupted
        case .other: self = .software
        }
    }
}
