import Glibc
import PathForward
import PathNetwork
import PathReport
import PathTelemetry
import PathTransport
import Pathwise

/// One run of `serve`: it serves every client until it is interrupted.
struct ServeJob {
    /// How often the files of the state folder are looked at.
    private static let watchInterval = Duration.milliseconds(250)

    private let setup: ServeSetup
    private let server: Server
    private let log: ServeLog
    private let sessions = SessionTable()
    private let allowances: AllowanceTable
    private let failures: FailureNotes
    /// Serves the sockets of all forwards.
    private let loop: FlowLoop
    private let status: ServeStatus
    private let live: LiveServe

    /// A client that has just enrolled and leaves within this time has only tried its new key.
    private static let trial = Duration.seconds(1)

    /// Within this time a change of the files is known to the server.
    private static let reading = Duration.seconds(2)

    /// Problems of files that are named one by one.
    private static let problemLimit = 20

    /// When a client has returned, its earlier sessions that stay silent for this long are over: their
    /// process was killed, as a living one answers probes every ten seconds.
    private static let silence = Duration.seconds(4)

    /// - Parameters:
    ///   - command: with what its file says.
    ///   - line: as the command line has it.
    static func run(_ command: ServeCommand, line: ServeCommand) async throws {
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen(
            for: "and the log goes there; open it, or send it to a file")
        DescriptorLimit.raise()
        // Before anything is printed: whoever has read a line may ask for a reload.
        HangUp.install()
        let setup = try ServeSetup(command)
        let recording = try setup.choices.recording()
        let loop = try FlowLoop()
        defer { loop.stop() }
        let log = try ServeLog(command.format)
        let failures = FailureNotes()
        let server = try Server(
            setup.configuration, listen: setup.addresses,
            recorder: recording?.recorder,
            onRefusal: { [admission = setup.admission] client in
                let arrival = MonotonicClock.now()
                // The server's thread must not wait for the log's reader.
                Task {
                    // A token or a line of a moment ago may not have been read yet, and then the
                    // client's next attempt, which it makes within this time, succeeds.
                    try? await Task.sleep(for: ServeJob.reading)
                    let kind = FailureNotes.Kind(code: "refused")
                    guard let reason = admission.refusal(of: client, at: arrival),
                        failures.note(kind, client.remote.host, now: MonotonicClock.now())
                    else { return }
                    log.refused(client, reason)
                }
            })
        let allowances = AllowanceTable(
            state: setup.state.folder.path, usual: setup.choices.limits)
        let live = LiveServe(
            setup, ConfigSource(line), server: server, recording: recording, allowances: allowances)
        let job = ServeJob(
            setup: setup, server: server, log: log, loop: loop, failures: failures,
            allowances: allowances, live: live)
        do {
            let watch = try job.status.watch(
                at: setup.watchPlace, state: setup.state.folder.path)
            if let watch, setup.watchPlace?.token == nil { live.withhold(watch.address) }
            log.watched(by: watch)
            try job.greet()
            live.keepRecording(log)
        } catch {
            job.status.close()
            await server.close()
            throw error
        }
        await job.serve()
        setup.lock.release()
        try live.close()
        if let failure = job.log.failure { throw failure }
        if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
    }

    private init(
        setup: ServeSetup, server: Server, log: ServeLog, loop: FlowLoop, failures: FailureNotes,
        allowances: AllowanceTable, live: LiveServe
    ) {
        self.loop = loop
        self.failures = failures
        self.allowances = allowances
        self.live = live
        status = ServeStatus(state: setup.state.folder.path)
        self.setup = setup
        self.server = server
        self.log = log
    }

    /// Says where it listens, and prints a token if nobody could ever connect otherwise.
    private func greet() throws {
        log.listening(on: server.localAddresses, key: setup.state.key.publicKey)
        report(setup.admission.reload().problems)
        let places =
            setup.choices.publicAddresses ?? PublicAddresses(listening: server.localAddresses)
        try places.save(in: setup.state.folder)
        let addresses = try places.now()
        let waiting = setup.admission.tokenCount(now: InviteText.now())
        let clients = setup.admission.clientCount
        if clients > 0, setup.state.isNew {
            log.problem(
                "the folder has \(NumberText.counted(clients, "client")) but had no server.key, so a new "
                    + "key was made, which they do not know; restore the old file, or let them join "
                    + "again ('pathwise invite')")
        }
        if clients > 0 { return }
        guard waiting == 0 else {
            log.note(
                "no client has joined yet; a token that was made before is still good, and "
                    + "'pathwise invite' makes another")
            return
        }
        let (line, token) = try setup.state.invite(
            name: nil, addresses: addresses, lifetime: setup.choices.lifetime)
        reload(repeats: false)
        log.invited(line, token, hint: addresses.hint)
        if let warning = addresses.warning { log.problem(warning) }
        guard let failure = log.failure else { return }
        // Nobody has seen the token; the next start makes another.
        _ = try setup.state.folder.changing {
            try PendingTokens.take(
                token.enrolment.publicKey, from: setup.state.folder, now: InviteText.now())
        }
        throw failure
    }

