import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

/// One run of `send`: connect, send every item, report.
struct SendJob {
    private let command: SendCommand
    private let inputs: [[UInt8]]
    private let options: ClientOptions
    /// The model file to watch while data flows; nil if the policy was given by its name.
    private let modelFile: String?
    /// Counts the bytes of paths with a cap; nil if none has one.
    private let meter: UsageMeter?

    /// The most items not begun that are named when a run fails.
    private static let mostUnsent = 10_000

    /// Runs the whole command.
    ///
    /// With `--json` the object is always printed, unless the command line is invalid.
    static func run(_ command: SendCommand) async throws {
        // Before the session: a signal that comes while it starts ends it in order.
        Interruption.install()
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen()
        let inputs = command.inputs.map { RawArguments.bytes(of: $0) }
        let job: SendJob
        let session: Session
        do {
            job = try SendJob(command, inputs)
            session = try Session.start(job.options)
        } catch {
            let failure = CommandFailure(error)
            guard command.output.json, failure.status != .usage else { throw failure }
            let results = SendResults(json: true)
            let isAll = ItemFeed(inputs).giveUp(
                because: failure, limit: mostUnsent, report: { results.add($0) })
            try results.finish(failure, namesAll: isAll, [])
            throw failure
        }
        try await job.run(session)
    }

    private init(_ command: SendCommand, _ inputs: [[UInt8]]) throws {
        self.command = command
        self.inputs = inputs
        guard !inputs.isEmpty else {
            throw CommandFailure("nothing to send; name a file, a directory, or -", .usage)
        }
        guard !inputs.contains([]) else {
            throw CommandFailure(
                "the name of a file to send is empty; name a file, a directory, or -", .usage)
        }
        // An unreadable input does not stop the others; if none is readable, no connection is
        // needed.
        let problems = inputs.compactMap { ItemFeed.problem(with: $0) }
        if problems.count == inputs.count, let problem = problems.first {
            throw CommandFailure(problem)
        }
        let policy = try PolicyArgument(parsing: command.policy ?? PolicyArgument.standard)
        if case .model(let file) = policy {
            modelFile = file
            // Before the session: a reload may be asked for while it starts.
            HangUp.install()
        } else {
            modelFile = nil
        }
        let paths = try PathArgument.parse(command.path)
        var options = try SendJob.options(command, policy, paths)
        meter = try PathArgument.meter(paths, state: command.server.state.state) { change in
            try? Console.standardError.write("pathwise: \(change)\n")
        }
        if let meter { try options.leaveOut(meter.stopped) }
        options.memory = command.server.memory(of: options.identity)
        self.options = options
    }

    private static func options(
        _ command: SendCommand, _ policy: PolicyArgument, _ paths: [PathArgument]
    ) throws -> ClientOptions {
        let (identity, remotes) = try command.server.resolved(
            presharedKey: try command.transfer.presharedKey())
        let planner = PathPlanner(
            remotes: remotes, rules: try paths.map { try $0.rule() },
            excluded: try command.interfaces.excluded())
        let (specification, model, _) = try policy.load()
        var options: ClientOptions
        do throws(SessionError) {
            options = try ClientOptions(
                identity: identity, planner: planner, policy: specification)
        } catch {
            guard case .noPath(let interfaces) = error else { throw error }
            throw InterfaceOptions.noneUsable(planner, interfaces)
        }
        options.model = model
        options.connection = try command.transfer.connection()
        if let shadow = try PolicyArgument.shadow(command.shadow) {
            options.connection.judging = .shadow(shadow)
        }
        options.seed = command.seed
        options.recorder = try command.transfer.recorder()
        return options
    }

    // MARK: run

