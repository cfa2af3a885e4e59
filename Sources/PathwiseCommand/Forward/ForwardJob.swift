import PathForward
import PathNetwork
import PathTelemetry
import PathTransport
import PathWatch
import Pathwise

/// One run of `forward`: it listens, and keeps a session to the server until it is interrupted.
struct ForwardJob {
    private let live: LiveForward
    private let state: String?
    private let log: ForwardLog
    private let feed: StatusFeed
    private let desk: ControlDesk
    private let failures: FailureNotes
    /// Where it can be watched; nil nowhere.
    private let watchPlace: (address: WatchAddress, token: WatchToken?)?

    /// - Parameters:
    ///   - command: with what its file says.
    ///   - line: as the command line has it.
    static func run(_ command: ForwardCommand, line: ForwardCommand) async throws {
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen(
            for: "and the log goes there; open it, or send it to a file")
        DescriptorLimit.raise()
        // SIGHUP reads the file and the model again, and ends nothing.
        HangUp.install()
        let job = try ForwardJob(command, line)
        try await job.run()
    }

    private init(_ command: ForwardCommand, _ line: ForwardCommand) throws {
        let setup = try ForwardSetup(command)
        watchPlace = try command.watch.place()
        let log = try ForwardLog(command.format)
        let failures = FailureNotes()
        let feed = StatusFeed(command: "forward", name: command.server.label)
        let live = try LiveForward(setup, ConfigSource(line), log: log, feed: feed) { failure in
            let kind = FailureNotes.Kind(code: failure.code)
            guard failures.note(kind, failure.subject, now: MonotonicClock.now()) else { return }
            // The thread of the flow must not wait for the log's reader.
            Task { log.failed(failure) }
        }
        self.log = log
        self.failures = failures
        self.feed = feed
        self.live = live
        state = command.server.state.state
        desk = ControlDesk(
            process: "forward", perform: { try await live.perform($0) },
            note: { answer in
                log.changed(answer)
                feed.note(answer)
            })
    }

    // MARK: run

    private func run() async throws {
        do {
            log.watched(by: try feed.watch(at: watchPlace, state: state))
            try live.startRecording()
        } catch {
            feed.close()
            live.forwarder.close()
            throw error
        }
        let persistent = PersistentSession { [live] () throws(SessionError) in
            try live.options()
        }
        Interruption.whenInterrupted { _ in Task { await persistent.close() } }
        offerStatus(of: persistent)
        log.listening(live.forwarder.forwards)
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
        let reloading = Task { [desk] in await desk.followSignal() }
        for await session in persistent.sessions { await use(session) }
        counting.cancel()
        reloading.cancel()
        desk.close()
        let refusal = await reporting.value
        feed.close()
        log.countRepeated(isLast: true)
        try await live.close()
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
        log.connected(session)
        let watch = Task { [log, live] in await log.follow(live.forwarder) }
        let outages = Task { [log] in await log.followPaths(of: session) }
        let changes = Task { [log] in await log.followChanges(of: session) }
        await live.use(session)
        watch.cancel()
        outages.cancel()
        changes.cancel()
        feed.remove(number)
        if log.failure != nil { await session.close() }
    }

    /// Lets `pathwise status` show this run, and `reload` and `control` change it.
    private func offerStatus(of persistent: PersistentSession) {
        feed.setLink { persistent.status }
        let forwarder = live.forwarder
        feed.setFlows {
            (forwarder.forwards + forwarder.leavingForwards).map { FlowReport($0) }
        }
        feed.setChange { [desk] in desk.submit($0, by: $1, reply: $2) }
        feed.open(state: state)
    }
}
