import Glibc
import PathDemo
import PathEvaluation
import PathLearning
import PathNetwork
import PathSimulation
import PathTelemetry
import PathTraining
import PathTransport
import Testing

@testable import PathTrace
@testable import Pathwise
@testable import PathwiseCommand

/// Every error of every room has the right exit code of sysexits(3).
struct ExitStatusTests {
    private static let trace: [(any Error, Int32)] = [
        (TraceError.cannotOpen(path: "t", reason: "r"), 66), (TraceError.exists(path: "t"), 73),
        (TraceError.notATrace(path: "t", reason: "r"), 65),
        (TraceError.otherVersion(path: "t", found: 9, supported: 2), 65),
        (TraceError.otherSchema(path: "t", found: "a", expected: "b"), 65),
        (TraceError.damaged(path: "t", what: "w"), 65), (TraceError.repeated("a", "b"), 65),
        (TraceError.diskFull(path: "t"), 74),
        (TraceError.writeFailed(path: "t", reason: "r"), 74), (TraceError.busy(path: "t"), 75),
        (TraceError.exportFailed(reason: "r"), 74),
        (TraceError.importRefused(path: "t", line: 1, what: "w"), 65),
    ]

    private static let learning: [(any Error, Int32)] = [
        (LearningError.unknownPolicy(name: "p", suggestion: nil), 64),
        (LearningError.unknownParameter(policy: "p", parameter: "q", known: []), 64),
        (
            LearningError.invalidValue(policy: "p", parameter: "q", value: "v", expected: "e"), 64
        ),
        (LearningError.unknownPath(name: "p", known: []), 64),
        (LearningError.training("t"), 65),
        (LearningError.model(file: "m", problem: .malformed("x")), 65),
        (LearningError.model(file: "m", problem: .system(operation: "open", reason: "r")), 66),
        (ModelProblem.system(operation: "stat", reason: "r"), 66),
        (ModelProblem.system(operation: "create", reason: "r"), 73),
        (ModelProblem.system(operation: "rename", reason: "r"), 73),
        (ModelProblem.system(operation: "write", reason: "r"), 74),
        (ModelProblem.truncated(expected: 2, actual: 1), 65),
        (ModelProblem.oversized(what: "w", size: 2, limit: 1), 65),
        (ModelProblem.malformed("m"), 65), (ModelProblem.notAModel("m"), 65),
        (ModelProblem.wrongSchema(expected: "a", actual: "b"), 65),
        (ModelProblem.nonFinite(tensor: "t"), 65),
    ]

    private static let network: [(any Error, Int32)] = [
        (NetworkError.malformedName("n"), 64), (NetworkError.malformedInterface("n"), 64),
        (NetworkError.unresolved(name: "n", reason: "r"), 69),
        (NetworkError.system(.bind, target: "t", code: EADDRINUSE), 69),
        (NetworkError.system(.bind, target: "t", code: EACCES), 77),
        (NetworkError.system(.openSocket, target: "t", code: EMFILE), 71),
        (CryptoError.keyFileMissing(path: "k"), 66), (CryptoError.keyFileExists(path: "k"), 73),
        (CryptoError.keyFileExposed(path: "k", mode: 0o644), 78),
        (CryptoError.keyFileMalformed(path: "k", problem: "p"), 65),
        (CryptoError.keyFile(operation: "create", path: "k", code: ENOSPC), 74),
        (CryptoError.keyFile(operation: "read", path: "k", code: EACCES), 66),
        (CryptoError.notBase64(what: "w"), 65),
        (CryptoError.wrongLength(what: "w", expected: 2, found: 1), 65),
        (CryptoError.messageTooShort(needed: 2, found: 1), 65),
        (CryptoError.messageTooLong(found: 2), 65), (CryptoError.weakPublicKey, 77),
        (CryptoError.authenticationFailed(part: "p"), 77),
        (CryptoError.presharedKeyMissing, 77), (CryptoError.backend(operation: "o"), 70),
        (CryptoError.outOfOrder(operation: "o"), 70), (CryptoError.nonceExhausted, 70),
    ]

    private static let session: [(any Error, Int32)] = [
        (StreamError.flowControl(offset: 2, limit: 1), 76),
        (StreamError.finalSize(offset: 2, finalSize: 1), 76),
        (StreamError.tooManyRanges(limit: 1), 76),
        (StreamError.streamLimit(index: 2, limit: 1), 76),
        (StreamError.malformedMessage(number: 1), 76),
        (StreamError.messageSize(bytes: 2, limit: 1), 70),
        (StreamError.messageQueueFull(messages: 1, bytes: 1), 75),
        (SessionError.ended(.peer(code: 1, reason: "r")), 69), (SessionError.ended(.local), 0),
        (SessionError.ended(.idleTimeout), 69), (SessionError.ended(.forgotten), 69),
        (SessionError.ended(.handshakeTimeout), 69),
        (SessionError.ended(.refused(.wrongServerKey)), 77),
        (SessionError.ended(.refused(.unknownClient)), 77),
        (SessionError.ended(.refused(.presharedKey)), 77),
        (SessionError.ended(.refused(.cipherSuite)), 77),
        (SessionError.ended(.refused(.version)), 69), (SessionError.ended(.refused(.busy)), 75),
        (SessionError.ended(.handshakeFailed), 77),
        (SessionError.ended(.protocolViolation("p")), 76),
        (SessionError.ended(.cryptography("c")), 70),
        (SessionError.network(.malformedName("n")), 64),
        (SessionError.crypto(.keyFileMissing(path: "k")), 66),
        (SessionError.learning(.unknownPath(name: "p", known: [])), 64),
        (SessionError.learning(.model(file: "m", problem: .malformed("x"))), 65),
        (SessionError.stream(.tooManyRanges(limit: 1)), 76),
        (SessionError.stream(.messageQueueFull(messages: 1, bytes: 1)), 75),
        (SessionError.transfer("t"), 76),
        (SessionError.unexpected("u"), 70),
        (FileError(.open, "f", code: ENOENT), 66), (FileError(.read, "f", code: EIO), 74),
        (FileError(.list, "f", code: EACCES), 66), (FileError(.create, "f", code: EACCES), 73),
        (FileError(.write, "f", code: ENOSPC), 74), (FileError(.rename, "f", code: EROFS), 73),
    ]