    private func run(_ session: Session) async throws {
        Interruption.whenInterrupted { _ in Task { await session.close() } }
        let follower = modelFile.map { file in
            Task { await session.followModel(file, requests: { HangUp.requests }) }
        }
        defer { follower?.cancel() }
        let counter = TransferCounter()
        let offered = offerStatus(of: session, counter)
        defer { offered.close() }
        meter?.follow(session)
        let results = SendResults(json: command.output.json)
        let display = Task { await showProgress(session, counter) }
        let feed = ItemFeed(inputs)
        var cause: (any Error)?
        do {
            try await session.waitUntilEstablished()
            try await session.send(
                feed, progress: { counter.add($0) }, waiting: { note(wait: $0, counter) },
                report: { results.add($0) })
        } catch {
            cause = error
        }
        let status = session.status()
        await meter?.close()
        // Also after Ctrl-C, so that the server knows at once; a session that has ended is no wait.
        await session.close()
        try? options.memory?.save()
        display.cancel()
        await display.value
        let trace = closeTrace()
        var namesAll = true
        if let cause, command.output.json {
            namesAll = feed.giveUp(
                because: cause, limit: SendJob.mostUnsent, report: { results.add($0) })
        }
        var failure = cause.map { CommandFailure($0) }
        if let signal = Interruption.signal { failure = .interrupted(by: signal) }
        let outcome = Outcome(
            status: status, results: results, handedOver: counter.bytes, trace: trace,
            failure: failure, namesAll: namesAll)
        if command.output.json {
            try outcome.printJSON()
        } else if failure == nil
            || !SendJob.isSessionLimit(cause)
                && (status.statistics.streamBytesSent > 0 || !results.isEmpty)
        {
            try outcome.printText()
        }
        if let failure { throw failure }
        try results.check()
    }

    /// Whether the server took nothing of this session, whose figures then say nothing.
    private static func isSessionLimit(_ cause: (any Error)?) -> Bool {
        if case SessionError.ended(let reason)? = cause { reason.isSessionLimit } else { false }
    }

    /// Lets `pathwise status` show this run.
    private func offerStatus(of session: Session, _ counter: TransferCounter) -> StatusFeed {
        let feed = StatusFeed(command: "send", name: command.server.label)
        let target = NumberText.counted(inputs.count, "item")
        _ = feed.add(session)
        feed.setMeter(meter)
        feed.setFlows {
            [FlowReport(kind: "files", target: target, open: 1, bytesSent: counter.bytes)]
        }
        feed.open(state: command.server.state.state)
        return feed
    }

    /// Reports a wait: in the progress display if it is shown, else on standard error.
    private func note(wait name: String, _ counter: TransferCounter) {
        counter.wait(for: name)
        guard !showsProgress else { return }
        try? Console.standardError.write("pathwise: \(SendJob.waiting(for: name))\n")
    }

    private static func waiting(for name: String) -> String {
        "waiting for data from \(name), to which nothing has been written yet"
    }

    private var showsProgress: Bool {
        ProgressDisplay(isWanted: !command.transfer.quiet && !command.output.json).isActive
    }

    private func showProgress(_ session: Session, _ counter: TransferCounter) async {
        var display = ProgressDisplay()
        guard showsProgress else { return }
        let inputs = inputs
        let measuring = Task.detached { counter.setTotal(ItemFeed.size(of: inputs) ?? 0) }
        defer { measuring.cancel() }
        var rate = RateMeter()
        while !Task.isCancelled {
            let status = session.status()
            let sent = counter.bytes
            rate.add(sent, at: TimeDelta(status.elapsed))
            let head =
                counter.total.map {
                    ProgressDisplay.bar(
                        "sending", done: Int(clamping: sent), of: Int(clamping: $0))
                } ?? "sending"
            let waits = sent == 0 ? counter.waitsFor.map { [SendJob.waiting(for: $0)] } : nil
            display.update(
                ["\(head)  \(SessionSummary.bytes(sent))  \(SessionSummary.rate(rate.value))"]
                    + (waits ?? []) + SessionSummary.liveLines(status))
            try? await Task.sleep(for: .milliseconds(200))
        }
        display.clear()
    }

    /// Completes the trace; a problem with it is reported but does not fail the transfer.
    private func closeTrace() -> String? {
        guard let recorder = options.recorder else { return nil }
        recorder.end()
        do {
            try recorder.close()
        } catch {
            try? Console.standardError.write(
                "pathwise: the recording is not complete: \(error)\n")
        }
        return command.transfer.record
    }
}
