import PathLearning
import PathNetwork
import PathReport
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// One run of `send`: connect, send every item, report.
struct SendJob {
    /// Items under way at once: small files do not wait for each other's confirmation.
    private static let parallelItems = 8

    private let command: SendCommand
    private let items: [OutgoingItem]
    private let options: ClientOptions
    /// Followed while data flows; nil where the policy was given by its name.
    private let modelFile: String?

    init(_ command: SendCommand) throws {
        self.command = command
        guard !command.inputs.isEmpty else {
            throw CommandFailure("nothing to send; name a file, a directory, or -", .usage)
        }
        do {
            items = try command.inputs.flatMap { (input) throws(FileError) in
                try OutgoingItems.list(input)
            }
        } catch {
            throw CommandFailure(transfer: error)
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
        options.seed = command.seed
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
        let counter = TransferCounter(total: total)
        let display = Task { await showProgress(session, counter) }
        var reports: [TransferReport] = []
        var failure: CommandFailure?
        do {
            try await session.waitUntilEstablished()
            reports = try await sendAll(session, counter)
        } catch {
            failure = CommandFailure(transfer: error)
        }
        let status = session.status()
        if failure == nil { await session.close() }
        display.cancel()
        await display.value
        let trace = closeTrace(session)
        if let signal = Interruption.signal { failure = .interrupted(by: signal) }
        if failure == nil || status.statistics.streamBytesSent > 0 {
            try report(status, reports, counter, trace: trace, isComplete: failure == nil)
        }
        if let failure { throw failure }
    }

    private var total: UInt64? {
        items.reduce(UInt64?(0)) { sum, item in
            guard let sum, let size = item.size else { return nil }
            return sum + size
        }
    }

    private func sendAll(
        _ session: ClientSession, _ counter: TransferCounter
    ) async throws -> [TransferReport] {
        try await withThrowingTaskGroup(of: (Int, TransferReport).self) { group in
            var reports: [Int: TransferReport] = [:]
            var next = 0
            func start() {
                guard next < items.count else { return }
                let (number, item) = (next, items[next])
                next += 1
                group.addTask {
                    (number, try await session.send(item) { counter.add($0) })
                }
            }
            for _ in 0..<SendJob.parallelItems { start() }
            while let (number, report) = try await group.next() {
                reports[number] = report
                start()
            }
            return reports.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    private func showProgress(_ session: ClientSession, _ counter: TransferCounter) async {
        var display = ProgressDisplay()
        guard display.isActive, !command.output.json else { return }
        var rate = RateMeter()
        while !Task.isCancelled {
            let status = session.status()
            let sent = counter.bytes
            rate.add(sent, at: status.elapsed)
            let head =
                counter.total.map {
                    ProgressDisplay.bar("sending", done: Int(sent), of: Int($0))
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
        _ status: SessionStatus, _ reports: [TransferReport], _ counter: TransferCounter,
        trace: String?, isComplete: Bool
    ) throws {
        let seconds = max(1e-9, status.elapsed.seconds)
        let goodput = Double(counter.bytes) / seconds
        try command.output.print(
            text: {
                var lines: [String] = []
                for report in reports.prefix(20) {
                    lines.append("\(report.hexDigest)  \(report.name)")
                }
                if reports.count > 20 { lines.append("... and \(reports.count - 20) more") }
                lines.append(
                    "\(isComplete ? "sent" : "handed over") \(SessionSummary.bytes(counter.bytes)) "
                        + "in \(SessionSummary.fixed(seconds, 2)) s: "
                        + "\(SessionSummary.rate(goodput)), policy \(status.policy), "
                        + "\(status.statistics.failovers) failovers")
                lines.append(SessionSummary.table(status))
                lines += SessionSummary.changeLines(status)
                lines += SessionSummary.modelLines(status)
                if let trace { lines.append("recorded to \(trace)") }
                return lines.joined(separator: "\n") + "\n"
            },
            json: {
                .object(
                    [
                        ("complete", .bool(isComplete)),
                        ("bytes", .int(Int64(clamping: counter.bytes))),
                        ("goodput_bits_per_second", .number(goodput * 8)),
                        (
                            "items",
                            .array(
                                reports.map {
                                    .object([
                                        ("name", .string($0.name)),
                                        ("bytes", .int(Int64(clamping: $0.bytes))),
                                        ("sha256", .string($0.hexDigest)),
                                    ])
                                })
                        ),
                        ("trace", trace.map { .string($0) } ?? .null),
                    ] + SessionSummary.json(status))
            })
    }
}

/// Bytes handed over so far, from several tasks.
final class TransferCounter: Sendable {
    let total: UInt64?
    private let count = Atomic<UInt64>(0)

    init(total: UInt64?) { self.total = total }

    func add(_ bytes: Int) { count.add(UInt64(max(0, bytes)), ordering: .relaxed) }
    var bytes: UInt64 { count.load(ordering: .relaxed) }
}

/// The rate over about the last second.
struct RateMeter {
    private var samples: [(bytes: UInt64, time: TimeDelta)] = []
    private(set) var value = 0.0

    mutating func add(_ bytes: UInt64, at time: TimeDelta) {
        samples.append((bytes, time))
        while samples.count > 2, time - samples[0].time > .seconds(1) { samples.removeFirst() }
        let span = (time - samples[0].time).seconds
        if span > 0.05 { value = Double(bytes - samples[0].bytes) / span }
    }
}