    private func allow() {
        server.setClients(
            setup.admission.keys(now: InviteText.now()), suspended: setup.admission.suspended)
    }

    // MARK: run

    private func serve() async {
        let store = setup.store
        Interruption.whenInterrupted { [server] _ in
            store?.cancel()
            Task { await server.close() }
        }
        let watch = Task { await watchFiles() }
        let counting = Task { await countClients() }
        let desk = ControlDesk(
            process: "serve", perform: { try await perform($0) },
            note: { [log, status] answer in
                log.changed(answer)
                status.note(answer)
            })
        status.setChange { desk.submit($0, by: $1, reply: $2) }
        let reloading = Task { await desk.followSignal() }
        await withDiscardingTaskGroup { group in
            for await session in server.sessions {
                group.addTask { await serve(session) }
            }
        }
        watch.cancel()
        counting.cancel()
        reloading.cancel()
        desk.close()
        for (client, change) in allowances.close() { log.cap(change, of: client) }
        log.countRepeated(isLast: true)
        status.close()
    }

    private func serve(_ session: Session) async {
        switch setup.admission.role(of: session.peerKey) {
        case .client(let client): await serve(session, of: client)
        case .newcomer: await enrol(session)
        case nil: await session.close()
        }
        if log.failure != nil { await server.close() }
    }

    private func serve(_ session: Session, of client: ServedClient) async {
        // Nobody is told that an earlier one has no path when this one has shown why.
        let earlier = sessions.doubtAll(of: client.key, for: ServeJob.silence + .seconds(1))
        let clearing = Task { await clear(earlier) }
        defer { clearing.cancel() }
        guard await takePlace(session, of: client) else {
            await refuse(session, of: client)
            return
        }
        defer { sessions.remove(session) }
        let isNew = setup.admission.takeNew(client.key)
        if !isNew { log.joined(client.name, session) }
        let announcing = Task {
            guard isNew else { return true }
            guard (try? await Task.sleep(for: ServeJob.trial)) != nil else { return false }
            log.joined(client.name, session)
            return true
        }
        let forwards = ForwardService(
            session, on: loop, rules: live.rules(of: client),
            allowance: allowance(of: client),
            onFailure: { [log, failures] failure in
                let kind = FailureNotes.Kind(client: client.name, code: failure.code)
                let now = MonotonicClock.now()
                guard failures.note(kind, failure.subject, now: now) else { return }
                // The thread of the flow must not wait for the log's reader.
                Task { log.failed(failure, of: client) }
            })
        let shown = status.add(
            session, client.name, forwards, use: { [allowances] in allowances.use(of: client.key) })
        let changes = Task { await log.followChanges(of: session, client.name) }
        defer { changes.cancel() }
        await live.serve(client, forwards) {
            await ClientService(client: client, forwards: forwards, store: setup.store, log: log)
                .run()
        }
        status.remove(shown)
        announcing.cancel()
        let wasAnnounced = await announcing.value
        guard wasAnnounced || forwards.totals.flows > 0 else { return }
        log.left(client.name, session, forwards.totals, endedFor: sessions.end(of: session))
    }

    /// Takes one of the client's places for a session; returns false if none becomes free.
    ///
    /// If all are taken, it waits until each session that has one has answered, or those of killed
    /// processes were cleared.
    private func takePlace(_ session: Session, of client: ServedClient) async -> Bool {
        let asked = ContinuousClock.now
        let limit = live.choices.sessionsPerClient
        while !sessions.add(session, of: client.name, limit: limit) {
            let waited = asked.duration(to: .now)
            let isAnswered = sessions.all(of: client.key).allSatisfy {
                $0.status().silence < waited
            }
            guard !isAnswered, waited < ServeJob.silence * 2, session.closeReason == nil,
                (try? await Task.sleep(for: .milliseconds(20))) != nil
            else { return false }
        }
        return true
    }

    /// Ends a session for which its client has no place, and says why on both sides.
    private func refuse(_ session: Session, of client: ServedClient) async {
        guard session.closeReason == nil else { return }
        let remote = session.status().paths.first?.remote ?? "an unknown address"
        let limit = live.choices.sessionsPerClient
        await session.close(
            .sessionLimit(
                "it has \(NumberText.counted(limit, "session")) there, the limit; end one of "
                    + "them, or raise 'serve --sessions-per-client'"))
        let kind = FailureNotes.Kind(client: client.name, code: ServeLog.sessionLimit)
        guard failures.note(kind, "\(limit)", now: MonotonicClock.now()) else { return }
        log.refusedSession(of: client, from: remote, limit: limit)
    }

