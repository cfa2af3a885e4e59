public import PathTelemetry
public import PathTransport

/// Runs one client connection over real sockets, on its own thread.
///
/// *Any thread*: `with`, `addPath`, `removePath`, `stop`. The closures get events and records on
/// the driver's thread; records come while the connection is locked, so their closure must be quick
/// and must not call back.
public final class ClientDriver: @unchecked Sendable {
    public typealias EventHandler = @Sendable (ConnectionEvent) -> Void
    public typealias RecordHandler = @Sendable (borrowing TransportRecord) -> Void

    let lock = DriverLock()
    var connection: Connection
    var sockets: SocketSet
    private let poller: Poller
    /// Used only on the driver's thread.
    private var ready = Poller.Events()
    var attempts: [PathID: PathAttempt] = [:]
    /// Paths whose user put them into reserve, or back into use, by name.
    var standby: [String: Bool] = [:]
    /// Names of paths that must not exist, because their caps are used up.
    private var stopped: Set<String>
    /// What paths with hard caps may still carry, by name.
    var budgets: [String: PathBudget] = [:]
    /// What was under way to paths when their budgets were spent, until it is told.
    var lateBytes: [String: UInt64] = [:]
    var knownPaths: KnownPaths
    private var isStopping = false
    var planner: PathPlanner?
    var watcher: InterfaceWatcher?
    let waker: Waker
    private let onEvent: EventHandler
    let onRecord: RecordHandler
    private let socketOptions: UDPSocket.Options
    private var pendingEvents: [ConnectionEvent] = []
    /// When the connection next has something to do, apart from samples for a recording.
    var connectionDue = Instant.zero
    /// Until when the thread waits unless it is woken.
    private var waitsUntil = Instant.zero
    private var wallClock = WallClockDistance()
    private var sleepWatch = SleepWatch()
    /// The paths that should exist, and when to try again to open those that could not be.
    var wanted: [PathPlan]
    var retryAt = Instant.distantFuture
    /// Why the wanted paths could not be opened, by name.
    var failures: [String: NetworkError] = [:]
    /// The last number of each path that existed, by name.
    var numbers: [String: PathID] = [:]
    private static let retryInterval = TimeDelta.seconds(1)

    /// Opens the sockets and starts the thread; the handshake begins at once.
    ///
    /// A plan whose socket cannot be opened is skipped as long as another works. With a planner,
    /// paths follow the interfaces of the host from then on.
    ///
    /// - Parameters:
    ///   - known: what earlier connections to the server measured.
    ///   - stopped: names of paths that are not opened before `setStopped` or `setFree` allows it,
    ///     because their caps are used up.
    /// - Throws: the first plan's `NetworkError` if none works.
    public init(
        connection: consuming Connection, plans: [PathPlan], planner: PathPlanner? = nil,
        known: [KnownPath] = [], stopped: Set<String> = [],
        options: UDPSocket.Options = UDPSocket.Options(),
        onEvent: @escaping EventHandler, onRecord: @escaping RecordHandler
    ) throws(NetworkError) {
        let poller = try Poller()
        let sockets = try SocketSet()
        waker = poller.waker
        self.poller = poller
        self.connection = connection
        self.sockets = sockets
        self.onEvent = onEvent
        self.onRecord = onRecord
        socketOptions = options
        self.planner = planner
        knownPaths = KnownPaths(known)
        self.stopped = stopped
        wanted = plans
        if planner != nil {
            let watcher = try InterfaceWatcher(includingLoopback: true)
            try self.poller.add(watcher.descriptor, token: SocketSet.watcherToken)
            self.watcher = consume watcher
        }
        var failure: NetworkError?
        for plan in plans where !stopped.contains(plan.name) {
            do throws(NetworkError) {
                _ = try open(plan)
            } catch {
                failure = failure ?? error
                failures[plan.name] = error
                retryAt = MonotonicClock.now() + ClientDriver.retryInterval
            }
        }
        if attempts.isEmpty, let failure { throw failure }
        do throws(WorkerThread.Refusal) {
            try WorkerThread(named: "pathwise-client") { [self] in run() }.detach()
        } catch {
            throw .system(.startThread, target: "the client's driver", code: error.code)
        }
    }

