import Glibc
import PathLearning
import PathNetwork
import PathReport
import PathTelemetry
import PathTransport
import Pathwise

/// One run of `receive`: listen, store what clients send, report.
struct ReceiveJob {
    private let command: ReceiveCommand
    private let store: ItemStore
    private let configuration: ServerConfiguration
    private let addresses: [SocketAddress]
    /// The label of each client in the log.
    private let names: [PublicKey: String]

    /// The most open streams of a client, so that small items do not wait for each other.
    private static let parallelStreams: UInt64 = 256

    /// Runs the whole command.
    ///
    /// With `--json` the summary is always printed, unless the command line is invalid.
    static func run(_ command: ReceiveCommand) async throws {
        StandardStreams.ignoreBrokenPipes()
        let writesItems = command.output == "-"
        try Console.standardOutput.checkIsOpen(
            for: writesItems
                ? "and --output - writes the items there; open it, or name a file or folder"
                : "and the log goes there; open it, or send it to a file")
        // Received bytes go to standard output, so the log goes to standard error.
        let console = writesItems ? Console.standardError : .standardOutput
        let results = ReceiveResults(
            console: console, json: command.format.json, isQuiet: command.transfer.quiet)
        let job: ReceiveJob
        let recorder: SessionRecorder?
        let server: Server
        do {
            job = try ReceiveJob(command)
            recorder = try command.transfer.recorder()
            server = try Server(job.configuration, listen: job.addresses, recorder: recorder)
        } catch {
            let failure = CommandFailure(error)
            if command.format.json, failure.status != .usage { try results.finish(failure) }
            throw failure
        }
        try await job.run(server, recorder, results)
    }

    private init(_ command: ReceiveCommand) throws {
        self.command = command
        let place = try ReceiveJob.place(command.output)
        let key = try KeyFile.readPrivateKey(from: command.key)
        var options = StoreOptions(
            place: place, secret: try key.derivedBytes(for: "pathwise unfinished items"))
        options.onConflict = command.onConflict.rule
        options.synchronizes = !command.noSync
        store = try ItemStore(options)
        let shared = try command.transfer.presharedKey()
        var clients: [PublicKey: PresharedKey?] = [:]
        var names: [PublicKey: String] = [:]
        for text in command.allow {
            let client = try PeerKeyArgument.parse(text, option: "--allow")
            clients[client] = .some(shared)
            names[client] = PeerKeyArgument.label(of: client, argument: text)
        }
        self.names = names
        var configuration = ServerConfiguration(key: key, clients: clients, policy: .minRTT)
        configuration.connection = try command.transfer.connection()
        configuration.connection.parameters.maximumStreams = ReceiveJob.parallelStreams
        self.configuration = configuration
        addresses = try command.listen.map { try AddressArgument.resolve($0, option: "--listen") }
    }

    /// Checks that the output is writable before clients may send.
    static func place(_ output: String) throws -> ReceivePlace {
        if output == "-" { return .standardOutput }
        guard !output.isEmpty else {
            throw CommandFailure("--output is empty; name a file or a folder", .usage)
        }
        let path = RawArguments.bytes(of: output)
        var information = stat()
        let exists = stat(output, &information) == 0
        if exists, information.st_mode & S_IFMT == S_IFDIR {
            guard access(output, W_OK | X_OK) == 0 else {
                throw CommandFailure(
                    "cannot write to folder \(output): \(systemText(errno)); "
                        + "check its permissions, or choose another with --output", .cannotCreate)
            }
            return .path(path, isFolder: true)
        }
        if output.hasSuffix("/") {
            guard mkdir(output, 0o777) == 0 else {
                throw CommandFailure(
                    "cannot create folder \(output): \(systemText(errno)); "
                        + "make the folder above it, or choose another place", .cannotCreate)
            }
            return .path(path, isFolder: true)
        }
        let parent = output.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
        let folder = parent.isEmpty ? (output.hasPrefix("/") ? "/" : ".") : parent
        guard access(folder, W_OK | X_OK) == 0 else {
            throw CommandFailure(
                "cannot create \(output): \(systemText(errno)); check the folder \(folder)",
                .cannotCreate)
        }
        return .path(path, isFolder: false)
    }

    // MARK: run

    private func run(
        _ server: Server, _ recorder: SessionRecorder?, _ results: ReceiveResults
    ) async throws {
        Interruption.whenInterrupted { [store] _ in
            store.cancel()
            Task { await server.close() }
        }
        for address in server.localAddresses {
            try? Console.standardError.write("listening on \(address)\n")
        }
        let counter = TransferCounter()
        let display = Task { await showProgress(results, counter) }
        await withDiscardingTaskGroup { group in
            var isFirst = true
            for await session in server.sessions {
                let isServed = isFirst || !command.once
                isFirst = false
                group.addTask {
                    guard isServed else { return await turnAway(session, results) }
                    await serve(session, server, results, counter)
                    if command.once { await server.close() }
                }
            }
        }
        display.cancel()
        await display.value
        if let recorder {
            recorder.end()
            try? recorder.close()
        }
        let interruption = Interruption.signal.map { CommandFailure.interrupted(by: $0) }
        try results.finish(interruption)
        if let interruption { throw interruption }
        try results.check()
    }

    /// Stores the items of one client until its connection ends.
    private func serve(
        _ session: Session, _ server: Server, _ results: ReceiveResults,
        _ counter: TransferCounter
    ) async {
        let key = session.peerKey
        let name = names[key] ?? key.base64
        results.begin(session)
        await withDiscardingTaskGroup { group in
            for await stream in session.streams {
                let turn = store.nextTurn()
                group.addTask {
                    let item = await store.receive(stream, from: key, turn: turn) {
                        counter.add($0)
                    }
                    if let item { results.add(item, client: name) }
                    // If the output or the log cannot be written, clients are told at once.
                    if store.isOutputLost || results.isBroken {
                        try? await stream.waitUntilDelivered()
                        await server.close()
                    }
                }
            }
        }
        results.end(session, client: name)
    }

    /// Tells further clients that this receiver accepts only one.
    private func turnAway(_ session: Session, _ results: ReceiveResults) async {
        let key = session.peerKey
        await withDiscardingTaskGroup { group in
            for await stream in session.streams {
                group.addTask {
                    _ = await ItemStore.refuse(
                        stream, from: key, reason: .temporary,
                        "it takes one client (--once), and another one came first; "
                            + "send again when it listens again")
                }
            }
        }
    }

    private func showProgress(_ results: ReceiveResults, _ counter: TransferCounter) async {
        guard results.drawsProgress else { return }
        var rate = RateMeter()
        let start = MonotonicClock.now()
        while !Task.isCancelled {
            rate.add(counter.bytes, at: MonotonicClock.now() - start)
            let line =
                "received \(SessionSummary.bytes(counter.bytes))  "
                + SessionSummary.rate(rate.value)
            results.draw(line)
            try? await Task.sleep(for: .milliseconds(200))
        }
        results.clear()
    }
}