    /// The client's allowance; if the bytes that it has moved are not known, it may move none.
    private func allowance(of client: ServedClient) -> Allowance {
        do throws(UsageError) {
            return try allowances.allowance(of: client)
        } catch {
            log.problem("\(error); until then \(client.name) may forward nothing")
            return Allowance(ClientLimits(byteCap: 0), now: MonotonicClock.now())
        }
    }

    /// Closes the earlier sessions of a client that has returned, unless they answer.
    ///
    /// So a client that was killed finds its listeners free again, long before `--hold` is over.
    private func clear(_ earlier: [Session]) async {
        guard !earlier.isEmpty else { return }
        let asked = ContinuousClock.now
        for _ in 0..<2 {
            for session in earlier { session.probe() }
            guard (try? await Task.sleep(for: ServeJob.silence / 2)) != nil else { return }
        }
        for session in earlier {
            // One that has answered since was silent for less than it was waited for.
            let silence = session.status().silence
            guard silence >= asked.duration(to: .now) else { continue }
            let reason = "it stopped answering, and another session of its client has begun"
            sessions.noteEnd(of: session, reason)
            Task { await session.close(.done(reason)) }
        }
    }

    private func enrol(_ session: Session) async {
        let token = session.peerKey
        let remotes = session.status().paths.map(\.remote)
        let remote = remotes.first ?? "an unknown address"
        let outcome = await Enrolment.serve(session) { key, name in
            let given = try setup.admission.enrol(
                token: token, as: key, name: name, from: remotes, now: InviteText.now())
            allow()
            if let given { log.enrolled(given, key, from: remote) }
            return given
        }
        // Another newcomer with the same token may still wait for the answer that it is used for.
        if case .enrolled = outcome {
            setup.admission.answered(token)
            allow()
        }
        if case .refused(let reason) = outcome {
            log.refusedEnrolment(from: remote, reason)
        }
    }

    // MARK: files

    /// Makes a change that somebody asks for; the lists of clients are read again in any case.
    private func perform(_ action: ControlAction) async throws -> ControlAnswer {
        defer {
            switch action {
            case .reload: reload(repeats: true)
            case .allowClient, .revokeClient: reload(repeats: false)
            default: break
            }
        }
        return try await live.perform(action)
    }

    /// Counts the bytes of clients with caps until the task is cancelled.
    private func countClients() async {
        var pace = CountingPace()
        while !Task.isCancelled {
            let (bytes, changes) = allowances.count()
            for (client, change) in changes { log.cap(change, of: client) }
            try? await Task.sleep(for: pace.pause(after: bytes))
        }
    }

    /// Takes changes of the files until the task is cancelled, reports outages, and lets tokens expire.
    private func watchFiles() async {
        let files = [ClientsFile.fileName, PendingTokens.fileName].map(setup.state.folder.file)
        var watch = FileWatch(files, requests: 0)
        while !Task.isCancelled {
            switch watch.look(requests: 0) {
            case .changed, .asked: reload(repeats: false)
            case .nothing: if setup.admission.dropExpired(now: InviteText.now()) { allow() }
            }
            for rest in failures.rest(now: MonotonicClock.now()) { log.rest(rest) }
            log.countRepeated()
            for (client, key, change) in sessions.outages() { log.outage(change, of: client, key) }
            try? await Task.sleep(for: ServeJob.watchInterval)
        }
    }

    /// - Parameter repeats: whether somebody asked, and wants to know everything again.
    private func reload(repeats: Bool) {
        let change = setup.admission.reload(repeats: repeats)
        let concerned = change.changed.flatMap { key in
            sessions.all(of: key).map { (session: $0, reason: setup.admission.end(of: key)) }
        }
        for (session, reason) in concerned { sessions.noteEnd(of: session, reason) }
        allow()
        // A client whose line has changed connects again, under its new rules.
        for (session, reason) in concerned {
            Task { await session.close(.done(reason)) }
        }
        report(change.problems)
        if change.isNew || repeats { log.reloaded(clients: setup.admission.clientCount) }
    }

    private func report(_ problems: [String]) {
        for problem in problems.prefix(ServeJob.problemLimit) { log.problem(problem) }
        let rest = problems.count - ServeJob.problemLimit
        if rest > 0 { log.problem("\(rest) more lines of these files have mistakes") }
    }
}
