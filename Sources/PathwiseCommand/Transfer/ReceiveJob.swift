import Glibc
import PathLearning
import PathNetwork
import PathReport
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// One run of `receive`: listen, store what clients send, report.
struct ReceiveJob {
    private let command: ReceiveCommand
    private let store: ItemStore
    private let configuration: ServerConfiguration
    private let addresses: [SocketAddress]

    init(_ command: ReceiveCommand) throws {
        self.command = command
        store = ItemStore(target: try ReceiveJob.target(command.output))
        let key = try command.transfer.privateKey()
        let shared = try command.transfer.presharedKey()
        var clients: [PublicKey: PresharedKey?] = [:]
        for text in command.allow {
            clients[try PeerKeyArgument.parse(text, option: "--allow")] = .some(shared)
        }
        var configuration = ServerConfiguration(key: key, clients: clients, policy: .minRTT)
        configuration.connection = try command.transfer.connection()
        self.configuration = configuration
        addresses = try command.listen.map { try AddressArgument.resolve($0, option: "--listen") }
    }

    /// A place that can be written to, checked before anyone is told to send.
    private static func target(_ output: String) throws -> ReceiveTarget {
        if output == "-" { return .standardOutput }
        var information = stat()
        let exists = stat(output, &information) == 0
        if exists, information.st_mode & S_IFMT == S_IFDIR {
            guard access(output, W_OK | X_OK) == 0 else {
                throw CommandFailure(
                    "cannot write to directory \(output): \(String(cString: strerror(errno))); "
                        + "check its permissions, or choose another with --output", .cannotCreate)
            }
            return .directory(output)
        }
        if output.hasSuffix("/") {
            guard mkdir(output, 0o777) == 0 else {
                throw CommandFailure(
                    "cannot create directory \(output): \(String(cString: strerror(errno))); "
                        + "make the directory above it, or choose another place", .cannotCreate)
            }
            return .directory(String(output.dropLast()))
        }
        let parent = output.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
        let folder = parent.isEmpty ? (output.hasPrefix("/") ? "/" : ".") : parent
        guard access(folder, W_OK | X_OK) == 0 else {
            throw CommandFailure(
                "cannot create \(output): \(String(cString: strerror(errno))); "
                    + "check the directory \(folder)", .cannotCreate)
        }
        return .file(output)
    }

    // MARK: run

    func run() async throws {
        let recorder = try command.transfer.recorder()
        let server: Server
        do {
            server = try Server(configuration, listen: addresses, recorder: recorder)
        } catch {
            throw CommandFailure(transfer: error)
        }
        Interruption.whenInterrupted { _ in Task { await server.close() } }
        for address in server.localAddresses {
            try Console.standardError.write("listening on \(address)\n")
        }
        let results = ReceiveResults()
        let counter = TransferCounter(total: nil)
        let display = Task { await showProgress(results, counter) }
        await withTaskGroup(of: Void.self) { group in
            for await session in server.nextClients() {
                results.add(session)
                group.addTask { await serve(session, results, counter) }
                if command.once {
                    await group.next()
                    await server.close()
                }
            }
        }
        display.cancel()
        await display.value
        if let recorder {
            recorder.end()
            try? recorder.close()
        }
        try report(results, counter)
        if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
        try results.checkComplete()
    }

    private func serve(
        _ session: ServedSession, _ results: ReceiveResults, _ counter: TransferCounter
    ) async {
        await withTaskGroup(of: Void.self) { group in
            while let stream = await session.acceptStream() {
                if case .standardOutput = store.target {
                    // One item after the other: their bytes must not be mixed.
                    results.add(await store.receive(stream) { counter.add($0) })
                } else {
                    group.addTask {
                        results.add(await store.receive(stream) { counter.add($0) })
                    }
                }
            }
        }
        results.end(session)
    }

