import PathReport
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// What was received, from all clients: printed as it comes, in memory that does not grow.
///
/// *Any thread.*
final class ReceiveResults: Sendable {
    /// Failures that are named again at the end, and clients whose paths are shown then.
    private static let mostKept = 100

    private struct State {
        var display = ProgressDisplay()
        var sessions: [ServedSession] = []
        var ended: [SessionStatus] = []
        var clients = 0
        var total = 0
        var stored = 0
        var failures: [String] = []
        var first: CommandFailure?
        var trouble: CommandFailure?
    }

    /// Clients whose paths are shown at the end, the latest.
    private static let mostShown = 10

    private let state = Mutex(State())
    private let console: Console
    private let printsJSON: Bool

    init(console: Console, json: Bool) {
        self.console = console
        printsJSON = json
    }

    // MARK: while it runs

    func begin(_ session: ServedSession) { state.withLock { $0.sessions.append(session) } }

    func end(_ session: ServedSession) {
        let status = session.status()
        state.withLock { state in
            state.sessions.removeAll { $0.id == session.id }
            state.clients += 1
            state.ended.append(status)
            if state.ended.count > ReceiveResults.mostKept { state.ended.removeFirst() }
            if let reason = status.reason, !reason.isOrderly, state.first == nil {
                state.first = CommandFailure(
                    SessionError.ended(reason).description, ExitStatus(reason))
            }
        }
    }

    /// Prints a line for an item that is stored, or was not.
    func add(_ item: ReceivedItem, client: String) {
        let text =
            printsJSON
            ? TransferText.json(item, client: client).text()
            : TransferText.line(item, client: client)
        state.withLock { state in
            state.total += 1
            if item.outcome == .failed {
                let name = item.name.bytes.isEmpty ? "an item" : "\(item.name)"
                let reason = item.problem ?? "cut short"
                let place =
                    item.hasPart
                    ? "; the part that arrived is \(item.path)" : ""
                let failure = CommandFailure(
                    "\(name) is not complete: \(reason)\(place)",
                    ExitStatus(item.reason ?? .cutShort))
                if state.first == nil { state.first = failure }
                if state.failures.count < ReceiveResults.mostKept {
                    state.failures.append(failure.message)
                }
            } else {
                state.stored += 1
            }
            guard state.trouble == nil else { return }
            state.display.clear()
            do throws(CommandFailure) {
                try console.write(text + "\n")
            } catch {
                state.trouble = error
            }
        }
    }

    /// True when the log cannot be written.
    var isBroken: Bool { state.withLock { $0.trouble != nil } }

    // MARK: progress

    var drawsProgress: Bool { !printsJSON && state.withLock { $0.display.isActive } }

    func draw(_ line: String) {
        let sessions = state.withLock { $0.sessions }
        let lines = [line] + sessions.flatMap { SessionSummary.liveLines($0.status(), .received) }
        state.withLock { $0.display.update(lines) }
    }

    func clear() { state.withLock { $0.display.clear() } }

    // MARK: the end

    func finish(bytes: UInt64) throws(CommandFailure) {
        let state = state.withLock { state in
            (
                total: state.total, stored: state.stored, clients: state.clients,
                ended: state.ended, trouble: state.trouble
            )
        }
        if let trouble = state.trouble { throw trouble }
        if printsJSON {
            let summary = JSONValue.object([
                ("event", .string("summary")), ("bytes", .int(Int64(clamping: bytes))),
                ("complete", .bool(state.stored == state.total)),
                ("items_stored", .count(state.stored)),
                ("items_failed", .count(state.total - state.stored)),
                ("clients", .array(state.ended.map { .object(SessionSummary.json($0)) })),
            ])
            try console.write(summary.text() + "\n")
        } else {
            for status in state.ended.suffix(ReceiveResults.mostShown) {
                try console.write(SessionSummary.receivedTable(status) + "\n")
            }
            try console.write(
                "received \(state.stored) of \(state.total) items, "
                    + "\(SessionSummary.bytes(bytes)), from \(state.clients) clients\n")
        }
    }

    /// Names what is not complete on standard error, and fails if something is not.
    func check() throws(CommandFailure) {
        let (first, failures, failed, total) = state.withLock {
            ($0.first, $0.failures, $0.total - $0.stored, $0.total)
        }
        guard let first else { return }
        guard failed > 0, total > 1 else { throw first }
        for line in failures {
            try? Console.standardError.write(CommandFailure(line, .inputOutput).line)
        }
        throw CommandFailure(
            "\(failed) of \(total) items are not complete; the others are stored",
            first.status == .unavailable ? .unavailable : .inputOutput)
    }
}
