import PathForward
import PathLearning
import PathTransport
import Pathwise

/// The settings of a server that may change while it runs: its command line, checked.
struct ServeChoices: Sendable {
    let command: ServeCommand
    private let recordingRules: RecordingRules
    let publicAddresses: PublicAddresses?
    /// Of the first token.
    let lifetime: UInt64
    /// For clients whose lines say nothing else.
    let rules: ClientRules
    /// The most sessions of one client at once.
    let sessionsPerClient: Int
    /// Of each client, where its line says nothing else.
    let limits: UsualLimits
    let connection: ConnectionConfiguration
    let policy: PolicySpecification
    let model: Model?

    init(_ command: ServeCommand) throws {
        self.command = command
        recordingRules = try RecordingRules(option: command.recordRules)
        do throws(SyntaxProblem) {
            sessionsPerClient = try command.sessionsPerClient.map(ServeSetup.sessions) ?? 8
        } catch {
            throw CommandFailure("--sessions-per-client \(error)", .usage)
        }
        lifetime = try InviteText.lifetime(command.tokenLifetime ?? InviteText.standardLifetime)
        limits = try command.limits.limits()
        publicAddresses = try PublicAddresses.given(command.publicAddress)
        let connecting = try command.forwardAllow.map {
            try ServeChoices.rule($0, "--forward-allow")
        }
        let listening = try command.reverseAllow.map {
            try ServeChoices.rule($0, "--reverse-allow")
        }
        rules = ClientRules(
            connecting: connecting.isEmpty ? nil : connecting,
            listening: listening.isEmpty ? nil : listening)
        var connection = try ConnectionArgument.configuration(
            idleTimeout: command.hold ?? ConnectionArgument.hold, option: "--hold",
            congestion: command.congestion)
        connection.prepareForForwards()
        self.connection = connection
        (policy, model, _) = try PolicyArgument(
            parsing: command.policy ?? PolicyArgument.standard
        ).load()
    }

    /// Opens the recording of the command line, if there is one.
    func recording() throws -> ServiceRecording? {
        try ServiceRecording(command.record, recordingRules)
    }

    private static func rule(_ text: String, _ option: String) throws -> AllowRule {
        do throws(ForwardError) { return try AllowRule(parsing: text) } catch {
            throw CommandFailure("\(option): \(error)", .usage)
        }
    }
}
