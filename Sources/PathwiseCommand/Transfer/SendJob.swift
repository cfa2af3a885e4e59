import PathLearning
import PathNetwork
import PathReport
import PathTelemetry
import PathTransport
import Pathwise

/// One run of `send`: connect, send every item, report.
struct SendJob {
    private let command: SendCommand
    private let inputs: [[UInt8]]
    private let options: ClientOptions
    /// Followed while data flows; nil where the policy was given by its name.
    private let modelFile: String?

    init(_ command: SendCommand) throws {
        self.command = command
        guard !command.inputs.isEmpty else {
            throw CommandFailure("nothing to send; name a file, a directory, or -", .usage)
        }
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen()
        inputs = command.inputs.map { RawArguments.bytes(of: $0) }
        // One that cannot be read does not keep the others; if none can, nobody need be called.
        let problems = inputs.compactMap { ItemFeed.problem(with: $0) }
        if problems.count == inputs.count, let problem = problems.first {
            throw CommandFailure(transfer: problem)
        }
        let policy = try PolicyArgument(parsing: command.policy)
        if case .model(let file) = policy { modelFile = file } else { modelFile = nil }
        options = try SendJob.options(command, policy)
    }

    private static func options(
        _ command: SendCommand, _ policy: PolicyArgument
    ) throws -> ClientOptions {
        let key = try command.transfer.privateKey()
        let peer = try PeerKeyArgument.parse(command.peer, option: "--peer")
        guard !command.to.isEmpty else { throw CommandFailure("give --to HOST:PORT", .usage) }
        let planner = PathPlanner(
            remotes: try AddressArgument.servers(command.to), rules: try rules(command.path),
            excluded: try command.interfaces.excluded())
        let interfaces = try InterfaceWatcher.list(includingLoopback: true)
        let plans = planner.plans(interfaces)
        guard !plans.isEmpty else { throw InterfaceOptions.noneUsable(planner, interfaces) }
        let (specification, model, _) = try policy.load()
        let names = plans.map(\.name)
        var options = ClientOptions(
            identity: ClientIdentity(
                key: key, peer: peer, presharedKey: try command.transfer.presharedKey()),
            plans: plans, policy: try specification.resolved(names: names))
        options.model = model
        options.planner = planner
        options.connection = try command.transfer.connection()
        options.connection.seed = command.seed
        options.recorder = try command.transfer.recorder()
        return options
    }

    private static func rules(_ texts: [String]) throws -> [PathPlanner.Rule] {
        let paths = try texts.map { text in
            do throws(SyntaxProblem) {
                return try PathArgument(parsing: text)
            } catch {
                throw CommandFailure("--path '\(text)': \(error)", .usage)
            }
        }
        do throws(SyntaxProblem) {
            try PathArgument.check(paths)
        } catch {
            throw CommandFailure("--path: \(error)", .usage)
        }
        return try paths.map { path in
            let remote = try path.remote.map { try AddressArgument.resolve($0, option: "--path") }
            let source: PathPlanner.Source =
                switch path.source {
                case .interface(let name): .interface(name)
                case .address(let address): .address(address)
                }
            return PathPlanner.Rule(
                name: path.name, source: source, remote: remote, traits: path.traits)
        }
    }

    // MARK: run

    func run() async throws {
        let session: ClientSession
        do {
            session = try ClientSession.start(options)
        } catch {
            throw CommandFailure(transfer: error)
        }
        Interruption.whenInterrupted { _ in Task { await session.close() } }
        let follower = modelFile.map { file in
            HangUp.install()
            return Task { await session.followModel(file, requests: { HangUp.requests }) }
        }
        defer { follower?.cancel() }
        let counter = TransferCounter()
        let results = SendResults(json: command.output.json)
        let display = Task { await showProgress(session, counter) }
        var failure: CommandFailure?
        do {
            try await session.waitUntilEstablished()
            try await session.send(
                ItemFeed(inputs), progress: { counter.add($0) }, report: { results.add($0) })
        } catch {
            failure = CommandFailure(transfer: error)
        }
        let status = session.status()
        if failure == nil { await session.close() }
        display.cancel()
        await display.value
        let trace = closeTrace(session)
        if let signal = Interruption.signal { failure = .interrupted(by: signal) }
        if failure == nil || status.statistics.streamBytesSent > 0 || !results.isEmpty {
            let isComplete = failure == nil && !results.hasFailures
            try report(status, results, counter, trace: trace, isComplete: isComplete)
        }
        if let failure { throw failure }
        try results.check()
    }

    private func showProgress(_ session: ClientSession, _ counter: TransferCounter) async {
        var display = ProgressDisplay()
        guard display.isActive, !command.output.json else { return }
        let inputs = inputs
        let measuring = Task.detached { counter.setTotal(ItemFeed.size(of: inputs) ?? 0) }
        defer { measuring.cancel() }
        var rate = RateMeter()
        while !Task.isCancelled {
            let status = session.status()
            let sent = counter.bytes
            rate.add(sent, at: status.elapsed)
            let head =
                counter.total.map {
                    ProgressDisplay.bar(
                        "sending", done: Int(clamping: sent), of: Int(clamping: $0))
                } ?? "sending"
            display.update(
                ["\(head)  \(SessionSummary.bytes(sent))  \(SessionSummary.rate(rate.value))"]
                    + SessionSummary.liveLines(status))
            try? await Task.sleep(for: .milliseconds(200))
        }
        display.clear()
    }

    /// Completes the trace; what went wrong with it is said, and does not fail the transfer.
    private func closeTrace(_ session: ClientSession) -> String? {
        guard let recorder = session.recorder else { return nil }
        recorder.end()
        do {
            try recorder.close()
        } catch {
            try? Console.standardError.write(
                "pathwise: the recording is not complete: \(error)\n")
        }
        return command.transfer.record
    }

    private func report(
        _ status: SessionStatus, _ results: SendResults, _ counter: TransferCounter,
        trace: String?, isComplete: Bool
    ) throws {
        let seconds = max(1e-9, status.elapsed.seconds)
        let goodput = Double(counter.bytes) / seconds
        if command.output.json {
            try results.finish(
                [
                    ("complete", .bool(isComplete)),
                    ("bytes", .int(Int64(clamping: counter.bytes))),
                    ("goodput_bits_per_second", .number(goodput * 8)),
                    ("trace", trace.map { .string($0) } ?? .null),
                ] + results.counts + SessionSummary.json(status))
            return
        }
        var lines = results.lines
        lines.append(
            "\(isComplete ? "sent" : "handed over") \(SessionSummary.bytes(counter.bytes)) "
                + "in \(SessionSummary.fixed(seconds, 2)) s: "
                + "\(SessionSummary.rate(goodput)), policy \(status.policy), "
                + "\(status.statistics.failovers) failovers")
        lines.append(SessionSummary.table(status))
        lines += SessionSummary.changeLines(status)
        lines += SessionSummary.modelLines(status)
        lines += results.notes
        if let trace { lines.append("recorded to \(trace)") }
        try Console.standardOutput.write(lines.joined(separator: "\n") + "\n")
    }
}
