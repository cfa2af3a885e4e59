internal import PathTelemetry
internal import PathNetwork
internal import PathTransport
internal import Synchronization

/// Keeps a connection to a server: it makes a session, and another one whenever it ends, until
/// `close`.
///
///     let persistent = PersistentSession { try ClientOptions(key: key, server: peer, to: names) }
///     for await session in persistent.sessions { await use(session) }
///
/// After a failure or the end of a session it waits for 1, 2, 4, 8, 16 and then 30 s, each shortened
/// by up to a quarter at random. Changes of the host's interfaces end a wait. The wait begins at one
/// second again after a session that lasted 30 s. If the server refuses this client (unknown key,
/// other version), attempts go on nevertheless, as its configuration may change.
///
/// A session that the application closes itself ends all: no other one follows.
public final class PersistentSession: Sendable {
    /// Makes the options of one attempt.
    ///
    /// It runs on a thread of its own and may wait for the name server, so that each attempt uses
    /// the server's present addresses.
    public typealias Setup = @Sendable () throws(SessionError) -> ClientOptions

    /// Every session after its handshake, in turn; ends with `close`.
    ///
    /// For one task. Only the newest session waits for a reader.
    public let sessions: AsyncStream<Session>
    /// The status after each change of its phase, the present one first; ends with `close`.
    ///
    /// For one task.
    public let changes: AsyncStream<PersistentStatus>

    private struct State {
        var status = PersistentStatus()
        var session: Session?
        var loop: Task<Void, Never>?
        var isClosed = false
        /// How many times somebody asked to try again at once.
        var wishes = 0
    }
    private let state = Guarded(State())
    private let setup: Setup
    private let publish: AsyncStream<Session>.Continuation
    private let report: AsyncStream<PersistentStatus>.Continuation

    /// Starts at once.
    public init(_ setup: @escaping Setup) {
        self.setup = setup
        (sessions, publish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (changes, report) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
        report.yield(state.withLock { $0.status })
        let loop = Task { await self.run() }
        state.withLock { $0.loop = loop }
    }

    /// The present phase, and the latest error.
    public var status: PersistentStatus { state.withLock { $0.status } }

    /// The present session, if there is one.
    public var session: Session? { state.withLock { $0.session } }

    /// Ends a wait, for example because the host's network has changed.
    public func retryNow() { state.withLock { $0.wishes += 1 } }

    /// Closes the present session and makes no other one.
    public func close() async {
        let (session, loop) = state.withLock { state in
            state.isClosed = true
            return (state.session, state.loop)
        }
        loop?.cancel()
        await session?.close()
        end()
    }

    // MARK: the task

    private func run() async {
        var delay = ReconnectDelay()
        while !Task.isCancelled {
            var lived = TimeDelta.zero
            var failure: SessionError
            do {
                let session = try await Session.connect(try await options())
                guard begin(session) else {
                    await session.close()
                    break
                }
                let start = MonotonicClock.now()
                let reason = await session.waitUntilEnded()
                lived = MonotonicClock.now() - start
                // Ends the recording, and the waits that the connection's end has not reached.
                await session.close()
                guard let reason, reason != .local else { break }
                failure = .ended(reason)
            } catch {
                failure = SessionError(opening: error)
            }
            if Task.isCancelled { break }
            let pause = delay.next(
                afterLiving: lived, draw: Double.random(in: 0..<1))
            let wishes = change { state in
                state.session = nil
                state.status.phase = .waiting(pause.duration)
                state.status.lastError = failure
                state.status.refusals = failure.isRefusal ? state.status.refusals + 1 : 0
                return state.wishes
            }
            await wait(pause, wishes: wishes)
            if Task.isCancelled { break }
            change { $0.status.phase = .connecting }
        }
        end()
    }

    /// Notes a new session; returns false if this was closed meanwhile.
    private func begin(_ session: Session) -> Bool {
        let isOpen = change { state in
            guard !state.isClosed else { return false }
            state.session = session
            state.status.phase = .connected
            state.status.attempts = 0
            state.status.sessions += 1
            state.status.refusals = 0
            return true
        }
        if isOpen { publish.yield(session) }
        return isOpen
    }

    /// Waits; a wish or a change of the interfaces ends it early.
    private func wait(_ pause: TimeDelta, wishes: Int) async {
        let end = MonotonicClock.now() + pause
        let interfaces = try? InterfaceWatcher.list(includingLoopback: true)
        while !Task.isCancelled {
            let rest = end - MonotonicClock.now()
            guard rest > .zero, state.withLock({ $0.wishes }) == wishes,
                interfaces == (try? InterfaceWatcher.list(includingLoopback: true))
            else { return }
            try? await Task.sleep(for: min(rest, .milliseconds(250)).duration)
        }
    }

    /// Makes the options on a thread of its own, since tasks have few threads and names may take
    /// long.
    private func options() async throws -> ClientOptions {
        change { $0.status.attempts += 1 }
        return try await withCheckedThrowingContinuation { continuation in
            do throws(WorkerThread.Refusal) {
                try WorkerThread(named: "pathwise-names") { [setup] in
                    continuation.resume(with: Result { try setup() })
                }.detach()
            } catch {
                continuation.resume(
                    throwing: NetworkError.system(
                        .startThread, target: "name resolution", code: error.code))
            }
        }
    }

    /// Changes the state, and reports a new phase.
    @discardableResult
    private func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        let (result, told) = state.withLock { state in
            let before = state.status.phase
            let result = body(&state)
            guard state.status.phase != before else { return (result, PersistentStatus?.none) }
            let now = ContinuousClock.now
            // The time without a session counts over all its attempts and waits.
            if before == .connected || state.status.phase == .connected {
                state.status.since = now
            }
            return (result, state.status)
        }
        if let told { report.yield(told) }
        return result
    }

    private func end() {
        change { state in
            state.session = nil
            state.status.phase = .closed
        }
        publish.finish()
        report.finish()
    }
}
