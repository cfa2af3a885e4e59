internal import PathLearning
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
/// from any task. A wait ends when its task is cancelled, but the session continues to send its
/// data: only `close` ends the session itself.
public final class Session: Sendable {
    let link: SessionLink
    let core: SessionCore
    /// The policy in use, locked while it is replaced.
    let policy: Guarded<PolicySpecification>
    /// Gets what this session measures of its paths, for the next one.
    private let memory: PathMemory?
    /// The peer's authenticated key.
    public let peerKey: PublicKey
    var hub: EventHub { core.hub }

    init(
        link: SessionLink, core: SessionCore, policy: PolicySpecification, peerKey: PublicKey,
        memory: PathMemory? = nil
    ) {
        self.link = link
        self.core = core
        self.policy = Guarded(policy)
        self.peerKey = peerKey
        self.memory = memory
    }

    // MARK: connecting

    /// Opens the paths and makes the handshake over them.
    ///
    /// - Throws: `SessionError`: `ended` if the server does not answer or refuses, `network` if no
    ///   path can be opened, `learning` if the policy or its model cannot be used; or
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

    /// Like `connect`, but returns before the handshake: `waitUntilEstablished` waits for it.
    public static func start(_ options: ClientOptions) throws(SessionError) -> Session {
        var configuration = options.connection
        configuration.isRecording = options.recorder != nil
        configuration.seed = options.seed ?? UInt64.random(in: .min ... .max)
        let core: SessionCore
        let driver: ClientDriver
        let policy: PolicySpecification
        let known = options.memory?.takeAll(of: options.identity.peer) ?? []
        do {
            policy = try options.policy.resolved(names: options.plans.map(\.name))
            let selector = try PathSelector(
                policy, model: options.model, seed: configuration.seed)
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
                known: known, stopped: options.leftOut,
                onEvent: { core.handle($0) }, onRecord: { core.record($0) })
        } catch {
            options.memory?.add(known, of: options.identity.peer)
            throw SessionError(opening: error)
        }
        return Session(
            link: .client(driver), core: core, policy: policy, peerKey: options.identity.peer,
            memory: options.memory)
    }

    /// Returns after the handshake.
    ///
    /// - Throws: `SessionError.ended` if it fails, or `CancellationError`.
    public func waitUntilEstablished() async throws {
        await hub.wait(for: .established)
        try checkOpen()
        try Task.checkCancellation()
    }

    func checkOpen() throws(SessionError) {
        if let reason = hub.reason { throw .ended(reason) }
    }

    // MARK: end and status

    /// Closes the connection, and waits until the peer knows or the close was repeated often
    /// enough.
    ///
    /// Undelivered data may be lost: wait for its delivery first. A cancelled task can close a
    /// session too; cancellation does not shorten this wait of at most a second.
    ///
    /// - Parameter notice: what the peer is told; of two calls the first one counts.
    public func close(_ notice: CloseNotice = .done) async {
        memory?.add(link.takeKnownPaths(), of: peerKey)
        link.with { connection, now in connection.close(notice, now: now) }
        await Task { [link] in
            // The driver's thread may have ended, and then nothing changes any more.
            for _ in 0..<500 where !link.read({ connection, _ in connection.isClosed }) {
                try? await Task.sleep(for: .milliseconds(2))
            }
        }.value
        core.end(link.read { connection, _ in connection.reason } ?? .local)
        core.endRecording()
    }

    /// Why the session ended, if it did.
    public var closeReason: CloseReason? { hub.reason }

    /// Returns when the session has ended, and why; nil if the task is cancelled before.
    public func waitUntilEnded() async -> CloseReason? {
        await hub.wait(for: .ended)
        return hub.reason
    }

    /// The events from now on, for `for await`; the last one is `closed`.
    ///
    /// Each call returns its own sequence. A sequence that is not read keeps the newest 4096
    /// events.
    public var events: AsyncStream<SessionEvent> { core.feed.events() }

    /// The events without those of messages, for those who watch a busy session.
    public var changes: AsyncStream<SessionEvent> { core.feed.events(withMessages: false) }

    /// Makes the paths of a name standby, so that they are used only when no other one works, or
    /// active again; the peer is told.
    ///
    /// For clients; a server's paths follow their client. It holds for the session, also when a path
    /// goes and returns with its interface.
    public func setStandby(name: String, _ isStandby: Bool) { link.setStandby(name, isStandby) }

    /// Removes the paths of a name, also when their interface comes back, or lets them be opened
    /// again; a path that is removed carries nothing, not even keep-alives.
    ///
    /// For clients; it holds for the session.
    public func setStopped(name: String, _ isStopped: Bool) { link.setStopped(name, isStopped) }

    /// Asks on all paths whether the peer still answers; `SessionStatus.silence` tells.
    public func probe() {
        link.with { connection, now in connection.probePaths(includingWorking: true, now: now) }
    }

    /// The current status of the session, for users.
    public func status() -> SessionStatus {
        var status = link.read { connection, now in core.status(of: connection, now: now) }
        for index in status.paths.indices {
            status.paths[index].local = link.localAddress(of: status.paths[index].path)?.description
        }
        status.absentPaths = absentPaths()
        if status.isJudged { status.judgement = core.report() }
        return status
    }
}
