import PathForward
import PathReport
import PathTelemetry
import Synchronization

/// Decides which failed flows a log names: one of each kind and client a minute, however many fail.
///
/// *Any thread.*
final class FailureNotes: Sendable {
    /// The time between two lines of a kind.
    static let interval = TimeDelta.seconds(60)

    private struct Kind: Hashable {
        let client: String
        let code: ForwardResult.Code
    }
    private struct Entry {
        var saidAt: Instant
        var unsaid = 0
    }
    private let entries = Mutex<[Kind: Entry]>([:])

    /// Counts a failure.
    ///
    /// - Parameters:
    ///   - code: how it failed.
    ///   - client: whose flow it was; empty where there are no clients.
    ///   - now: the time.
    /// - Returns: how many of its kind were not named since the line before; nil if this one is not
    ///   named either.
    func note(_ code: ForwardResult.Code, of client: String = "", now: Instant) -> Int? {
        entries.withLock { entries in
            let kind = Kind(client: client, code: code)
            if var entry = entries[kind], now - entry.saidAt < FailureNotes.interval {
                entry.unsaid += 1
                entries[kind] = entry
                return nil
            }
            return entries.updateValue(Entry(saidAt: now), forKey: kind)?.unsaid ?? 0
        }
    }
}

extension FlowFailure {
    /// The members of its object in a log.
    ///
    /// - Parameter unsaid: failures of its kind that were not named before it.
    func members(unsaid: Int) -> [(key: String, value: JSONValue)] {
        [
            ("kind", .string(kind.rawValue)), ("source", .string(source)),
            ("target", .string(target)), ("code", .string(result.code.name)),
            ("reason", .string(result.reason)), ("unsaid", .count(unsaid)),
        ]
    }

    /// Its line in a log.
    func text(unsaid: Int) -> String {
        let more = unsaid == 0 ? "" : " (and \(unsaid) more of this kind since the last such line)"
        return "\(kind.rawValue): no flow to \(target): \(result.reason)\(more)"
    }
}
