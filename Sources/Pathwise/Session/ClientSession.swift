public import PathLearning
public import PathNetwork
public import PathTelemetry
public import PathTransport
internal import Synchronization

/// What a client is set up with.
public struct ClientOptions: Sendable {
    public var identity: ClientIdentity
    /// The paths to open; see `PathPlanner` for how to find those of this machine.
    public var plans: [PathPlan]
    public var policy: PolicySpecification
    public var model: Model?
    public var connection = ConnectionConfiguration()
    /// Seed of the policy's draws; nil draws one from the system's random source, so that two
    /// sessions do not share their draws.
    public var seed: UInt64?
    /// Where to record to; nil records nothing.
    public var recorder: SessionRecorder?
    /// Follows interfaces and addresses that come and go; nil keeps to the plans.
    public var planner: PathPlanner?

    public init(identity: ClientIdentity, plans: [PathPlan], policy: PolicySpecification) {
        self.identity = identity
        self.plans = plans
        self.policy = policy
    }
}

/// A client's connection for applications: streams and messages over all paths, from any task.
///
///     let session = try await ClientSession.connect(options)
///     let stream = try session.openStream()
///     try await stream.write(bytes)
///     try await stream.finish()
///     await session.close()
public final class ClientSession: Sendable {
    let driver: ClientDriver
    private let core: SessionCore
    public let recorder: SessionRecorder?
    /// What models are replaced for.
    let policy: PolicySpecification
    var hub: EventHub { core.hub }

    private init(
        driver: ClientDriver, core: SessionCore, recorder: SessionRecorder?,
        policy: PolicySpecification
    ) {
        self.driver = driver
        self.core = core
        self.policy = policy
        self.recorder = recorder
    }

    /// Opens the paths and shakes hands over them.
    ///
    /// - Throws: `ended` when the server does not answer or refuses; `network` when no path can be
    ///   opened; `crypto` when libcrypto fails.
    public static func connect(_ options: ClientOptions) async throws(SessionError) -> ClientSession
    {
        let session = try start(options)
        await session.hub.wait(for: .established)
        if let reason = session.hub.reason {
            session.driver.stop()
            throw .ended(reason)
        }
        return session
    }

    /// As `connect`, but returns before the handshake: `waitUntilEstablished` waits for it.
    public static func start(_ options: ClientOptions) throws(SessionError) -> ClientSession {
        var configuration = options.connection
        configuration.isRecording = options.recorder != nil
        configuration.seed = options.seed ?? UInt64.random(in: .min ... .max)
        let core: SessionCore
        let driver: ClientDriver
        do {
            let selector = try PathSelector(
                options.policy, model: options.model, seed: configuration.seed)
            let facts = SessionFacts(
                peer: options.identity.peer, policy: selector.name,
                modelHash: selector.modelHash, seed: configuration.seed)
            core = SessionCore(
                recording: options.recorder.map {
                    $0.begin(facts, role: "send", ring: $0.makeRing())
                })
            let connection = try Connection(
                client: options.identity, configuration: configuration, selector: selector,
                stamp: StampClock.now(), now: MonotonicClock.now())
            driver = try ClientDriver(
                connection: connection, plans: options.plans, planner: options.planner,
                onEvent: { core.handle($0) }, onRecord: { core.record($0) })
        } catch {
            throw SessionError(opening: error)
        }
        return ClientSession(
            driver: driver, core: core, recorder: options.recorder, policy: options.policy)
    }

    /// Returns after the handshake.
    public func waitUntilEstablished() async throws(SessionError) {
        await hub.wait(for: .established)
        if let reason = hub.reason {
            driver.stop()
            throw .ended(reason)
        }
    }

    // MARK: streams and messages

    /// Opens a stream that both sides can write to.
    public func openStream() throws(SessionError) -> SessionStream {
        try checkOpen()
        do throws(StreamError) {
            let id = try driver.with { (connection, _) throws(StreamError) in
                try connection.openStream()
            }
            return SessionStream(id: id, hub: hub, access: .client(driver))
        } catch {
            throw .stream(error)
        }
    }

    /// Queues a message for delivery within its deadline; its number.
    public func sendMessage(
        _ bytes: [UInt8], deadline: TimeDelta, isReliable: Bool = true
    ) throws(SessionError) -> UInt64 {
        try checkOpen()
        do throws(StreamError) {
            return try driver.with { (connection, now) throws(StreamError) in
                try bytes.span.withMessageBytes { (raw) throws(StreamError) in
                    try connection.sendMessage(
                        raw,
                        options: MessageOptions(deadline: now + deadline, isReliable: isReliable),
                        now: now)
                }
            }
        } catch {
            throw .stream(error)
        }
    }

    private func checkOpen() throws(SessionError) {
        if let reason = hub.reason { throw .ended(reason) }
    }

    // MARK: the end and the status

    /// Tells the peer that it is over, and waits until it knows.
    public func close() async {
        driver.with { connection, now in connection.close(now: now) }
        while !driver.read({ connection, _ in connection.isClosed }) {
            try? await Task.sleep(for: .milliseconds(2))
        }
        core.endRecording()
    }

    /// Why the connection ended, if it did.
    public var closeReason: CloseReason? { hub.reason }

    /// Everything a user may want to know of the session now.
    public func status() -> SessionStatus {
        driver.read { connection, now in core.status(of: connection, now: now) }
    }
}

extension Span where Element == UInt8 {
    /// The bytes as the transport takes them.
    func withMessageBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBytes { (raw: UnsafeRawBufferPointer) throws(Failure) in try body(raw) }
    }
}
