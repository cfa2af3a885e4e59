import PathForward
import PathLearning
import PathTransport
import PathWatch
import Pathwise
import Synchronization

/// What a `serve` runs with at this moment; requests change it, one at a time.
///
/// *Any thread*: `choices`, `rules`, `withhold`, `serve`. *One task at a time*: `perform`.
final class LiveServe: Sendable {
    private struct State {
        var choices: ServeChoices
        /// The latest change of the policy.
        var policyChange: ConfigDifference?
        /// The policies before the latest `promote`.
        var promotion: PolicyTexts?
        var recording: ServiceRecording?
        /// The services of clients that there are.
        var services: [ObjectIdentifier: (client: ServedClient, forwards: ForwardService)] = [:]
        /// What no rule lets clients reach.
        var withheld: Set<SocketAddress> = []
    }

    private let server: Server
    private let folder: StateFolder
    private let source: ConfigSource<ServeCommand>
    private let allowances: AllowanceTable
    private let state: Mutex<State>
    private let reporting = Mutex<@Sendable (ServiceRecording.News) -> Void>({ _ in })

    /// - Parameter recording: of the command line.
    init(
        _ setup: ServeSetup, _ source: ConfigSource<ServeCommand>, server: Server,
        recording: ServiceRecording?, allowances: AllowanceTable
    ) {
        self.server = server
        self.source = source
        self.allowances = allowances
        folder = setup.state.folder
        state = Mutex(State(choices: setup.choices, recording: recording))
    }

    /// Follows the recording from file to file.
    ///
    /// - Parameter log: is told when it stops early, and when it goes on.
    func keepRecording(_ log: ServeLog) {
        reporting.withLock { $0 = { log.recording($0) } }
        keep(state.withLock { $0.recording })
    }

    private func keep(_ recording: ServiceRecording?) {
        let report = reporting.withLock { $0 }
        recording?.keep { [weak self, weak recording] recorder in
            guard let self, self.state.withLock({ $0.recording === recording }) else { return }
            self.server.setRecorder(recorder)
        } report: {
            report($0)
        }
    }

    var choices: ServeChoices { state.withLock { $0.choices } }

    /// Keeps clients from a page that asks for no token, because it is for users of this host, and what
    /// clients reach here are often its loopback addresses.
    func withhold(_ page: WatchAddress) {
        guard case .tcp(let host, let port, _) = page,
            let address = SocketAddress(parsing: host, defaultPort: port)
        else { return }
        state.withLock { _ = $0.withheld.insert(address) }
    }

    /// What a client may reach now.
    func rules(of client: ServedClient) -> ForwardRules {
        state.withLock { state in
            var rules = client.rules.completed(by: state.choices.rules)
            rules.withheld = state.withheld
            return rules
        }
    }

    /// Has the rules of a client's service follow those of this server while `body` runs.
    func serve(
        _ client: ServedClient, _ forwards: ForwardService, _ body: () async -> Void
    ) async {
        let key = ObjectIdentifier(forwards)
        state.withLock { $0.services[key] = (client, forwards) }
        forwards.setRules(rules(of: client))
        await body()
        state.withLock { _ = $0.services.removeValue(forKey: key) }
    }

    /// Completes the trace, if there is one.
    func close() throws {
        try state.withLock { $0.recording }?.complete()
    }

    // MARK: changes

