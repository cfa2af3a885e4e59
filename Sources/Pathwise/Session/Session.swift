public import PathLearning
internal import PathNetwork
internal import PathTelemetry
public import PathTransport

/// A connection for applications, the same on both sides: messages and streams over all paths.
///
///     let session = try await Session.connect(options)
///     try session.sendMessage(bytes, deadline: .milliseconds(100))
///     for await message in session.messages { use(message.bytes) }
///     await session.close()
///
/// A client makes one with `connect`; a server's come from `Server.sessions`. All of it may be used
/// from any task. A wait ends when its task is cancelled, and whatever the session still has to
/// send goes on: only `close` ends the session itself.
public final class Session: Sendable {
    let link: SessionLink
    let core: SessionCore
    /// What models are replaced for.
    let policy: PolicySpecification
    /// The peer's key, which it proved to hold.
    public let peerKey: PublicKey
    var hub: EventHub { core.hub }

    init(
        link: SessionLink, core: SessionCore, policy: PolicySpecification, peerKey: PublicKey
    ) {
        self.link = link
        self.core = core
        self.policy = policy
        self.peerKey = peerKey
    }

    // MARK: the beginning

    /// Opens the paths and shakes hands over them.
    ///
    /// - Throws: `SessionError`: `ended` when the server does not answer or refuses, `network` when
    ///   no path can be opened, `learning` when the policy or its model cannot be used; or
    ///   `CancellationError`.
    public static func connect(_ options: ClientOptions) async throws -> Session {
        let session = try start(options)
        do {
            try await session.waitUntilEstablished()
        } catch {
            await session.close()
            throw error
        }
        return session
    }

    /// As `connect`, but returns before the handshake: `waitUntilEstablished` waits for it.
    public static func start(_ options: ClientOptions) throws(SessionError) -> Session {
        var configuration = options.connection
        configuration.isRecording = options.recorder != nil
        configuration.seed = options.seed ?? UInt64.random(in: .min ... .max)
        let core: SessionCore
        let driver: ClientDriver
        let policy: PolicySpecification
        do {
            policy = try options.policy.resolved(names: options.plans.map(\.name))
            let selector = try PathSelector(
                policy, model: options.model.load(for: policy), seed: configuration.seed)
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
        return Session(
            link: .client(driver), core: core, policy: policy, peerKey: options.identity.peer)
    }

    /// Returns after the handshake.
    ///
    /// - Throws: `SessionError.ended` when it fails, or `CancellationError`.
    public func waitUntilEstablished() async throws {
        await hub.wait(for: .established)
        try checkOpen()
        try Task.checkCancellation()
    }

    func checkOpen() throws(SessionError) {
        if let reason = hub.reason { throw .ended(reason) }
    }

    // MARK: the end and the status

    /// Tells the peer that it is over, and waits until it knows or was told often enough.
    ///
    /// What was not delivered may be lost: wait for it first. A cancelled task can close a session
    /// too; this wait, of half a second at most, is not cut short.
    public func close() async {
        link.with { connection, now in connection.close(now: now) }
        await Task { [link] in
            // The driver's thread may be gone, and then nothing changes any more.
            for _ in 0..<500 where !link.read({ connection, _ in connection.isClosed }) {
                try? await Task.sleep(for: .milliseconds(2))
            }
        }.value
        core.end(link.read { connection, _ in connection.reason } ?? .local)
        core.endRecording()
    }

    /// Why the session ended, if it did.
    public var closeReason: CloseReason? { hub.reason }

    /// What happens from now on, to be looked at with `for await`; the last one is `closed`.
    ///
    /// Everyone who asks gets a sequence of their own. One that is not read keeps the newest 4096.
    public var events: AsyncStream<SessionEvent> { core.feed.events() }

    /// Everything a user may want to know of the session now.
    public func status() -> SessionStatus {
        link.read { connection, now in core.status(of: connection, now: now) }
    }
}
