import PathReport
import PathTelemetry
import Synchronization

/// The log of a long run on standard output: a line, or an object with `--json`, for each event.
///
/// *Any thread.*
final class EventLog: Sendable {
    let printsJSON: Bool
    private let trouble = Mutex<CommandFailure?>(nil)

    init(json: Bool) { printsJSON = json }

    /// Why the log cannot be written; nil if it can.
    var failure: CommandFailure? { trouble.withLock { $0 } }

    /// Writes an event.
    ///
    /// - Parameters:
    ///   - event: its name in JSON.
    ///   - members: of the object, after the name and the time.
    ///   - text: the line without `--json`, after the time.
    func write(_ event: String, _ members: [(key: String, value: JSONValue)], text: String) {
        guard printsJSON else { return print("\(TransferText.time())  \(text)") }
        print(
            JSONValue.object(
                [("event", .string(event)), ("time", .string(TransferText.time()))] + members
            ).text())
    }

    /// Writes a line as it is; nothing after a failure.
    func print(_ line: String) {
        trouble.withLock { trouble in
            guard trouble == nil else { return }
            do throws(CommandFailure) {
                try Console.standardOutput.write(line + "\n")
            } catch {
                trouble = error
            }
        }
    }
}
