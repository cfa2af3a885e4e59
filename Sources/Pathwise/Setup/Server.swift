public import PathLearning
import PathNetwork
internal import PathTelemetry
internal import PathTrace
public import PathTransport

/// A server for applications: it waits for allowed clients, and hands over their sessions.
///
///     let server = try Server(key: key, clients: [client], listen: ["0.0.0.0:4433"])
///     for await session in server.sessions { serve(session) }
public final class Server: Sendable {
    private let driver: ServerDriver
    /// The sessions of authenticated clients, in turn; ends with `close`.
    ///
    /// For one task.
    public let sessions: AsyncStream<Session>
    private let finishSessions: @Sendable () -> Void
    private let configuration: ServerConfiguration
    private let clients: Guarded<[Int: Session]>
    private let defaults: Guarded<Defaults>

    /// What sessions begin with.
    private struct Defaults {
        var policy: PolicySpecification
        var recorder: SessionRecorder?
        /// Of the driver's thread; nil without a recorder.
        var ring: TraceRing?
    }

    /// Listens on all addresses given.
    ///
    /// - Parameters:
    ///   - configuration: keys, clients, policy and limits.
    ///   - addresses: to listen on; with port 0 the system chooses one, see `localAddresses`.
    ///   - model: the model that the policy starts from, unless the configuration has one; nil for none.
    ///   - recorder: records every client as a session; nil records nothing.
    ///   - seed: of all sessions' draws; nil takes one from the system's random source.
    ///   - onRefusal: is told of clients that are refused for their keys, on the server's thread; of
    ///     very many at once some are left out.
    /// - Throws: `noAddress` without one, `network` if an address cannot be listened on; `learning` if the model cannot be
    ///   used; `crypto` if libcrypto fails.
    public init(
        _ configuration: ServerConfiguration, listen addresses: [SocketAddress],
        model: Model? = nil, recorder: SessionRecorder? = nil, seed: UInt64? = nil,
        onRefusal: @escaping @Sendable (RefusedClient) -> Void = { _ in }
    ) throws(SessionError) {
        guard !addresses.isEmpty else { throw .noAddress }
        let (sessions, continuation) = AsyncStream<Session>.makeStream()
        let clients = Guarded<[Int: Session]>([:])
        self.clients = clients
        self.sessions = sessions
        finishSessions = { continuation.finish() }
        var configuration = configuration
        configuration.connection.isRecording = recorder != nil
        configuration.connection.seed = seed ?? UInt64.random(in: .min ... .max)
        let defaults = Guarded(
            Defaults(
                policy: configuration.policy, recorder: recorder, ring: recorder?.makeRing()))
        self.defaults = defaults
        // The first record or event of a client creates its session.
        let core: @Sendable (ServedConnection) -> SessionCore = { served in
            let (session, isNew) = clients.withLock { known in
                if let session = known[served.id] { return (session, false) }
                let now = defaults.withLock { $0 }
                var recording: SessionRecording?
                if let recorder = now.recorder, let ring = now.ring {
                    recording = recorder.begin(served.facts, role: "receive", ring: ring)
                }
                let session = Session(
                    link: .server(served), core: SessionCore(recording: recording),
                    policy: now.policy, peerKey: served.facts.peer)
                known[served.id] = session
                return (session, true)
            }
            if isNew { continuation.yield(session) }
            return session.core
        }
        self.configuration = configuration
        do {
            configuration.model = configuration.model ?? model
            driver = try ServerDriver(
                configuration: configuration, listen: addresses,
                onEvent: { served, event in core(served).handle(event) },
                onRecord: { served, record in core(served).record(record) },
                onGone: { served in
                    let gone = clients.withLock { $0.removeValue(forKey: served.id) }
                    gone?.core.endRecording()
                }, onRefusal: onRefusal)
        } catch {
            throw SessionError(opening: error)
        }
    }

    /// Listens on all addresses given, for clients without pre-shared keys.
    ///
    /// - Parameters:
    ///   - key: this side's key.
    ///   - clients: the keys of allowed clients.
    ///   - addresses: HOST:PORT each; with port 0 the system chooses one, see `localAddresses`.
    ///   - policy: chooses the paths of what this side sends.
    /// - Throws: `network` if an address cannot be listened on; `crypto` if libcrypto fails.
    public convenience init(
        key: PrivateKey, clients: [PublicKey], listen addresses: [String],
        policy: PolicySpecification = .learned()
    ) throws(SessionError) {
        let clients = Dictionary(
            clients.map { ($0, PresharedKey?.none) }, uniquingKeysWith: { first, _ in first })
        var listen: [SocketAddress] = []
        do throws(NetworkError) {
            for address in addresses { listen += try Resolver.resolve(address).prefix(1) }
        } catch {
            throw .network(error)
        }
        try self.init(
            ServerConfiguration(key: key, clients: clients, policy: policy), listen: listen)
    }

    /// The addresses listened on, with the ports that the system chose.
    public var localAddresses: [SocketAddress] { driver.localAddresses }
    public var statistics: ServerStatistics { driver.statistics }

    /// Allows these clients from now on, and no others.
    ///
    /// Sessions of clients that are not allowed any more, or have another pre-shared key, end; the
    /// former are told so.
    ///
    /// - Parameters:
    ///   - clients: each with its pre-shared key if it has one.
    ///   - suspended: clients that are not allowed now and may be again soon: they are only told
    ///     that the session is over.
    public func setClients(
        _ clients: [PublicKey: PresharedKey?], suspended: Set<PublicKey> = []
    ) {
        driver.setClients(clients, suspended: suspended)
    }

    /// Changes what sessions begin with from now on; those that exist keep what they have.
    ///
    /// - Parameters:
    ///   - policy: chooses the paths of what this side sends.
    ///   - model: that it starts from; nil starts it without.
    ///   - connection: settings of every connection.
    public func setDefaults(
        policy: PolicySpecification, model: Model?, connection: ConnectionConfiguration
    ) {
        defaults.withLock { $0.policy = policy }
        var settings = configuration
        settings.policy = policy
        settings.model = model
        settings.connection = connection
        driver.setDefaults(settings)
    }

    /// Records every session with another recorder from now on, or no more.
    ///
    /// - Parameter recorder: nil records nothing; the caller closes the former one.
    public func setRecorder(_ recorder: SessionRecorder?) {
        let ring = recorder?.makeRing()
        // A session that begins between the two is among those that are told below.
        driver.setRecording(recorder != nil)
        defaults.withLock { defaults in
            defaults.recorder = recorder
            defaults.ring = ring
        }
        // The driver's thread asks for a session while it is locked, so nothing may hold the list.
        for session in clients.withLock({ Array($0.values) }) {
            session.record(with: recorder, ring: ring)
        }
    }

    /// The sessions that there are.
    public var present: [Session] { clients.withLock { Array($0.values) } }

    /// Closes all connections, stops, and gives the addresses free.
    public func close() async {
        driver.close()
        for _ in 0..<300 where clients.withLock({ !$0.isEmpty }) {
            try? await Task.sleep(for: .milliseconds(2))
        }
        finishSessions()
        driver.stop()
        // The addresses are free when this returns.
        for _ in 0..<500 where !driver.isOver { try? await Task.sleep(for: .milliseconds(2)) }
        // No event ends the tasks of clients that did not close in time, so they are ended here.
        for session in clients.withLock({ Array($0.values) }) { session.core.end(.local) }
    }
}
