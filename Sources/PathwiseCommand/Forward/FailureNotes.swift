import PathForward
import PathReport
import PathTelemetry
import Synchronization

/// Decides which failures a log names: five of each kind and client a minute, each about another
/// target; the others are counted, and the count follows when the minute is over.
///
/// *Any thread.*
final class FailureNotes: Sendable {
    /// The time that begins with the first line of a kind.
    static let interval = TimeDelta.seconds(60)
    /// The most lines of a kind within that time.
    static let limit = 5

    /// What failed, how, and whose it was.
    struct Kind: Hashable, Sendable {
        /// Empty where there are no clients.
        var client = ""
        /// The word for it in JSON.
        var code: String
    }

    /// Failures that were not named.
    struct Rest: Equatable, Sendable {
        var kind: Kind
        var count: Int
    }

    private struct Entry {
        let began: Instant
        var targets: Set<String> = []
        var unsaid = 0
    }
    private let entries = Mutex<[Kind: Entry]>([:])

    /// Counts a failure; returns whether it is to be named.
    ///
    /// - Parameters:
    ///   - kind: of the failure.
    ///   - target: what it is about; the same one is named once.
    ///   - now: the time.
    func note(_ kind: Kind, _ target: String, now: Instant) -> Bool {
        entries.withLock { entries in
            var entry = entries[kind] ?? Entry(began: now)
            // A count that is left over is said by `rest` first.
            if now - entry.began >= FailureNotes.interval, entry.unsaid == 0 {
                entry = Entry(began: now)
            }
            let isNamed =
                entry.targets.count < FailureNotes.limit && entry.targets.insert(target).inserted
            if !isNamed { entry.unsaid += 1 }
            entries[kind] = entry
            return isNamed
        }
    }

    /// The kinds whose time is over, and that had more failures than were named; call it some times
    /// a minute.
    func rest(now: Instant) -> [Rest] {
        entries.withLock { entries in
            let over = entries.filter { now - $0.value.began >= FailureNotes.interval }
            for kind in over.keys { entries[kind] = nil }
            return over.filter { $0.value.unsaid > 0 }
                .map { Rest(kind: $0.key, count: $0.value.unsaid) }
                .sorted { ($0.kind.client, $0.kind.code) < ($1.kind.client, $1.kind.code) }
        }
    }
}

extension FailureNotes.Rest {
    /// The members of its object in a log.
    var members: [(key: String, value: JSONValue)] {
        [("code", .string(kind.code)), ("count", .count(count))]
    }

    /// Its line in a log.
    ///
    /// - Parameter what: failed, in the singular.
    func text(_ what: String) -> String {
        if kind.code == FlowFailure.replacedCode {
            return "\(NumberText.counted(count, "more time")) within the last minute a flow of "
                + "datagrams made room for another"
        }
        return
            "\(NumberText.counted(count, "more \(what)")) failed within the last minute (\(kind.code))"
    }
}

extension FlowFailure {
    /// The word for a flow that made room for another one, among the codes of failures.
    static let replacedCode = "replaced"

    /// The kind of failure that it is counted among.
    var code: String { wasReplaced ? FlowFailure.replacedCode : result.code.name }

    /// The members of its object in a log.
    var members: [(key: String, value: JSONValue)] {
        [
            ("kind", .string(kind.rawValue)), ("source", .string(source)),
            ("target", .string(target)), ("code", .string(code)),
            ("reason", .string(result.reason)),
        ]
    }

    /// What its line is about: flows to one target, or all those that a limit stops.
    var subject: String { result.code == .limitReached ? result.reason : target }

    /// Its line in a log.
    var text: String {
        wasReplaced
            ? "\(kind.rawValue): a flow to \(target) made room for another: \(result.reason)"
            : "\(kind.rawValue): no flow to \(target): \(result.reason)"
    }
}
