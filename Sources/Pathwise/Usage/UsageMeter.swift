internal import PathNetwork
internal import PathTelemetry

/// Counts the bytes of paths with caps across sessions, processes and restarts, and makes a path
/// standby while its cap is reached, or removes it if the cap is hard: that at once, as the session
/// knows what is left.
///
/// Call `follow` with each session of the program in turn, and `close` at the end. Counts are
/// written after 256 kB or 10 s; a process that is killed loses no more than that, as the counters
/// are read after each 256 kB at rates up to 400 Mbit/s, and every 5 ms above.
public final class UsageMeter: Sendable {
    private struct State {
        var counter: UsageCounter
        var session: Session?
        /// The session that was counted until the end.
        var latest: ObjectIdentifier?
    }

    private let state: Guarded<State>
    private let clock: LocalClock
    private let onChange: @Sendable (UsageChange) -> Void
    private let work = Guarded<Task<Void, Never>?>(nil)

    /// Reads the counts, and creates the folder for them if it does not exist.
    ///
    /// - Parameters:
    ///   - caps: by names of paths.
    ///   - folder: for one file for each path; it is made if there is none.
    ///   - onChange: is told when a cap is nearly reached, reached or renewed, or counts cannot be
    ///     stored; it is called from the meter's task.
    /// - Throws: `UsageError` for a folder or a file that cannot be used.
    public convenience init(
        caps: [String: ByteCap], folder: String,
        onChange: @escaping @Sendable (UsageChange) -> Void
    ) throws(UsageError) {
        try self.init(caps, folder, .system, onChange)
    }

    init(
        _ caps: [String: ByteCap], _ folder: String, _ clock: LocalClock,
        _ onChange: @escaping @Sendable (UsageChange) -> Void
    ) throws(UsageError) {
        try UsageFolder.make(folder)
        state = Guarded(
            State(
                counter: try UsageCounter(
                    caps, folder: folder, today: clock.today, now: MonotonicClock.now())))
        self.clock = clock
        self.onChange = onChange
    }

    /// Counts all bytes of this session, after those of the former one.
    public func follow(_ session: Session) { follow(session, known: [:]) }

    /// Counts the bytes of a session that is under way and that another meter has counted so far.
    ///
    /// - Parameters:
    ///   - session: the session.
    ///   - former: that meter, which is closed; if there was none, counting begins now.
    public func follow(_ session: Session, after former: UsageMeter?) {
        guard let former else {
            let counters = session.counters(includingRemoved: true)
            return follow(
                session,
                known: Dictionary(counters.map { ($0.path, $0) }, uniquingKeysWith: { $1 }))
        }
        let (latest, known) = former.state.withLock { ($0.latest, $0.counter.last) }
        // The former meter wrote its last bytes after this one had read the files.
        state.withLock { $0.counter.flush(now: MonotonicClock.now()) }.forEach { onChange($0) }
        // Nobody has counted a session that began when the former meter was closed.
        follow(session, known: latest == ObjectIdentifier(session) ? known : [:])
    }

    private func follow(_ session: Session, known: [PathID: PathCounters]) {
        read()
        // A cap may have been renewed since the session was made.
        let stopped = Set(session.absentPaths().filter(\.isCapped).map(\.name))
        state.withLock { state in
            state.session = session
            state.latest = ObjectIdentifier(session)
            state.counter.beginSession(after: known, without: stopped)
        }
        // The caps hold from the next burst on, however long the task below waits for a thread.
        read()
        work.withLock { work in
            if work == nil { work = Task.detached { [weak self] in await UsageMeter.run(self) } }
        }
        // A path whose cap is reached must not carry data until the next reading.
        let events = session.events
        Task { [weak self] in
            for await case .pathChanged(let change) in events where change.to == .active {
                self?.read()
            }
        }
    }

    /// How much of each cap is used.
    public var uses: [CapUse] {
        let today = clock.today
        return state.withLock { $0.counter.uses(on: today) }
    }

    /// The paths whose caps are reached, as far as was counted.
    public var held: Set<String> { state.withLock { $0.counter.held } }

    /// The paths whose hard caps are reached today; a new session must not open them.
    public var stopped: Set<String> {
        let today = clock.today
        let (stopped, changes) = state.withLock { state in
            let changes = state.counter.take([], today: today, now: MonotonicClock.now())
            return (state.counter.stopped, changes)
        }
        changes.forEach { onChange($0) }
        return stopped
    }

    /// Counts the last bytes and writes them; the session goes on without being counted.
    public func close() async {
        let task = work.withLock { work in
            defer { work = nil }
            return work
        }
        task?.cancel()
        await task?.value
        read()
        state.withLock { state in
            state.session = nil
            return state.counter.flush(now: MonotonicClock.now())
        }.forEach { onChange($0) }
    }

    // MARK: work

    private static func run(_ meter: @autoclosure () -> UsageMeter?) async {
        var pace = CountingPace()
        while !Task.isCancelled, let bytes = meter()?.read() {
            try? await Task.sleep(for: pace.pause(after: bytes))
        }
    }

    /// Reads the session's counters; returns the bytes since the reading before.
    @discardableResult
    private func read() -> UInt64 {
        let session = state.withLock { $0.session }
        guard let session else { return 0 }
        let counters = session.counters(includingRemoved: true)
        let today = clock.today
        var (changes, bytes, wishes, budgets) = state.withLock { state in
            guard state.session === session else {
                return ([UsageChange](), UInt64(0), [UsageWish](), [UsageBudget]())
            }
            let before = state.counter.counted
            let changes = state.counter.take(counters, today: today, now: MonotonicClock.now())
            return (
                changes, state.counter.counted &- before, state.counter.wishes(for: counters),
                state.counter.budgets(for: counters, on: today)
            )
        }
        for budget in budgets {
            let late = UsageFile.Count(received: session.link.setBudget(budget))
            guard late.received > 0 else { continue }
            changes += state.withLock { state in
                state.counter.take(late, of: budget.name, today: today, now: MonotonicClock.now())
            }
        }
        for wish in wishes {
            if wish.isHard {
                session.setStopped(name: wish.name, wish.isHeld)
            } else {
                session.setStandby(name: wish.name, wish.isHeld)
            }
        }
        changes.forEach { onChange($0) }
        return bytes
    }
}
