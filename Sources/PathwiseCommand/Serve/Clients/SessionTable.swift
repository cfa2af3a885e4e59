import PathTransport
import Pathwise
import Synchronization

/// The running sessions of each client, oldest first.
final class SessionTable: Sendable {
    private struct Entry {
        let session: Session
        /// Of the client.
        let name: String
        /// Why this side ends it.
        var end: String?
        var outage = OutageWatch()
        /// Until then it is asked whether it is over, as its client has another session.
        var doubtedUntil: ContinuousClock.Instant?
    }
    private let entries = Mutex<[PublicKey: [Entry]]>([:])

    /// Adds a session, unless its client has as many as the limit; returns whether it did.
    func add(_ session: Session, of name: String, limit: Int) -> Bool {
        entries.withLock { entries in
            guard entries[session.peerKey, default: []].count < limit else { return false }
            entries[session.peerKey, default: []].append(Entry(session: session, name: name))
            return true
        }
    }

    func all(of client: PublicKey) -> [Session] {
        entries.withLock { ($0[client] ?? []).map(\.session) }
    }

    /// The sessions of a client, whose outages are not told while they are asked whether they are over.
    ///
    /// - Parameter time: how long that takes.
    func doubtAll(of client: PublicKey, for time: Duration) -> [Session] {
        let end = ContinuousClock.now + time
        return entries.withLock { entries in
            for index in entries[client]?.indices ?? 0..<0 {
                entries[client]?[index].doubtedUntil = end
            }
            return (entries[client] ?? []).map(\.session)
        }
    }

    /// Notes why this side ends a session; of two reasons the first one counts.
    func noteEnd(of session: Session, _ reason: String) {
        entries.withLock { entries in
            guard
                let index = entries[session.peerKey]?.firstIndex(where: { $0.session === session }),
                entries[session.peerKey]?[index].end == nil
            else { return }
            entries[session.peerKey]?[index].end = reason
        }
    }

    /// Why this side ended a session; nil if nobody noted it.
    func end(of session: Session) -> String? {
        entries.withLock { $0[session.peerKey]?.first { $0.session === session }?.end }
    }

    func remove(_ session: Session) {
        entries.withLock { entries in
            entries[session.peerKey]?.removeAll { $0.session === session }
            if entries[session.peerKey]?.isEmpty == true { entries[session.peerKey] = nil }
        }
    }

    /// The sessions to which no path works any more, or one works again, since the last call.
    func outages() -> [(client: String, key: PublicKey, change: OutageWatch.Change)] {
        let now = ContinuousClock.now
        return entries.withLock { entries in
            var changes: [(String, PublicKey, OutageWatch.Change)] = []
            for key in entries.keys {
                for index in entries[key]?.indices ?? 0..<0 {
                    guard let entry = entries[key]?[index], entry.session.closeReason == nil,
                        entry.doubtedUntil.map({ $0 < now }) ?? true,
                        let change = entries[key]?[index].outage.look(entry.session.health())
                    else { continue }
                    changes.append((entry.name, key, change))
                }
            }
            return changes
        }
    }
}
