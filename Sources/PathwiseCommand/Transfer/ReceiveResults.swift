import PathReport
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// The items received from all clients, printed as they come, in bounded memory.
///
/// *Any thread.*
final class ReceiveResults: Sendable {
    /// The most failures and clients that are kept for the end.
    private static let mostKept = 100

    private struct State {
        var display: ProgressDisplay
        var sessions: [Session] = []
        var ended: [(client: String, key: PublicKey, status: SessionStatus)] = []
        var clients = 0
        /// Received bytes of stored items.
        var bytes: UInt64 = 0
        var total = 0
        var stored = 0
        var failures: [String] = []
        var first: CommandFailure?
        var trouble: CommandFailure?
    }

    /// The most clients whose paths are shown at the end; the latest are shown.
    private static let mostShown = 10

    private let state: Mutex<State>
    private let console: Console
    private let printsJSON: Bool

    /// - Parameter isQuiet: shows no progress.
    init(console: Console, json: Bool, isQuiet: Bool = false) {
        state = Mutex(State(display: ProgressDisplay(isWanted: !isQuiet)))
        self.console = console
        printsJSON = json
    }

    // MARK: while it runs

    func begin(_ session: Session) { state.withLock { $0.sessions.append(session) } }

    func end(_ session: Session, client: String) {
        let status = session.status()
        state.withLock { state in
            state.sessions.removeAll { $0 === session }
            state.clients += 1
            state.ended.append((client, session.peerKey, status))
            if state.ended.count > ReceiveResults.mostKept { state.ended.removeFirst() }
            if let reason = status.reason, !reason.isOrderly, state.first == nil {
                state.first = CommandFailure(
                    SessionError.ended(reason).description, ExitStatus(reason))
            }
        }
    }

    /// Prints a line for an item that was stored or failed.
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
                let cut = item.reason ?? .cutShort
                // An item that was refused or cannot be written has no part that could be resumed.
                let what = cut == .cutShort || item.hasPart ? "is not complete" : "was not stored"
                let failure = CommandFailure(
                    "\(name) \(what): \(reason)\(place)", ExitStatus(cut))
                if state.first == nil { state.first = failure }
                if state.failures.count < ReceiveResults.mostKept {
                    state.failures.append(failure.message)
                }
            } else {
                state.stored += 1
                state.bytes &+= item.bytes &- min(item.bytes, item.resumedFrom)
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

    /// Whether the log cannot be written.
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

    /// Prints the summary.
    ///
    /// - Parameter failure: what ended the receiver, if it was not the failure of an item.
    func finish(_ failure: CommandFailure?) throws(CommandFailure) {
        let state = state.withLock { $0 }
        if let trouble = state.trouble { throw trouble }
        if printsJSON {
            let error = failure ?? ReceiveResults.failure(state)
            let summary = JSONValue.object([
                ("event", .string("summary")), ("bytes", .int(Int64(clamping: state.bytes))),
                ("complete", .bool(state.stored == state.total && error == nil)),
                ("error", CommandFailure.json(error)),
                ("items_stored", .count(state.stored)),
                ("items_failed", .count(state.total - state.stored)),
                (
                    "clients",
                    .array(
                        state.ended.map { client, key, status in
                            .object(
                                [
                                    ("client", .string(client)),
                                    ("client_key", .string(key.base64)),
                                ] + SessionSummary.json(status))
                        })
                ),
                ("clients_left_out", .count(state.clients - state.ended.count)),
            ])
            try console.write(summary.text() + "\n")
            return
        }
        let shown = state.ended.suffix(ReceiveResults.mostShown)
        let more = state.clients - shown.count
        if more > 0 {
            let earlier = NumberText.counted(more, "earlier client")
            try console.write("(the paths of \(earlier) are left out)\n")
        }
        for (client, _, status) in shown {
            try console.write("\(client)\n" + SessionSummary.receivedTable(status) + "\n")
        }
        try console.write(
            "received \(NumberText.count(state.stored)) of "
                + "\(NumberText.counted(state.total, "item")), "
                + "\(SessionSummary.bytes(state.bytes)), from "
                + "\(NumberText.counted(state.clients, "client"))\n")
    }

    /// Lists items that were not stored on standard error, and throws if there are any.
    func check() throws(CommandFailure) {
        let state = state.withLock { $0 }
        guard let failure = ReceiveResults.failure(state) else { return }
        let failed = state.total - state.stored
        if failed > 0, state.total > 1 {
            for line in state.failures {
                try? Console.standardError.write(CommandFailure(line, .inputOutput).line)
            }
            let more = failed - state.failures.count
            if more > 0 {
                let items = NumberText.counted(more, "more was", "more were")
                try? Console.standardError.write("pathwise: ... and \(items) not stored\n")
            }
        }
        throw failure
    }

    /// The failure of the run because of lost clients or failed items; nil if there are none.
    private static func failure(_ state: State) -> CommandFailure? {
        guard let first = state.first else { return nil }
        let failed = state.total - state.stored
        guard failed > 0, state.total > 1 else { return first }
        let verb = failed == 1 ? "was" : "were"
        return CommandFailure(
            "\(NumberText.count(failed)) of \(NumberText.counted(state.total, "item")) \(verb) "
                + "not stored\(state.stored > 0 ? "; the others are" : "")",
            first.status == .unavailable ? .unavailable : .inputOutput)
    }
}
