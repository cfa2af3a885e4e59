import PathForward
import PathWatch
import Pathwise
import Synchronization

/// What `pathwise status` shows of a server: its clients, and what each one forwards.
///
/// *Any thread.*
final class ServeStatus: Sendable {
    private struct Service {
        let client: String
        let forwards: ForwardService
        /// How much of its cap the client has used.
        let use: @Sendable () -> CapUse?
    }

    private let feed = StatusFeed(command: "serve")
    private let services = Mutex<[Int: Service]>([:])

    /// Opens the socket in the state folder, or where this user's sockets are.
    init(state: String) {
        feed.setFlows { [weak self] in self?.flows ?? [] }
        feed.open(state: state)
    }

    /// Shows the server at an address too; see `StatusFeed`.
    func watch(
        at place: (address: WatchAddress, token: WatchToken?)?, state: String
    ) throws(CommandFailure) -> Watch? { try feed.watch(at: place, state: state) }

    func close() { feed.close() }

    /// Takes requests to change this server.
    func setChange(_ change: @escaping ControlDesk.Handler) { feed.setChange(change) }

    /// Shows what became of a request to change this server.
    func note(_ answer: ControlAnswer) { feed.note(answer) }

    /// Shows a client's session until `remove`.
    ///
    /// - Parameter use: how much of its cap the client has used; it is called for each answer.
    func add(
        _ session: Session, _ client: String, _ forwards: ForwardService,
        use: @escaping @Sendable () -> CapUse?
    ) -> Int {
        let number = feed.add(session, name: client)
        let service = Service(client: client, forwards: forwards, use: use)
        services.withLock { $0[number] = service }
        return number
    }

    func remove(_ number: Int) {
        feed.remove(number)
        services.withLock { $0[number] = nil }
    }

    /// Targets of a client that are shown, those with the most bytes.
    private static let targetLimit = 32

    /// One line for each session of a client, then one for each target of each client.
    private var flows: [FlowReport] {
        let services = services.withLock { $0 }.sorted { $0.key < $1.key }
        var reports = services.map { number, entry in
            FlowReport(
                client: entry.client, session: number, entry.forwards.totals, cap: entry.use())
        }
        for (client, entries) in Dictionary(grouping: services, by: \.value.client)
            .sorted(by: { $0.key < $1.key })
        {
            let targets = Dictionary(
                grouping: entries.flatMap { $0.value.forwards.targets() },
                by: { [$0.kind.rawValue, $0.target] })
            let all = targets.values.map { FlowReport(client: client, $0) }
            reports += all.sorted { $0.bytes == $1.bytes ? $0.key < $1.key : $0.bytes > $1.bytes }
                .prefix(ServeStatus.targetLimit)
        }
        return reports
    }
}
