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
    /// - Parameters:
    ///   - recorder: records every client as a session of its own; nil records nothing.
    ///   - seed: of all sessions' draws; nil draws one from the system's random source.
    /// - Throws: `network` when an address cannot be listened on; `crypto` when libcrypto fails.
    public init(
        _ configuration: ServerConfiguration, listen: [SocketAddress],
        recorder: SessionRecorder? = nil, seed: UInt64? = nil
    ) throws(SessionError) {
        let (stream, continuation) = AsyncStream<ServedSession>.makeStream()
        let sessions = Guarded<[Int: ServedSession]>([:])
        self.sessions = sessions
        clients = stream
        finishClients = { continuation.finish() }
        var configuration = configuration
        configuration.connection.isRecording = recorder != nil
        configuration.connection.seed = seed ?? UInt64.random(in: .min ... .max)
        let ring = recorder?.makeRing()
        // Whatever comes first of a client makes its session, records before events too.
        let session: @Sendable (ServedConnection) -> ServedSession = { served in
            let (session, isNew) = sessions.withLock { known in
                if let session = known[served.id] { return (session, false) }
                var recording: SessionRecording?
                if let recorder, let ring {
                    recording = recorder.begin(served.facts, role: "receive", ring: ring)
                }
                let session = ServedSession(served, SessionCore(recording: recording))
                known[served.id] = session
                return (session, true)
            }
            if isNew { continuation.yield(session) }
            return session
        }
        do {
            driver = try ServerDriver(
                configuration: configuration, listen: listen,
                onEvent: { served, event in session(served).handle(event) },
                onRecord: { served, record in session(served).record(record) },
                onGone: { served in
                    let gone = sessions.withLock { $0.removeValue(forKey: served.id) }
                    gone?.endRecording()
                })
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
    private let core: SessionCore
    private var hub: EventHub { core.hub }

    init(_ served: ServedConnection, _ core: SessionCore) {
        id = served.id
        self.served = served
        self.core = core
    }

    func handle(_ event: ConnectionEvent) { core.handle(event) }
    func record(_ record: borrowing TransportRecord) { core.record(record) }
    func endRecording() { core.endRecording() }

    /// Ends every wait of the application's tasks.
    func end() { hub.end(.local) }

    /// The client's key, which it proved to hold.
    public var peerKey: PublicKey { served.facts.peer }

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
        served.with { connection, now in core.status(of: connection, now: now) }
    }
}
