import PathNetwork
import PathReport
import PathTelemetry
import Pathwise

/// Notices when a path that has worked does not any more, and when it works again.
struct PathFalls: Sendable {
    /// What a look found of one path.
    enum Change: Equatable, Sendable {
        /// It does not work any more, and why.
        case fell(name: String, reason: String)
        /// It works again, after this time.
        case returned(name: String, after: TimeDelta)
    }

    /// Those that have worked, with the time since when they do not; nil for those that do.
    private var known: [String: Instant?] = [:]

    /// Looks at the paths of a session, some times a second.
    ///
    /// - Parameters:
    ///   - paths: those that exist, with their states.
    ///   - absent: those that are wanted and do not exist; others that are gone are not wanted any more.
    ///     It is asked for only when a path has gone, because it keeps the session from its packets.
    ///   - now: the time.
    mutating func look(
        _ paths: [(name: String, state: PathState)],
        absent: @autoclosure () -> [(name: String, reason: String)], now: Instant
    ) -> [Change] {
        var changes: [Change] = []
        for path in paths {
            switch path.state {
            case .active, .standby:
                if case .some(.some(let since)) = known[path.name] {
                    changes.append(.returned(name: path.name, after: now - since))
                }
                known[path.name] = .some(nil)
            case .failed: fall(path.name, "it does not answer", now, &changes)
            // Not decided yet, or on the way back.
            case .validating, .suspect, .probing, .closed: break
            }
        }
        let there = Set(paths.map(\.name))
        guard known.keys.contains(where: { !there.contains($0) }) else { return changes }
        let gone = absent()
        for path in gone { fall(path.name, path.reason, now, &changes) }
        let wanted = there.union(gone.map(\.name))
        known = known.filter { wanted.contains($0.key) }
        return changes
    }

    private mutating func fall(
        _ name: String, _ reason: String, _ now: Instant, _ changes: inout [Change]
    ) {
        guard case .some(.none) = known[name] else { return }
        known[name] = .some(now)
        changes.append(.fell(name: name, reason: reason))
    }
}

extension PathFalls.Change {
    /// Its name in JSON.
    var event: String {
        switch self {
        case .fell: "path_down"
        case .returned: "path_up"
        }
    }

    /// The members of its object in a log.
    var members: [(key: String, value: JSONValue)] {
        switch self {
        case .fell(let name, let reason): [("name", .string(name)), ("reason", .string(reason))]
        case .returned(let name, let time):
            [("name", .string(name)), ("seconds", .number(time.seconds))]
        }
    }

    /// Its line in a log.
    var text: String {
        switch self {
        case .fell(let name, let reason): "path \(name) does not work: \(reason)"
        case .returned(let name, let time):
            "path \(name) works again after \(NumberText.fixed(time.seconds, 1)) s"
        }
    }
}

extension Session {
    /// Looks at the paths of this session.
    func look(with falls: inout PathFalls) -> [PathFalls.Change] {
        falls.look(
            counters().map { ($0.name, $0.state) },
            absent: absentPaths().filter { !$0.isCapped }.map { ($0.name, $0.reason) },
            now: MonotonicClock.now())
    }
}
