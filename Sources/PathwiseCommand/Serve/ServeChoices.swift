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
    let policies: PolicyChoice
    var policy: PolicySpecification { policies.policy }
    var model: Model? { policies.model }

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
        rules = ClientRules(
            connecting: try ServeChoices.rules(command.forwardAllow, "--forward-allow"),
            listening: try ServeChoices.rules(command.reverseAllow, "--reverse-allow"))
        var connection = try ConnectionArgument.configuration(
            idleTimeout: command.hold ?? ConnectionArgument.hold, option: "--hold",
            congestion: command.congestion)
        connection.prepareForForwards()
        policies = try PolicyChoice(command.policies, isWatched: command.watch.http != nil)
        connection.judging = policies.judging
        self.connection = connection
    }

    /// Opens the recording of the command line, if there is one.
    func recording() throws -> ServiceRecording? {
        try ServiceRecording(command.record, recordingRules)
    }

    /// The rules of an option; nil if it was not given.
    private static func rules(_ texts: [String], _ option: String) throws -> [AllowRule]? {
        guard !texts.isEmpty else { return nil }
        do throws(ForwardError) {
            var rules: [AllowRule] = []
            for text in texts { rules += try AllowRule.rules(parsing: text) }
            return rules
        } catch {
            throw CommandFailure("\(option): \(error)", .usage)
        }
    }
}