    private func showProgress(_ results: ReceiveResults, _ counter: TransferCounter) async {
        var display = ProgressDisplay()
        guard display.isActive, !command.format.json else { return }
        var rate = RateMeter()
        let start = MonotonicClock.now()
        while !Task.isCancelled {
            rate.add(counter.bytes, at: MonotonicClock.now() - start)
            let line =
                "received \(SessionSummary.bytes(counter.bytes))  "
                + SessionSummary.rate(rate.value)
            display.update([line] + results.liveLines)
            try? await Task.sleep(for: .milliseconds(200))
        }
        display.clear()
    }

    private func report(_ results: ReceiveResults, _ counter: TransferCounter) throws {
        // Received bytes may stand on standard output: reports then go to standard error.
        let console: Console
        if case .standardOutput = store.target {
            console = .standardError
        } else {
            console = .standardOutput
        }
        let text =
            command.format.json
            ? results.json(bytes: counter.bytes).text(pretty: true) + "\n" : results.text
        try console.write(text)
    }
}

/// What was received, from all clients.
final class ReceiveResults: Sendable {
    private struct State {
        var items: [ReceivedItem] = []
        var sessions: [ServedSession] = []
        var ended: [(id: Int, status: SessionStatus)] = []
    }

    /// Clients whose paths are shown at the end.
    private static let tableLimit = 10
    private let state = Mutex(State())

    func add(_ item: ReceivedItem) { state.withLock { $0.items.append(item) } }
    func add(_ session: ServedSession) { state.withLock { $0.sessions.append(session) } }
    func end(_ session: ServedSession) {
        let status = session.status()
        state.withLock { state in
            state.sessions.removeAll { $0.id == session.id }
            state.ended.append((session.id, status))
        }
    }

    var liveLines: [String] {
        let sessions = state.withLock { $0.sessions }
        return sessions.flatMap { SessionSummary.liveLines($0.status(), .received) }
    }

    var text: String {
        let (items, ended) = state.withLock { ($0.items, $0.ended) }
        var lines: [String] = []
        for item in items.prefix(50) {
            lines.append(
                item.isComplete
                    ? "\(item.hexDigest)  \(item.path)"
                    : "partial: \(item.path) (\(SessionSummary.bytes(item.bytes))): "
                        + (item.problem ?? ""))
        }
        if items.count > 50 { lines.append("... and \(items.count - 50) more") }
        let bytes = items.reduce(UInt64(0)) { $0 + $1.bytes }
        let complete = items.filter(\.isComplete).count
        lines.append(
            "received \(complete) of \(items.count) items, \(SessionSummary.bytes(bytes)), "
                + "from \(ended.count) clients")
        for (_, status) in ended.prefix(ReceiveResults.tableLimit) {
            lines.append(SessionSummary.receivedTable(status))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    func json(bytes: UInt64) -> JSONValue {
        let (items, ended) = state.withLock { ($0.items, $0.ended) }
        return .object([
            ("bytes", .int(Int64(clamping: bytes))),
            ("complete", .bool(items.allSatisfy(\.isComplete))),
            (
                "items",
                .array(
                    items.map { item in
                        .object([
                            ("name", .string(item.name)), ("path", .string(item.path)),
                            ("bytes", .int(Int64(clamping: item.bytes))),
                            ("sha256", .string(item.hexDigest)),
                            ("complete", .bool(item.isComplete)),
                            ("longest_gap_ms", .number(item.longestGap.milliseconds)),
                            ("problem", item.problem.map { .string($0) } ?? .null),
                        ])
                    })
            ),
            ("clients", .array(ended.map { .object(SessionSummary.json($0.status)) })),
        ])
    }

    /// Fails when something did not arrive whole.
    func checkComplete() throws(CommandFailure) {
        let (items, ended) = state.withLock { ($0.items, $0.ended) }
        if let item = items.first(where: { !$0.isComplete }) {
            let place = item.path.isEmpty ? "" : "; the part that arrived is \(item.path)"
            throw CommandFailure(
                "\(item.name.isEmpty ? "an item" : item.name) is not complete: "
                    + "\(item.problem ?? "cut short")\(place)", .unavailable)
        }
        if let reason = ended.compactMap(\.status.reason).first(where: { !$0.isOrderly }) {
            throw CommandFailure(
                SessionError.ended(reason).description, ExitStatus(reason))
        }
    }
}
