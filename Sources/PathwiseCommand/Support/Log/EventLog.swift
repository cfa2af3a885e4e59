import Glibc
import PathNetwork
import PathReport
import PathTelemetry
import PathWatch
import Synchronization

/// The log of a long run on standard output: a line, or an object in JSON, for each event.
///
/// Lines for the journal have their level before them, and text has no time there. A problem that is
/// the same as one of the minute before is counted. *Any thread.*
final class EventLog: Sendable {
    /// Is told of each event: its name, its members, and the line.
    typealias Listener = @Sendable (String, [(key: String, value: JSONValue)], String) -> Void

    private struct State {
        var trouble: CommandFailure?
        var listener: Listener?
        var repeated = RepeatedLines()
    }

    let printsJSON: Bool
    private let least: LogLevel
    private let isForJournal: Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - json: prints objects.
    ///   - least: the least important lines that are printed.
    ///   - isForJournal: puts the level before each line.
    init(
        json: Bool, least: LogLevel = .info,
        isForJournal: Bool = JournalStream.isBehind(STDOUT_FILENO)
    ) {
        printsJSON = json
        self.least = least
        self.isForJournal = isForJournal
    }

    convenience init(_ options: ServiceLogOptions) throws(CommandFailure) {
        self.init(json: options.printsJSON, least: try options.least())
    }

    /// Why the log cannot be written; nil if it can.
    var failure: CommandFailure? { state.withLock { $0.trouble } }

    /// Tells a watch of each event from now on, also of those that are not printed, and says where it
    /// is; nothing happens without one.
    func watched(by watch: Watch?) {
        guard let watch else { return }
        state.withLock { state in
            state.listener = { [weak watch] in watch?.note($0, $1, $2) }
        }
        write(
            "watching", [("address", .string("\(watch.address)"))],
            text: "watch this process at \(watch.address.link)")
    }

    /// Whether lines of a level are printed.
    func shows(_ level: LogLevel) -> Bool { level >= least }

    /// Writes an event.
    ///
    /// - Parameters:
    ///   - event: its name in JSON, which tells its level.
    ///   - members: of the object, after the name and the time.
    ///   - text: the line of text, after the time.
    func write(_ event: String, _ members: [(key: String, value: JSONValue)], text: String) {
        state.withLock { $0.listener }?(event, members, text)
        let level = LogLevel(ofEvent: event)
        guard shows(level) else { return }
        if LogLevel.counted.contains(event) {
            let now = MonotonicClock.now()
            guard state.withLock({ $0.repeated.isNew(event, text, now: now) }) else { return }
        }
        print(line(event, members, text, level), level)
    }

    private func line(
        _ event: String, _ members: [(key: String, value: JSONValue)], _ text: String,
        _ level: LogLevel
    ) -> String {
        guard printsJSON else {
            return isForJournal ? text : "\(TransferText.time())  \(text)"
        }
        return JSONValue.object(
            [("event", .string(event)), ("time", .string(TransferText.time()))] + members
                + [("level", .string(level.name))]
        ).text()
    }

    /// Writes how often lines came again; call it some times a minute.
    ///
    /// - Parameter isLast: at the end, so that nothing is left out.
    func countRepeated(isLast: Bool = false) {
        let now = MonotonicClock.now()
        for rest in state.withLock({ $0.repeated.rest(now: now, isLast: isLast) }) {
            let level = LogLevel(ofEvent: rest.event)
            print(
                line(
                    "repeated",
                    [
                        ("of", .string(rest.event)), ("count", .count(rest.count)),
                        ("text", .string(rest.text)),
                    ], "\(NumberText.counted(rest.count, "more time")): \(rest.text)", level), level
            )
        }
    }

    /// Writes a line as it is, with its level for the journal; nothing after a failure.
    func print(_ line: String, _ level: LogLevel = .info) {
        guard shows(level) else { return }
        // Each line of a text has the level.
        let mark = isForJournal ? "<\(level.rawValue)>" : ""
        let text =
            isForJournal
            ? line.split(separator: "\n").map { "\(mark)\($0)\n" }.joined() : line + "\n"
        state.withLock { state in
            guard state.trouble == nil else { return }
            do throws(CommandFailure) {
                try Console.standardOutput.write(text)
            } catch {
                state.trouble = error
            }
        }
    }
}
