import PathReport
import Synchronization

/// The latest events of a process, for those that watch it.
///
/// *Any thread.*
final class WatchEvents: Sendable {
    /// Events that are kept.
    private static let limit = 200
    /// The longest text of an event.
    private static let longest = 400
    private let state = Mutex<(events: [JSONValue], count: Int)>(([], 0))

    /// Notes an event; returns it as JSON.
    ///
    /// - Parameters:
    ///   - kind: of the event, as in the log of `--json`.
    ///   - text: for people.
    ///   - client: whom it is about, if somebody.
    ///   - path: the path it is about, if one.
    ///   - time: as logs have it.
    func note(
        _ kind: String, _ text: String, client: String? = nil, path: String? = nil, time: String
    ) -> JSONValue {
        state.withLock { state in
            state.count += 1
            let event: JSONValue = .object([
                ("number", .count(state.count)), ("time", .string(time)),
                ("kind", .string(kind)),
                ("text", .string(String(text.prefix(WatchEvents.longest)))),
                ("client", client.map { .string($0) } ?? .null),
                ("path", path.map { .string($0) } ?? .null),
            ])
            if state.events.count >= WatchEvents.limit { state.events.removeFirst() }
            state.events.append(event)
            return event
        }
    }

    /// The events, oldest first.
    var list: [JSONValue] { state.withLock { $0.events } }
}
