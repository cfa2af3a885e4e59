import PathReport
import PathTelemetry

/// What became of a request to change a running process.
struct ControlAnswer: Sendable {
    /// In words, as `path limit lte 20mbit`, or `reload`.
    var request: String
    var origin = ControlOrigin.socket
    /// What is different now.
    var changes: [ConfigDifference] = []
    /// What the user should know besides.
    var notes: [String] = []
    /// Why nothing has changed; nil if the request was done.
    var failure: CommandFailure?

    /// Changes that are effective, or will be for the next session.
    private var done: [ConfigDifference] { changes.filter { $0.effect != .restart } }
    /// Changes of the file that this process cannot make.
    private var left: [ConfigDifference] { changes.filter { $0.effect == .restart } }

    /// One line for the log and for people.
    var text: String {
        if let failure { return "\(request): refused, and nothing has changed: \(failure.message)" }
        var parts: [String] = done.map { change in
            change.effect == .nextSession
                ? "\(change.text) (from the next session on)" : change.text
        }
        parts += notes
        if parts.isEmpty { parts.append("nothing has changed") }
        if !left.isEmpty {
            parts.append(
                "not while it runs: \(left.map(\.text).joined(separator: "; ")) (restart it, as "
                    + "'systemctl restart' does)")
        }
        return "\(request): \(parts.joined(separator: "; "))"
    }

    /// The members of its object in the log and in the answer.
    var members: [(key: String, value: JSONValue)] {
        var members: [(key: String, value: JSONValue)] = [
            ("request", .string(request)), ("by", .string(origin.rawValue)),
            ("done", .bool(failure == nil)),
            ("changes", .array(done.map(\.json))), ("not_changed", .array(left.map(\.json))),
            ("notes", .array(notes.map { .string($0) })),
        ]
        if let failure {
            members += [
                ("reason", .string(failure.message)),
                ("exit_code", .int(Int64(failure.status.rawValue))),
            ]
        }
        return members
    }

    /// The line on the socket: its members, and the text for people.
    var line: String {
        JSONValue.object(members + [("text", .string(text))]).text()
    }
}

extension EventLog {
    /// Writes what became of a request.
    func write(_ answer: ControlAnswer) {
        write(
            answer.failure == nil ? "changed" : "refused_change", answer.members, text: answer.text)
    }
}

extension CommandFailure {
    /// The failure of a command line that a file has completed: what is wrong there is a wrong
    /// configuration.
    var ofConfiguration: CommandFailure {
        switch status {
        case .usage, .dataError, .noInput: CommandFailure(message, .configuration)
        default: self
        }
    }
}
