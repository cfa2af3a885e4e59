import PathReport
import PathTelemetry
import Pathwise
import Synchronization

/// The results of the items of a run of `send`, in bounded memory.
///
/// *Any thread.* With `--json` each item is printed when it ends, as a member of the object that
/// `finish` completes.
final class SendResults: Sendable {
    private static let mostShown = 20
    /// The most failures kept for the end; the JSON has all of them.
    private static let mostFailures = 1000

    private struct State {
        var shown: [String] = []
        var files = 0
        var total = 0
        /// Sent bytes of stored items.
        var bytes: UInt64 = 0
        var stored = 0
        var failed = 0
        var skipped = 0
        var failures: [String] = []
        var notes: [String] = []
        var notesLeftOut = 0
        var firstFailure: (name: ItemName, failure: CommandFailure)?
        var hasBegun = false
        var trouble: CommandFailure?

        mutating func note(_ text: String) {
            if notes.count < 100 { notes.append(text) } else { notesLeftOut += 1 }
        }
    }

    private let state = Mutex(State())
    private let printsJSON: Bool

    init(json: Bool) { printsJSON = json }

    func add(_ item: SentItem) {
        state.withLock { state in
            state.total += 1
            switch item.outcome {
            case .stored, .wasThere:
                state.stored += 1
                state.bytes &+= item.bytes &- min(item.bytes, item.resumedFrom)
                if item.kind == .file || item.kind == .pipe {
                    state.files += 1
                    if state.shown.count < SendResults.mostShown {
                        state.shown.append("\(item.hexDigest)  \(item.name)")
                    }
                }
                if let name = item.storedName {
                    state.note("\(item.name) was stored as \(name)")
                }
                if let note = item.note { state.note("\(item.name): \(note)") }
            case .skipped:
                state.skipped += 1
                state.note("left out: \(item.name), which is \(item.note ?? "something else")")
            case .failed:
                state.failed += 1
                let failure = CommandFailure(item.error ?? TransferError.cutShort)
                if state.firstFailure == nil { state.firstFailure = (item.name, failure) }
                if state.failures.count < SendResults.mostFailures {
                    state.failures.append("not sent: \(item.name): \(failure.message)")
                }
            }
            guard printsJSON, state.trouble == nil else { return }
            let text =
                (state.hasBegun ? ",\n    " : "{\n  \"items\": [\n    ")
                + TransferText.json(item).text()
            state.hasBegun = true
            do throws(CommandFailure) {
                try Console.standardOutput.write(text)
            } catch {
                state.trouble = error
            }
        }
    }

    var isEmpty: Bool { state.withLock { $0.total == 0 } }
    var hasFailures: Bool { state.withLock { $0.failed > 0 } }

    /// Sent bytes of stored items.
    var bytes: UInt64 { state.withLock { $0.bytes } }

    /// Digests of the first files, for the report.
    var lines: [String] {
        state.withLock { state in
            let more = state.files - state.shown.count
            return state.shown + (more > 0 ? ["... and \(more) more"] : [])
        }
    }

    /// Notes about items that were sent, and about those that were left out.
    var notes: [String] {
        state.withLock { state in
            state.notes
                + (state.notesLeftOut > 0 ? ["... and \(state.notesLeftOut) more notes"] : [])
        }
    }

    /// Completes the JSON object with further members.
    ///
    /// - Parameters:
    ///   - failure: what ended the run early.
    ///   - namesAll: whether every item was added.
    func finish(
        _ failure: CommandFailure?, namesAll: Bool, _ members: [(String, JSONValue)]
    ) throws(CommandFailure) {
        let state = state.withLock { $0 }
        if let trouble = state.trouble { throw trouble }
        let error = failure ?? SendResults.failure(state)
        let all: [(String, JSONValue)] =
            [
                ("complete", .bool(error == nil)), ("error", CommandFailure.json(error)),
                ("names_all_items", .bool(namesAll)),
                ("items_stored", .count(state.stored)), ("items_failed", .count(state.failed)),
                ("items_skipped", .count(state.skipped)),
                ("bytes", .int(Int64(clamping: state.bytes))),
            ] + members
        let rest = JSONValue.object(all.map { (key: $0.0, value: $0.1) }).text(pretty: true)
        try Console.standardOutput.write(
            (state.hasBegun ? "\n  ],\n" : "{\n  \"items\": [],\n") + rest.dropFirst(2) + "\n")
    }

    /// Lists each failed item on standard error, and throws if there is one.
    func check() throws(CommandFailure) {
        let state = state.withLock { $0 }
        guard let failure = SendResults.failure(state) else { return }
        if state.total - state.skipped > 1 {
            for line in state.failures {
                try? Console.standardError.write(CommandFailure(line, .inputOutput).line)
            }
            let more = state.failed - state.failures.count
            if more > 0 {
                let items = NumberText.counted(more, "more was", "more were")
                try? Console.standardError.write("pathwise: ... and \(items) not sent\n")
            }
        }
        throw failure
    }

    /// The failure of the run because of failed items; nil if there are none.
    private static func failure(_ state: State) -> CommandFailure? {
        guard let (name, failure) = state.firstFailure else { return nil }
        guard state.total - state.skipped > 1 else { return failure }
        let verb = state.failed == 1 ? "was" : "were"
        let items = NumberText.counted(state.total - state.skipped, "item")
        return CommandFailure(
            "\(NumberText.count(state.failed)) of \(items) \(verb) not sent, the first is "
                + "\(name)\(state.stored > 0 ? "; the others are stored" : "")", .inputOutput)
    }
}
