import PathForward
import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

/// One run of `forward`: it listens, and keeps a session to the server until it is interrupted.
struct ForwardJob {
    private let setup: Setup
    private let forwarder: Forwarder
    private let modelFile: String?
    private let meter: UsageMeter?
    private let log: ForwardLog
    private let feed: StatusFeed
    private let failures = FailureNotes()

    /// What every session is made from.
    private struct Setup: Sendable {
        var command: ForwardCommand
        var identity: ClientIdentity
        /// Addresses of the server when this process began.
        var remotes: [SocketAddress]
        var rules: [PathPlanner.Rule]
        var excluded: [String]
        var policy: PolicySpecification
        var model: Model?
        var connection: ConnectionConfiguration
        var recorder: SessionRecorder?
        /// Knows which paths must not be opened; nil without caps.
        var meter: UsageMeter?

        /// The options of one attempt, with the server's present addresses.
        func options() throws(SessionError) -> ClientOptions {
            // A name that cannot be resolved now keeps its former addresses.
            let known = try? command.server.resolved(presharedKey: identity.presharedKey).remotes
            let planner = PathPlanner(
                remotes: known ?? remotes, rules: rules, excluded: excluded)
            var options = try ClientOptions(identity: identity, planner: planner, policy: policy)
            options.model = model.map { .given($0) } ?? .untrained
            options.connection = connection
            options.recorder = recorder
            if let meter { try options.leaveOut(meter.stopped) }
            return options
        }
    }

    static func run(_ command: ForwardCommand) async throws {
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen(
            for: "and the log goes there; open it, or send it to a file")
        DescriptorLimit.raise()
        // SIGHUP loads a model again, and ends nothing without one.
        HangUp.install()
        let job = try ForwardJob(command)
        try await job.run()
    }

    private init(_ command: ForwardCommand) throws {
        let specs = try ForwardJob.specs(command)
        let shared = try command.psk.map { try KeyFile.readPresharedKey(from: $0) }
        let (identity, remotes) = try command.server.resolved(presharedKey: shared)
        let paths = try PathArgument.parse(command.path)
        let rules = try paths.map { try $0.rule() }
        try ForwardJob.checkNames(
            in: PathPlanner(remotes: remotes, rules: rules), for: identity)
        let policy = try PolicyArgument(parsing: command.policy ?? PolicyArgument.standard)
        if case .model(let file) = policy { modelFile = file } else { modelFile = nil }
        let (specification, model, _) = try policy.load()
        var connection = try ConnectionArgument.configuration(
            idleTimeout: command.hold ?? ConnectionArgument.hold, option: "--hold",
            congestion: command.congestion)
        connection.prepareForForwards()
        let log = ForwardLog(json: command.format.json)
        self.log = log
        meter = try PathArgument.meter(paths, state: command.server.state.state) { log.cap($0) }
        setup = Setup(
            command: command, identity: identity, remotes: remotes,
            rules: rules,
            excluded: try command.interfaces.excluded(), policy: specification, model: model,
            connection: connection,
            // Last of all, because it makes a file.
            recorder: nil, meter: meter)
        forwarder = try Forwarder(specs) { [failures] failure in
            let kind = FailureNotes.Kind(code: failure.result.code.name)
            guard failures.note(kind, failure.target, now: MonotonicClock.now()) else { return }
            // The thread of the flow must not wait for the log's reader.
            Task { log.failed(failure) }
        }
        feed = StatusFeed(command: "forward", name: command.server.server)
    }

    /// Refuses paths of which none has an interface that exists: at the start a name is more likely
    /// mistyped than a modem is late.
    private static func checkNames(
        in planner: PathPlanner, for identity: ClientIdentity
    ) throws {
        let interfaces = try InterfaceWatcher.list(includingLoopback: true)
        let areUnknown = planner.rules.allSatisfy { rule in
            if case .noInterface = planner.cause(of: rule, interfaces) { true } else { false }
        }
        guard !planner.rules.isEmpty, areUnknown else { return }
        // It says which names, and which interfaces exist.
        _ = try ClientOptions(identity: identity, planner: planner, policy: .minRTT)
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
        return specs
    }

    // MARK: run

    private func run() async throws {
        var setup = setup
        do {
            setup.recorder = try ConnectionArgument.recorder(setup.command.record)
        } catch {
            forwarder.close()
            throw error
        }
        let recorder = setup.recorder
        let persistent = PersistentSession { [setup] () throws(SessionError) in
            try setup.options()
        }
        Interruption.whenInterrupted { _ in Task { await persistent.close() } }
        offerStatus(of: persistent)
        log.listening(forwarder.forwards)
        let reporting = Task { [log] () -> SessionError? in
            for await status in persistent.changes {
                if let error = ForwardJob.lastError(of: status) {
                    await persistent.close()
                    return error
                }
                log.changed(status)
            }
            return nil
        }
        let counting = Task { [log, failures] in await log.follow(failures) }
        for await session in persistent.sessions { await use(session) }
        counting.cancel()
        forwarder.close()
        await meter?.close()
        let refusal = await reporting.value
        feed.close()
        if let recorder {
            recorder.end()
            do throws(TraceError) { try recorder.close() } catch {
                throw CommandFailure(recording: error)
            }
        }
        if let failure = log.failure { throw failure }
        if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
        if let refusal { throw refusal }
    }

    /// Refusals in a row after which a client that had a session before gives up.
    ///
    /// That takes about four minutes: refusals are not authenticated, and somebody may be repairing
    /// the server's list.
    private static let patience = 10

    /// Why there is no point in another attempt; nil if there is.
    ///
    /// That is so when the server has withdrawn this client's key, or refuses it from the beginning.
    static func lastError(of status: PersistentStatus) -> SessionError? {
        guard case .waiting = status.phase, let error = status.lastError else { return nil }
        switch error {
        case .ended(let reason) where reason.isWithdrawal: return error
        case .ended(.refused(.unknownClient)), .ended(.refused(.presharedKey)):
            return status.sessions == 0 || status.refusals >= patience ? error : nil
        default: return nil
        }
    }

    /// Forwards over a session until it has ended.
    private func use(_ session: Session) async {
        let number = feed.add(session)
        meter?.follow(session)
        let follower = modelFile.map { file in
            HangUp.install()
            return Task { await session.followModel(file, requests: { HangUp.requests }) }
        }
        log.connected(session)
        forwarder.attach(session)
        let watch = Task { [log, forwarder] in await log.follow(forwarder) }
        let outages = Task { [log] in await log.followPaths(of: session) }
        _ = await session.waitUntilEnded()
        forwarder.detach()
        watch.cancel()
        outages.cancel()
        follower?.cancel()
        feed.remove(number)
        if log.failure != nil { await session.close() }
    }

    /// Lets `pathwise status` show this run.
    private func offerStatus(of persistent: PersistentSession) {
        feed.setMeter(meter)
        feed.setLink { persistent.status }
        let forwarder = forwarder
        feed.setFlows { forwarder.forwards.map { FlowReport($0) } }
        feed.open(state: setup.command.server.state.state)
    }
}