    // MARK: any thread

    /// Lends the connection to the caller, then sends what may be sent at once on the caller's
    /// thread, because to wake another takes longer; the driver does the rest.
    public func with<Result, Failure: Error>(
        _ body: (inout Connection, Instant) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock.lock()
        defer {
            let isEnough = sendPromptly()
            lock.unlock()
            if !isEnough { waker.wake() }
        }
        return try body(&connection, MonotonicClock.now())
    }

    /// As `with`, for reading only.
    public func read<Result>(_ body: (borrowing Connection, Instant) -> Result) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return body(connection, MonotonicClock.now())
    }

    /// The address of a path's socket; nil if there is no such path.
    public func localAddress(of path: PathID) -> SocketAddress? {
        lock.lock()
        defer { lock.unlock() }
        return connection.endpoint(of: path).flatMap { sockets.localAddress(of: $0.socket) }
    }

    /// Opens a socket for a plan and adds its path.
    ///
    /// - Returns: the path's number; nil if the connection accepts no more.
    public func addPath(_ plan: PathPlan) throws(NetworkError) -> PathID? {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        return try open(plan)
    }

    /// Removes a path whose interface or address is gone.
    public func removePath(_ path: PathID) {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        close(path)
    }

    /// Removes the path of a name and does not open it again, or lets it be opened again.
    public func setStopped(_ name: String, _ isStopped: Bool) {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        if isStopped {
            stop(name)
        } else {
            budgets[name] = nil
            lateBytes[name] = nil
            allow(name)
        }
    }

    private func stop(_ name: String) {
        guard stopped.insert(name).inserted else { return }
        for (path, attempt) in attempts where attempt.plan.name == name { leave(path) }
    }

    func allow(_ name: String) {
        guard stopped.remove(name) != nil else { return }
        // A path that was left out at the start is known to the planner only.
        if let planner, let interfaces = watcher?.interfaces {
            wanted = planner.plans(interfaces)
        }
        // The next round opens it.
        retryAt = .zero
        connectionDue = .zero
    }

    /// Removes the path of a name, as `setStopped` does, once it has carried so many bytes, less what
    /// is under way to it.
    ///
    /// - Parameters:
    ///   - name: of the path.
    ///   - bytes: with the headers of IP and UDP, both directions together, that it may carry from
    ///     the moment of `counted` on; a path that was removed because of an earlier call is opened
    ///     again if this allows more.
    ///   - path: its number then.
    ///   - counted: all that it had carried then.
    /// - Returns: what was under way to the path when it was removed, once; it has to be counted, and
    ///   is taken off `bytes`.
    public func setBudget(
        _ name: String, _ bytes: UInt64, of path: PathID, after counted: UInt64
    ) -> UInt64 {
        lock.lock()
        defer { lock.unlock() }
        let former = budgets[name]
        let late = lateBytes.removeValue(forKey: name) ?? 0
        budgets[name] = PathBudget(
            left: bytes - min(bytes, late), path: path, counted: counted, after: former)
        enforceBudget(of: path, name)
        if former?.isSpent == true, budgets[name]?.isSpent == false {
            allow(name)
            waker.wake()
        }
        return late
    }

    /// All that a path has carried, with the headers of IP and UDP.
    private func carried(by path: PathID) -> PathBudget.Carried {
        guard let statistics = connection.statistics(of: path),
            let endpoint = connection.endpoint(of: path)
        else { return PathBudget.Carried() }
        let headers = UInt64(endpoint.remote.family.headerBytes)
        return PathBudget.Carried(
            sent: statistics.bytesSent &+ statistics.packetsSent &* headers,
            received: statistics.bytesReceived &+ statistics.packetsReceived &* headers)
    }

    /// Removes a path whose budget is spent.
    private func enforceBudget(of path: PathID, _ name: String) {
        guard let budget = budgets[name], budget.path == path else { return }
        let carried = carried(by: path)
        let now = MonotonicClock.now()
        budgets[name]?.note(carried)
        if now >= budget.isDue, let snapshot = connection.snapshot(of: path, now: now) {
            budgets[name]?.measure(carried, roundTrip: snapshot.smoothedRTT, now: now)
        }
        guard budgets[name]?.isSpent == true, !stopped.contains(name) else { return }
        lateBytes[name] = budgets[name]?.underWay
        stop(name)
    }

    private func enforceBudgets() {
        for (path, attempt) in attempts { enforceBudget(of: path, attempt.plan.name) }
    }

    /// The paths that are wanted and do not exist: those of the rules, and those whose interface is
    /// gone.
    public var absentPaths: [AbsentPath] {
        lock.lock()
        let present = Set(attempts.values.map(\.plan.name))
        let (wanted, stopped, failures, numbers) = (wanted, stopped, failures, numbers)
        let interfaces = watcher?.interfaces ?? []
        lock.unlock()
        // The kernel is asked without the lock.
        var rules = wanted.map { PathPlanner.Rule(name: $0.name, source: .any) }
        if let planner {
            rules +=
                planner.rules.isEmpty
                ? numbers.keys.sorted().map { PathPlanner.Rule(name: $0, source: .interface($0)) }
                : planner.rules
        } else {
            rules += stopped.sorted().map { PathPlanner.Rule(name: $0, source: .any) }
        }
        var named = present
        return rules.compactMap { rule in
            let name = rule.name
            guard named.insert(name).inserted else { return nil }
            let cause =
                stopped.contains(name)
                ? .stopped
                : failures[name].map { .notOpened($0) } ?? planner?.cause(of: rule, interfaces)
            return cause.map { AbsentPath(name: name, cause: $0, path: numbers[name]) }
        }
    }

    /// Ends the thread at once; without an earlier `Connection.close` the peer is not told.
    public func stop() {
        lock.lock()
        isStopping = true
        lock.unlock()
        waker.wake()
    }

    /// Sends a few datagrams after a change of the connection, with the lock held.
    ///
    /// - Returns: whether the driver's thread need not look at the connection sooner than it will.
    private func sendPromptly() -> Bool {
        var now = MonotonicClock.now()
        let left = transmit(atMost: SocketSet.promptSends, now: &now)
        guard left > 0, !connection.isClosed else { return false }
        takeNews()
        connectionDue = min(connectionDue, connection.pollTimeout(now: now))
        return pendingEvents.isEmpty && connectionDue >= waitsUntil
    }

    /// Sends datagrams; returns how many more sends were allowed.
    private func transmit(atMost limit: Int, now: inout Instant) -> Int {
        var left = limit
        while left > 0,
            let transmit = unsafe connection.pollTransmit(into: sockets.transmitBuffer, now: now)
        {
            left -= 1
            if let trouble = sockets.send(transmit) {
                connection.handleUnsent(transmit, bytes: trouble.bytes)
                report(trouble.fault, transmit, now)
            }
            if !budgets.isEmpty, let name = attempts[transmit.path]?.plan.name {
                enforceBudget(of: transmit.path, name)
            }
            now = MonotonicClock.now()
        }
        return left
    }

    private func takeNews() {
        connection.drainRecords(onRecord)
        while let event = connection.pollEvent() { pendingEvents.append(event) }
    }

    // MARK: the driver's thread

    /// Opens the first way of a plan for which a socket can be opened.
    private func open(_ plan: PathPlan) throws(NetworkError) -> PathID? {
        var failure: NetworkError?
        var attempt = PathAttempt(plan, now: MonotonicClock.now())
        for _ in plan.ways {
            do throws(NetworkError) {
                guard let path = try open(attempt) else { return nil }
                attempts[path] = attempt
                failures[plan.name] = nil
                numbers[plan.name] = path
                budgets[plan.name]?.move(to: path, carried(by: path))
                return path
            } catch {
                failure = failure ?? error
                attempt.advance(now: MonotonicClock.now())
            }
        }
        if let failure { throw failure }
        return nil
    }

    /// - Parameter path: its number if the path already has one.
    private func open(
        _ attempt: PathAttempt, as path: PathID? = nil
    ) throws(NetworkError) -> PathID? {
        var traits = attempt.plan.traits
        traits.isBackup = standby[attempt.plan.name] ?? traits.isBackup
        let socket = try openSocket(attempt.plan.interface, attempt.way)
        let remote = attempt.way.remote
        let limit = sockets.datagramLimit(of: socket, to: remote)
        guard
            let path = connection.addPath(
                path, name: attempt.plan.name, traits: traits, socket: socket,
                local: sockets.localAddress(of: socket), remote: remote,
                datagramLimit: limit, now: MonotonicClock.now())
        else {
            sockets.remove(socket, poller: poller)
            return nil
        }
        resume(path, attempt.plan, attempt.way, socket: socket)
        return path
    }

    /// Binds to the interface if this process is allowed to, else only to its address.
    private func openSocket(
        _ interface: String?, _ way: PathPlan.Way
    ) throws(NetworkError) -> Int {
        let local = way.local ?? .any(way.remote.family, port: 0)
        if let interface,
            let socket = try? sockets.add(
                local: local, interface: interface, options: socketOptions, poller: poller)
        {
            return socket
        }
        return try sockets.add(
            local: local, interface: nil, options: socketOptions, poller: poller)
    }

    func close(_ path: PathID) {
        closeSocket(of: path)
        attempts[path] = nil
    }

    private func closeSocket(of path: PathID) {
        guard let socket = connection.endpoint(of: path)?.socket else { return }
        keepMeasurement(of: path)
        connection.removePath(path, now: MonotonicClock.now())
        sockets.remove(socket, poller: poller)
    }

    /// Adapts the paths to changed interfaces or addresses.
    private func followInterfaces() {
        guard let planner, let changes = try? watcher?.readChanges(), !changes.isEmpty,
            let interfaces = watcher?.interfaces
        else { return }
        wanted = planner.plans(interfaces)
        // What was wrong with an interface may not be any more.
        failures = [:]
        for path in attempts.keys {
            guard let plan = wanted.first(where: { attempts[path]?.fits($0) == true }) else {
                close(path)
                continue
            }
            attempts[path]?.adopt(plan)
        }
        let now = MonotonicClock.now()
        openMissing(now: now)
        connection.probePaths(includingWorking: sleepWatch.measure() != nil, now: now)
    }

    /// Opens the wanted paths that do not exist; what fails is tried again a second later, since an
    /// address may not be usable at once.
    private func openMissing(now: Instant) {
        retryAt = .distantFuture
        for plan in wanted where !stopped.contains(plan.name) {
            if attempts.values.contains(where: { $0.plan == plan }) { continue }
            do throws(NetworkError) {
                if try open(plan) != nil { continue }
            } catch {
                failures[plan.name] = error
            }
            retryAt = now + ClientDriver.retryInterval
        }
    }

    /// Switches paths without an answer to the next address that may reach the server.
    ///
    /// Returns when to call it again.
    private func tryOtherWays(now: Instant) -> Instant {
        var next = Instant.distantFuture
        for path in attempts.keys {
            guard let attempt = attempts[path], attempt.plan.ways.count > 1,
                let state = connection.state(of: path)
            else { continue }
            attempts[path]?.note(state, now: now)
            guard let due = attempts[path]?.nextWayAt else { continue }
            if due <= now { takeNextWay(path, now: now) }
            next = min(next, attempts[path]?.nextWayAt ?? .distantFuture)
        }
        return next
    }

    /// The path keeps its number, and with it its name and its state in the policy.
    private func takeNextWay(_ path: PathID, now: Instant) {
        closeSocket(of: path)
        for _ in 0..<(attempts[path]?.plan.ways.count ?? 0) {
            attempts[path]?.advance(now: now)
            if let attempt = attempts[path], (try? open(attempt, as: path)) != nil { return }
        }
        attempts[path] = nil
        retryAt = now + ClientDriver.retryInterval
    }

    /// Works until the end, and then gives the addresses free, however long this object lives.
    private func run() {
        runRounds()
        lock.lock()
        sockets.removeAll()
        lock.unlock()
    }

    private func runRounds() {
        Poller.setTimerSlack(.microseconds(1))
        while true {
            lock.lockAsDriver()
            let deadline = isStopping ? nil : round()
            waitsUntil = deadline ?? .zero
            let events = pendingEvents
            pendingEvents.removeAll(keepingCapacity: true)
            lock.unlock()
            for event in events { onEvent(event) }
            guard let deadline else { return }
            // Only this thread waits, so the poller needs no lock.
            do throws(NetworkError) {
                try poller.wait(until: deadline, into: &ready)
            } catch {
                return
            }
        }
    }

    /// Takes samples and does the due work.
    ///
    /// A wake-up only for a sample does not touch the connection, so recording does not change a
    /// run.
    /// - Returns: when to call it again; nil when the connection is over.
    private func round() -> Instant? {
        let now = MonotonicClock.now()
        if connection.sampleTimeout <= now {
            connection.takeSamples(now: now)
            connection.drainRecords(onRecord)
        }
        if ready.count > 0 || ready.wasWoken || connectionDue <= now {
            if let distance = wallClock.measure(now: now) {
                connection.setUTCOffset(distance)
                if sleepWatch.measure() != nil {
                    connection.probePaths(includingWorking: true, now: now)
                }
            }
            guard let due = work() else { return nil }
            connectionDue = due
        }
        return min(connectionDue, connection.sampleTimeout)
    }

    /// Processes everything that arrived, is due, or may be sent.
    ///
    /// Returns when there is more to do; nil when the connection is over.
    private func work() -> Instant? {
        for index in 0..<ready.count where ready[index].token == SocketSet.watcherToken {
            followInterfaces()
        }
        var now = MonotonicClock.now()
        unsafe sockets.receive(
            ready,
            datagram: { bytes, message, socket in
                unsafe connection.handleDatagram(
                    bytes, from: message.remote, socket: socket, receivedAt: message.receivedAt,
                    now: now)
            },
            fault: { fault, socket in handle(fault, socket, now) })
        if !budgets.isEmpty { enforceBudgets() }
        now = MonotonicClock.now()
        if retryAt <= now { openMissing(now: now) }
        if connection.pollTimeout(now: now) <= now { connection.handleTimeout(now: now) }
        _ = transmit(atMost: .max, now: &now)
        let nextWay = tryOtherWays(now: now)
        takeNews()
        let due = min(min(nextWay, retryAt), connection.pollTimeout(now: now))
        return connection.isClosed ? nil : due
    }

    private func path(of socket: Int) -> PathID? {
        for path in connection.pathIDs where connection.endpoint(of: path)?.socket == socket {
            return path
        }
        return nil
    }

    private func handle(_ fault: SocketFault, _ socket: Int, _ now: Instant) {
        guard let path = path(of: socket) else { return }
        let headers = (fault.destination?.family ?? .ipv4).headerBytes
        switch fault.kind {
        case .tooBig(let mtu):
            connection.handleSocketFault(path, datagramLimit: mtu - headers, now: now)
        case .unreachable:
            attempts[path]?.noteFault()
            connection.handleSocketFault(path, datagramLimit: nil, now: now)
        default: break
        }
    }

    private func report(_ trouble: SendResult, _ transmit: Transmit, _ now: Instant) {
        let headers = transmit.remote.family.headerBytes
        switch trouble {
        case .tooBig(let mtu):
            let limit = mtu > 0 ? mtu - headers : transmit.segmentSize - 1
            connection.handleSocketFault(transmit.path, datagramLimit: limit, now: now)
        case .unreachable, .failed:
            attempts[transmit.path]?.noteFault()
            connection.handleSocketFault(transmit.path, datagramLimit: nil, now: now)
        default: break
        }
    }
}
