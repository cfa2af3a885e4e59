import PathNetwork
internal import PathTelemetry
public import PathTransport

/// A server for applications: waits for clients that are let in, and hands over their streams.
public final class Server: Sendable {
    private let driver: ServerDriver
    private let clients: AsyncStream<ServedSession>
    private let finishClients: @Sendable () -> Void
    private let sessions: Guarded<[Int: ServedSession]>

    /// Listens on all addresses given.
    ///
    /// - Throws: `network` when an address cannot be listened on; `crypto` when libcrypto fails.
    public init(
        _ configuration: ServerConfiguration, listen: [SocketAddress],
        recorder: SessionRecorder? = nil
    ) throws(SessionError) {
        let (stream, continuation) = AsyncStream<ServedSession>.makeStream()
        let sessions = Guarded<[Int: ServedSession]>([:])
        self.sessions = sessions
        clients = stream
        finishClients = { continuation.finish() }
        do {
            driver = try ServerDriver(
                configuration: configuration, listen: listen,
                onEvent: { served, event in
                    let (session, isNew) = sessions.withLock { known in
                        if let session = known[served.id] { return (session, false) }
                        let session = ServedSession(served)
                        known[served.id] = session
                        return (session, true)
                    }
                    if isNew { continuation.yield(session) }
                    session.handle(event)
                    recorder?.record(event)
                    if case .closed = event {
                        sessions.withLock { _ = $0.removeValue(forKey: served.id) }
                    }
                }, onRecord: { _, record in recorder?.record(record) })
        } catch {
            throw SessionError(opening: error)
        }
    }

    /// The addresses listened on, with the ports that the system chose.
    public var localAddresses: [SocketAddress] { driver.localAddresses }
    public var statistics: ServerStatistics { driver.statistics }

    /// Each client that has proved itself, in turn; ends with `close`.
    ///
    /// For one task.
    public func nextClients() -> AsyncStream<ServedSession> { clients }

    /// Tells all clients that it is over, and stops.
    public func close() async {
        driver.close()
        for _ in 0..<300 where sessions.withLock({ !$0.isEmpty }) {
            try? await Task.sleep(for: .milliseconds(2))
        }
        finishClients()
        driver.stop()
        // A client that did not say goodbye in time: nobody will tell its tasks any more.
        for session in sessions.withLock({ Array($0.values) }) { session.end() }
    }
}

/// One client of a server.
public final class ServedSession: Sendable {
    public let id: Int
    private let served: ServedConnection
    private let hub = EventHub()
    private let journal = EventJournal()

    init(_ served: ServedConnection) {
        id = served.id
        self.served = served
    }

    func handle(_ event: ConnectionEvent) {
        journal.note(event)
        hub.handle(event)
    }

    /// Ends every wait of the application's tasks.
    func end() { hub.end(.local) }

    /// The client's key, which it proved to hold.
    public var peerKey: PublicKey { served.with { connection, _ in connection.peerKey } }

    /// The next stream that the client opened; nil when the connection has ended.
    public func acceptStream() async -> SessionStream? {
        while true {
            if let id = served.with({ connection, _ in connection.acceptStream() }) {
                return SessionStream(id: id, hub: hub, access: .server(served))
            }
            if hub.reason != nil { return nil }
            await hub.wait(for: .opened)
        }
    }

    /// The next message that arrived whole; nil when the connection has ended.
    ///
    /// For one task.
    public func nextMessage() async -> (number: UInt64, bytes: [UInt8])? {
        while true {
            if let message = served.with({ connection, _ in connection.receiveMessage() }) {
                return message
            }
            if hub.reason != nil { return nil }
            await hub.wait(for: .message)
        }
    }

    /// Ends the connection; the client is told.
    public func close() { served.with { connection, now in connection.close(now: now) } }

    /// Why the connection ended, if it did.
    public var closeReason: CloseReason? { hub.reason }

    /// Everything a user may want to know of the session now.
    public func status() -> SessionStatus {
        var status = served.with { connection, now in
            SessionStatus(of: connection, names: [:], now: now)
        }
        status.changes = journal.changes
        return status
    }
}