    /// Errors of folders, tokens and profiles.
    private static let state: [(any Error, Int32)] = [
        (StateError.noHome, 78), (StateError.exposed(path: "p", mode: 0o755), 78),
        (StateError.malformed(file: "f", line: 1, "m"), 78), (StateError.inUse("p"), 69),
        (StateError.file(FileError(.open, "f", code: ENOENT)), 66),
        (StateError.file(FileError(.write, "f", code: ENOSPC)), 74),
        (StateError.crypto(.weakPublicKey), 77), (StateError.token("t"), 65),
        (StateError.badName("/"), 64),
        (StateError.profileExists(name: "n", path: "p"), 73),
        (StateError.noProfile(name: nil, known: []), 64),
        (StateError.noProfile(name: "n", known: ["m"]), 66),
        (StateError.severalProfiles(["a", "b"]), 64),
    ]

    /// Errors of one item's transfer.
    private static let transfer: [(any Error, Int32)] =
        [
            (TransferReason.cannotCreate, 73), (.inputOutput, 74), (.temporary, 75),
            (.mismatch, 65), (.malformed, 76), (.givenUp, 74), (.cutShort, 69),
        ].flatMap { (reason: TransferReason, status: Int32) in
            [
                (TransferError.notStored(reason, "t"), status),
                (TransferError.forbidden(reason, "t"), status),
            ]
        } + [
            (TransferError.shrank(name: ItemName(bytes: [110]), from: 2, to: 1), 74),
            (TransferError.mismatch(name: ItemName(bytes: [110])), 65),
            (TransferError.cutShort, 69), (TransferError.malformed("m"), 76),
            (TransferError.otherVersion, 69), (TransferError.givenUp("g"), 74),
        ]

    private static let offline: [(any Error, Int32)] = [
        (TrainingError.trace(.damaged(path: "t", what: "w")), 65),
        (TrainingError.trace(.cannotOpen(path: "t", reason: "r")), 66),
        (TrainingError.learning(.training("t")), 65), (TrainingError.options("o"), 64),
        (TrainingError.twice("a", "b"), 65),
        (TrainingError.statistics(file: "f", reason: "r"), 65),
        (TrainingError.interrupted, 130),
        (EvaluationError.trace(.busy(path: "t")), 75),
        (EvaluationError.learning(.unknownPath(name: "p", known: [])), 64),
        (EvaluationError.cannotRead(path: "p", reason: "r"), 66),
        (EvaluationError.log(path: "p", row: 1, column: nil, problem: "p"), 65),
        (EvaluationError.unavailable("u"), 64),
        (
            EvaluationError.nothingToEvaluate(
                decisions: 0, forced: 0, withoutOutcome: 0, refused: 0), 65
        ),
        (SimulationError.unknownOption(key: "k", value: "v"), 64),
        (SimulationError.invalidOption(key: "k", value: "v", fix: "m"), 64),
        (SimulationError.conflictingOptions(keys: "k", fix: "m"), 64),
        (SimulationError.unknownScenario(name: "n", file: "f", known: []), 64),
        (SimulationError.unreadableFile(path: "p", reason: "r"), 66),
        (SimulationError.invalidTrace(path: "p", line: 1, fix: "m"), 65),
        (SimulationError.invalidScenario(file: "f", line: 1, fix: "m"), 65),
        (SyntaxProblem("s"), 64), (CommandFailure("c", .configuration), 78),
        (CancellationError(), 130),
    ]

    /// A demonstration passes on the errors inside it.
    private static let demo: [(any Error, Int32)] = [
        (DemoError.session(.transfer("t")), 76), (DemoError.network(.malformedName("n")), 64),
        (DemoError.crypto(.keyFileMissing(path: "k")), 66),
        (DemoError.trace(.diskFull(path: "t")), 74), (DemoError.learning(.training("t")), 65),
        (DemoError.training(.interrupted), 130), (DemoError.evaluation(.unavailable("u")), 64),
        (DemoError.simulation(.unreadableFile(path: "p", reason: "r")), 66),
        (DemoError.transfer(FileError(.write, "f", code: ENOSPC)), 74),
        (DemoError.file("make", "f", EACCES), 73),
        (DemoError.damaged(policy: "p", what: "w"), 65), (DemoError.interrupted, 130),
        (DemoError.other("o"), 70),
    ]

    @Test func everyErrorKeepsItsKind() throws {
        let refused = CryptoError.peerRefused(try PrivateKey.generate().publicKey)
        #expect(CommandFailure(refused).status == .noPermission)
        let all =
            Self.trace + Self.learning + Self.network + Self.session + Self.transfer + Self.offline
            + Self.demo + Self.state
        for (error, status) in all {
            let failure = CommandFailure(error)
            #expect(failure.status.rawValue == status, "\(error)")
        }
    }

    /// A policy that names a missing path is the user's error, not the peer's.
    @Test func whatOpensASessionKeepsItsKind() {
        let cause = LearningError.unknownPath(name: "lte", known: ["dsl"])
        let error = SessionError(opening: cause)
        #expect(error.description == cause.description)
        #expect(!error.description.contains("protocol"))
        #expect(CommandFailure(error).status == .usage)
    }
}
