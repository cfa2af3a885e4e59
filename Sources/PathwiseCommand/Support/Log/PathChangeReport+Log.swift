import PathReport
import PathTelemetry
import Pathwise

extension PathChangeReport {
    /// The members of its object in a log.
    var members: [(key: String, value: JSONValue)] {
        [
            ("path", .int(Int64(path.rawValue))), ("from", .string(from.name)),
            ("to", .string(to.name)), ("cause", .string(cause.name)),
            ("seconds", .number(TimeDelta(after).seconds)),
        ]
    }

    /// Its line in a log, after the path.
    var text: String { "\(from.name) -> \(to.name): \(cause.name)" }
}

extension Session {
    /// Calls `body` with each change of a path from the beginning on, until the session or the task
    /// ends.
    func followPaths(_ body: (PathChangeReport) -> Void) async {
        let events = events
        let past = status().changes
        for change in past { body(change) }
        for await case .pathChanged(let change) in events
        where past.last.map({ change.after > $0.after }) ?? true { body(change) }
    }
}
