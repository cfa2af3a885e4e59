import PathTransport
import Pathwise
import Synchronization

/// The running sessions of each client, oldest first.
final class SessionTable: Sendable {
    private struct Entry {
        let session: Session
        /// Of the client.
        let name: String
        var outage = OutageWatch()
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

    func remove(_ session: Session) {
        entries.withLock { entries in
            entries[session.peerKey]?.removeAll { $0.session === session }
            if entries[session.peerKey]?.isEmpty == true { entries[session.peerKey] = nil }
        }
    }

    /// The sessions to which no path works any more, or one works again, since the last call.
    func outages() -> [(client: String, key: PublicKey, change: OutageWatch.Change)] {
        entries.withLock { entries in
            var changes: [(String, PublicKey, OutageWatch.Change)] = []
            for key in entries.keys {
                for index in entries[key]?.indices ?? 0..<0 {
                    guard let entry = entries[key]?[index], entry.session.closeReason == nil,
                        let change = entries[key]?[index].outage.look(entry.session.health())
                    else { continue }
                    changes.append((entry.name, key, change))
                }
            }
            return changes
        }
    }
}
