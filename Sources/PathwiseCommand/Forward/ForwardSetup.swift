import PathForward
import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

/// What the sessions and listeners of a `forward` are made from: its command line, checked.
struct ForwardSetup: Sendable {
    let command: ForwardCommand
    private let recordingRules: RecordingRules
    let specs: [ForwardSpec]
    let paths: [PathArgument]
    let choice: PolicyChoice
    var policy: PolicySpecification { choice.policy }
    var model: Model? { choice.model }
    /// The file of the model, which is followed; nil for a named policy.
    var modelFile: String? { choice.modelFile }
    let identity: ClientIdentity
    private let connection: ConnectionConfiguration
    /// The rules of the paths, with the addresses of the server when this was made.
    let planner: PathPlanner

    /// Checks all of the command line; it may wait for the name server.
    init(_ command: ForwardCommand) throws {
        self.command = command
        recordingRules = try RecordingRules(option: command.recordRules)
        specs = try ForwardSetup.specs(command)
        let shared = try command.psk.map { try KeyFile.readPresharedKey(from: $0) }
        let (identity, remotes) = try command.server.resolvedIfPossible(presharedKey: shared)
        self.identity = identity
        paths = try PathArgument.parse(command.path)
        planner = PathPlanner(
            remotes: remotes, rules: try paths.map { try $0.rule() },
            excluded: try command.interfaces.excluded())
        choice = try PolicyChoice(command.policies, isWatched: command.watch.http != nil)
        var connection = try ConnectionArgument.configuration(
            idleTimeout: command.hold ?? ConnectionArgument.hold, option: "--hold",
            congestion: command.congestion)
        connection.prepareForForwards()
        connection.judging = choice.judging
        self.connection = connection
        try checkNames()
    }

    /// Refuses paths of which none has an interface that exists: now a name is more likely mistyped
    /// than a modem is late.
    private func checkNames() throws {
        let interfaces = try InterfaceWatcher.list(includingLoopback: true)
        let areUnknown = planner.rules.allSatisfy { rule in
            if case .noInterface = planner.cause(of: rule, interfaces) { true } else { false }
        }
        guard !planner.rules.isEmpty, areUnknown else { return }
        // It says which names, and which interfaces exist.
        _ = try ClientOptions(identity: identity, planner: planner, policy: .minRTT)
    }

    /// The options of one attempt.
    ///
    /// - Parameters:
    ///   - meter: knows which paths must not be opened; nil without caps.
    ///   - recorder: nil records nothing.
    func options(
        meter: UsageMeter?, recorder: SessionRecorder?
    ) throws(SessionError) -> ClientOptions {
        var planner = planner
        do {
            planner = PathPlanner(
                remotes: try command.server.remotes(), rules: planner.rules,
                excluded: command.interfaces.excludeInterface)
        } catch {
            // A name that cannot be resolved now keeps its former addresses.
            guard !planner.remotes.isEmpty else { throw error }
        }
        var options = try ClientOptions(identity: identity, planner: planner, policy: policy)
        options.model = model
        options.connection = connection
        options.recorder = recorder
        if let meter { try options.leaveOut(meter.stopped) }
        return options
    }

    /// Opens the recording of the command line, if there is one.
    func recording() throws -> ServiceRecording? {
        try ServiceRecording(command.record, recordingRules)
    }

    /// The caps of the paths, by name.
    var caps: [String: ByteCap] {
        Dictionary(
            paths.compactMap { path in path.cap.map { (path.name, $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    /// The forwards of the command line, with the defaults of its options.
    static func specs(_ command: ForwardCommand) throws -> [ForwardSpec] {
        guard !command.forwards.isEmpty || !command.reverseForward.isEmpty else {
            throw CommandFailure(
                "nothing to forward; name a port, as udp:51820, or a file with --config", .usage)
        }
        var defaults = FlowOptions()
        let given = [
            ("deadline", command.deadline), ("class", command.flowClass),
            ("ordered", command.ordered), ("redundancy", command.redundancy),
        ]
        for (name, value) in given {
            guard let value else { continue }
            if let problem = defaults.set(Substring(name), to: Substring(value)) {
                throw CommandFailure("--\(name) '\(value)': \(problem)", .usage)
            }
        }
        let forwards =
            command.forwards.map { ($0, command.reverse) }
            + command.reverseForward.map { ($0, true) }
        let specs = try forwards.map { text, isReverse in
            do throws(ForwardError) {
                return try ForwardSpec(parsing: text, defaults: defaults, isReverse: isReverse)
            } catch {
                throw CommandFailure("\(error)", .usage)
            }
        }
        for (name, value) in given where value != nil {
            let problems = specs.map {
                FlowOptions.problem(with: Substring(name), on: $0.kind)
            }
            // An option that has an effect on one of the forwards is right.
            guard let problem = problems.first ?? nil, !problems.contains(nil) else { continue }
            throw CommandFailure("--\(name): \(problem)", .usage)
        }
        try checkPorts(specs)
        return specs
    }

    /// Refuses two forwards of which only one can listen.
    private static func checkPorts(_ specs: [ForwardSpec]) throws {
        for (index, spec) in specs.enumerated() {
            guard let earlier = specs[..<index].first(where: { $0.collides(with: spec) }) else {
                continue
            }
            let texts =
                earlier.text == spec.text
                ? "'\(EscapedText(spec.text))' is given twice"
                : "'\(EscapedText(earlier.text))' and '\(EscapedText(spec.text))' listen on the same "
                    + "port"
            let transport = spec.kind == .udp ? "UDP" : "TCP"
            throw CommandFailure(
                "\(texts), \(transport) \(spec.listen.port); give each its own, as "
                    + "\(spec.kind):PORT"
                    + (spec.target.map { "=\($0)" } ?? ""), .usage)
        }
    }
}
