import PathForward
import Pathwise
import Synchronization

/// What `pathwise status` shows of a server: its clients, and what each one forwards.
///
/// *Any thread.*
final class ServeStatus: Sendable {
    private let feed = StatusFeed(command: "serve")
    private let services = Mutex<[Int: (client: String, forwards: ForwardService)]>([:])

    /// Opens the socket in the state folder, or where this user's sockets are.
    init(state: String) {
        feed.setFlows { [weak self] in self?.flows ?? [] }
        feed.open(state: state)
    }

    func close() { feed.close() }

    /// Shows a client's session until `remove`.
    func add(_ session: Session, _ client: String, _ forwards: ForwardService) -> Int {
        let number = feed.add(session, name: client)
        services.withLock { $0[number] = (client, forwards) }
        return number
    }

    func remove(_ number: Int) {
        feed.remove(number)
        services.withLock { $0[number] = nil }
    }

    /// One line for each session of a client.
    private var flows: [FlowReport] {
        services.withLock { $0 }.sorted { $0.key < $1.key }.map { number, entry in
            FlowReport(client: entry.client, session: number, entry.forwards.totals)
        }
    }
}