    /// Makes a change, or nothing of it.
    func perform(_ action: ControlAction) async throws -> ControlAnswer {
        var answer = ControlAnswer(request: "")
        var command = choices.command
        switch action {
        case .reload:
            let source = source
            do {
                command = try await Blocking.run { try source.read() }
                answer.notes += source.notes
                try await change(to: command, &answer)
            } catch {
                throw CommandFailure(error).ofConfiguration
            }
            return answer
        case .allowClient(let name, let key, let words):
            try folder.changing {
                let content = try ClientsFile(folder).adding([name, key] + words)
                try folder.write(content, to: ClientsFile.fileName)
            }
            answer.notes.append("\(name) may connect")
            return answer
        case .revokeClient(let name):
            try folder.changing {
                let content = try ClientsFile(folder).removing(name)
                try folder.write(content, to: ClientsFile.fileName)
            }
            answer.notes.append("\(name) is cut off")
            return answer
        case .policy, .formerPolicy, .shadow, .promote, .rollback:
            let (latest, promotion) = state.withLock { ($0.policyChange, $0.promotion) }
            let before = command.policies
            command.policies = try before.changed(
                by: action, after: latest, promotion: promotion)
            try await change(to: command, &answer)
            state.withLock {
                $0.promotion = PolicyTexts.promotion(after: action, before, known: promotion)
            }
            return answer
        case .record(let file): command.record = file
        case .stopRecording: command.record = nil
        case .addPath, .removePath, .setPath, .addForward, .removeForward: return answer
        }
        try await change(to: command, &answer)
        return answer
    }

    /// Checks all of a command line, then makes what is different.
    private func change(to wanted: ServeCommand, _ answer: inout ControlAnswer) async throws {
        let former = choices
        let differences = former.command.differences(to: wanted)
        answer.changes = differences
        let command = wanted.keeping(differences)
        let choices = try await Blocking.run { try ServeChoices(command) }
        // What may fail comes first.
        let recordsElsewhere =
            command.record != former.command.record
            || command.recordRules != former.command.recordRules
        let recording =
            recordsElsewhere ? try await Blocking.run { try choices.recording() } : nil
        do {
            try allowances.setUsual(choices.limits)
            if command.publicAddress != former.command.publicAddress {
                let places =
                    choices.publicAddresses ?? PublicAddresses(listening: server.localAddresses)
                try places.save(in: folder)
            }
        } catch {
            recording?.discard()
            throw error
        }
        let (services, ended) = state.withLock { state in
            let ended = recordsElsewhere ? state.recording : nil
            if recordsElsewhere { state.recording = recording }
            state.choices = choices
            if let change = differences.first(where: { $0.key == "serve.policy" }) {
                state.policyChange = change
            }
            return (Array(state.services.values), ended)
        }
        for service in services {
            service.forwards.setRules(rules(of: service.client))
        }
        server.setDefaults(
            policy: choices.policy, model: choices.model, connection: choices.connection)
        if recordsElsewhere {
            ended?.freeze()
            server.setRecorder(recording?.recorder)
            keep(recording)
        }
        takePolicy(choices, former, &answer)
        if let ended {
            do { try await Blocking.run { try ended.complete() } } catch {
                answer.notes.append(CommandFailure(error).message)
            }
        }
    }

    /// Lets present sessions go on with other policies, or other models of theirs.
    private func takePolicy(
        _ choices: ServeChoices, _ former: ServeChoices, _ answer: inout ControlAnswer
    ) {
        var sessions = server.present
        if choices.policies.promotes(former.policies) {
            let shadow = former.policies.judging.shadow
            sessions.removeAll { $0.promoteShadow(shadow) }
        }
        takePolicy(choices, former, in: sessions, &answer)
        guard !choices.policies.judges(as: former.policies) else { return }
        for session in sessions { session.setJudging(choices.policies.judging) }
        choices.policies.noteShadow(in: &answer)
    }

    private func takePolicy(
        _ choices: ServeChoices, _ former: ServeChoices, in sessions: [Session],
        _ answer: inout ControlAnswer
    ) {
        let isOther = choices.policy != former.policy
        guard isOther || choices.model?.hash != former.model?.hash else { return }
        var problems: Set<String> = []
        for session in sessions {
            do throws(LearningError) {
                if isOther || choices.model == nil {
                    try session.replacePolicy(choices.policy, model: choices.model)
                } else if let model = choices.model, session.status().modelHash != model.hash {
                    try session.replaceModel(model)
                }
            } catch {
                problems.insert("a present session keeps its policy: \(error)")
            }
        }
        answer.notes += problems.sorted()
        if !answer.changes.contains(where: { $0.key == "serve.policy" }) {
            answer.notes.append("the policy continues with the other model")
        }
    }
}
