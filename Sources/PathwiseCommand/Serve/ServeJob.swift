import Glibc
import PathForward
import PathNetwork
import PathTransport
import Pathwise
import Synchronization

/// One run of `serve`: it serves every client until it is interrupted.
struct ServeJob {
    /// Sessions of one client at once; the oldest one ends when there are more, so that a client
    /// that restarts often does not take all places until its old sessions are over.
    private static let sessionsOfClient = 8
    /// How often the files of the state folder are looked at.
    private static let watchInterval = Duration.milliseconds(250)

    private let setup: ServeSetup
    private let server: Server
    private let log: ServeLog
    private let sessions = SessionTable()
    private let allowances = AllowanceTable()
    /// Serves the sockets of all forwards.
    private let loop: FlowLoop
    private let status: ServeStatus

    /// When a client has returned, its earlier sessions that stay silent for this long are over: their
    /// process was killed, as a living one answers probes every ten seconds.
    private static let silence = Duration.seconds(20)

    static func run(_ command: ServeCommand) async throws {
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen(
            for: "and the log goes there; open it, or send it to a file")
        DescriptorLimit.raise()
        let setup = try ServeSetup(command)
        let recorder = try ConnectionArgument.recorder(command.record)
        let loop = try FlowLoop()
        defer { loop.stop() }
        let server = try Server(
            setup.configuration, listen: setup.addresses, model: .untrained, recorder: recorder)
        let job = ServeJob(
            setup: setup, server: server, log: ServeLog(json: command.format.json), loop: loop)
        do {
            try job.greet()
        } catch {
            await server.close()
            throw error
        }
        await job.serve()
        setup.lock.release()
        if let recorder {
            recorder.end()
            do throws(TraceError) { try recorder.close() } catch {
                throw CommandFailure(recording: error)
            }
        }
        if let failure = job.log.failure { throw failure }
        if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
    }

    private init(setup: ServeSetup, server: Server, log: ServeLog, loop: FlowLoop) {
        self.loop = loop
        status = ServeStatus(state: setup.state.folder.path)
        self.setup = setup
        self.server = server
        self.log = log
    }

    /// Says where it listens, and prints a token if nobody could ever connect otherwise.
    private func greet() throws {
        log.listening(on: server.localAddresses, key: setup.state.key.publicKey)
        let addresses =
            try setup.publicAddresses ?? PublicAddresses.ofHost(listening: server.localAddresses)
        try addresses.save(in: setup.state.folder)
        let waiting = setup.admission.tokenCount(now: InviteText.now())
        if setup.admission.clientCount > 0 { return }
        guard waiting == 0 else {
            log.note(
                "no client has joined yet; a token that was made before is still good, and "
                    + "'pathwise invite' makes another")
            return
        }
        let (line, token) = try setup.state.invite(
            name: nil, addresses: addresses, lifetime: setup.lifetime)
        _ = try setup.admission.reload()
        allow()
        log.invited(line, token, hint: addresses.hint)
    }

    private func allow() { server.setClients(setup.admission.keys(now: InviteText.now())) }

    // MARK: run

    private func serve() async {
        HangUp.install()
        let store = setup.store
        Interruption.whenInterrupted { [server] _ in
            store?.cancel()
            Task { await server.close() }
        }
        let watch = Task { await watchFiles() }
        await withDiscardingTaskGroup { group in
            for await session in server.sessions {
                group.addTask { await serve(session) }
            }
        }
        watch.cancel()
        status.close()
    }

    private func serve(_ session: Session) async {
        switch setup.admission.role(of: session.peerKey) {
        case .client(let client):
            let earlier = sessions.all(of: client.key)
            for old in sessions.add(session, limit: ServeJob.sessionsOfClient) {
                Task { await old.close() }
            }
            let clearing = Task { await clear(earlier) }
            defer { clearing.cancel() }
            log.joined(client.name, session)
            let forwards = ForwardService(
                session, on: loop, rules: client.rules.completed(by: setup.rules),
                allowance: allowances.allowance(of: client))
            let shown = status.add(session, client.name, forwards)
            await ClientService(
                client: client, forwards: forwards, store: setup.store, log: log
            ).run()
            status.remove(shown)
            sessions.remove(session)
            log.left(client.name, session, forwards.totals)
        case .newcomer: await enrol(session)
        case nil: await session.close()
        }
        if log.failure != nil { await server.close() }
    }

    /// Closes the earlier sessions of a client that has returned, unless they live.
    ///
    /// So a client that was killed finds its listeners free again, long before `--hold` is over.
    private func clear(_ earlier: [Session]) async {
        guard !earlier.isEmpty, (try? await Task.sleep(for: ServeJob.silence)) != nil
        else { return }
        for session in earlier where session.status().silence >= ServeJob.silence {
            Task { await session.close() }
        }
    }

    private func enrol(_ session: Session) async {
        let token = session.peerKey
        let remote = session.status().paths.first?.remote ?? "an unknown address"
        let outcome = await Enrolment.serve(session) { key, name in
            let given = try setup.admission.enrol(
                token: token, as: key, name: name, now: InviteText.now())
            allow()
            if let given { log.enrolled(given, key) }
            return given
        }
        setup.admission.answered(token)
        allow()
        if case .refused(let reason) = outcome {
            log.refusedEnrolment(from: remote, reason)
        }
    }

    // MARK: files

    /// Takes changes of the files until the task is cancelled, and lets tokens expire.
    private func watchFiles() async {
        var handled: [FileStamp] = []
        var previous: [FileStamp] = []
        var answered = HangUp.requests
        while !Task.isCancelled {
            let now = InviteText.now()
            let stamps = [ClientsFile.fileName, PendingTokens.fileName].map {
                FileStamp(setup.state.folder.file($0))
            }
            let asked = HangUp.requests
            if asked != answered || stamps == previous && stamps != handled {
                reload(says: asked != answered)
                answered = asked
                handled = stamps
            } else if setup.admission.dropExpired(now: now) {
                allow()
            }
            previous = stamps
            try? await Task.sleep(for: ServeJob.watchInterval)
        }
    }

    private func reload(says: Bool) {
        do {
            let (hasChanged, changed) = try setup.admission.reload()
            allow()
            // A client whose line has changed connects again, under its new rules.
            for session in changed.flatMap({ sessions.all(of: $0) }) {
                Task { await session.close() }
            }
            if hasChanged || says { log.reloaded(clients: setup.admission.clientCount) }
        } catch {
            log.problem("\(CommandFailure(error).message); the clients stay as they were")
        }
    }
}

/// The running sessions of each client, oldest first.
final class SessionTable: Sendable {
    private let sessions = Mutex<[PublicKey: [Session]]>([:])

    /// Adds a session; returns those of its client that are more than `limit`.
    func add(_ session: Session, limit: Int) -> [Session] {
        sessions.withLock { sessions in
            let all = sessions[session.peerKey, default: []] + [session]
            sessions[session.peerKey] = all.suffix(limit)
            return Array(all.dropLast(limit))
        }
    }

    func all(of client: PublicKey) -> [Session] { sessions.withLock { $0[client] ?? [] } }

    func remove(_ session: Session) {
        sessions.withLock { sessions in
            sessions[session.peerKey]?.removeAll { $0 === session }
            if sessions[session.peerKey]?.isEmpty == true { sessions[session.peerKey] = nil }
        }
    }
}
