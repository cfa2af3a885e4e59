public import PathTelemetry
public import PathTransport

/// Where a path of a client runs: through which interface or address, and to which server address.
public struct PathPlan: Hashable, Sendable {
    public var name: String
    /// Interface to bind to, and local address; nil leaves the choice to the system.
    public var interface: String?
    public var local: SocketAddress?
    public var remote: SocketAddress
    public var traits: PathTraits

    public init(
        name: String, interface: String? = nil, local: SocketAddress? = nil,
        remote: SocketAddress, traits: PathTraits = PathTraits()
    ) {
        self.name = name
        self.interface = interface
        self.local = local
        self.remote = remote
        self.traits = traits
    }
}

/// Runs one client connection over real sockets, on a thread of its own.
///
/// *Any thread*: `with`, `addPath`, `removePath`, `stop`. Events and records are handed to the
/// closures given, on the driver's thread; records while the connection is locked, so that their
/// closure must be quick and must not call back.
public final class ClientDriver: @unchecked Sendable {
    public typealias EventHandler = @Sendable (ConnectionEvent) -> Void
    public typealias RecordHandler = @Sendable (borrowing TransportRecord) -> Void

    private let lock = DriverLock()
    private var connection: Connection
    private var sockets: SocketSet
    private let poller: Poller
    /// Of the driver's thread alone.
    private var ready = Poller.Events()
    private var plans: [PathID: PathPlan] = [:]
    private var isStopping = false
    private let planner: PathPlanner?
    private var watcher: InterfaceWatcher?
    private let waker: Waker
    private let onEvent: EventHandler
    private let onRecord: RecordHandler
    private let socketOptions: UDPSocket.Options
    private var pendingEvents: [ConnectionEvent] = []
    /// When the connection has something to do; samples of a recording do not count.
    private var connectionDue = Instant.zero
    private var wallClock = WallClockDistance()

    /// Opens the sockets and starts the thread; the handshake begins at once.
    ///
    /// A plan whose socket cannot be opened is left out as long as another works.
    /// With a planner, paths follow the interfaces of the host from then on.
    /// - Throws: the first plan's `NetworkError` when none works.
    public init(
        connection: consuming Connection, plans: [PathPlan], planner: PathPlanner? = nil,
        options: UDPSocket.Options = UDPSocket.Options(), onEvent: @escaping EventHandler,
        onRecord: @escaping RecordHandler
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
        if planner != nil {
            let watcher = try InterfaceWatcher(includingLoopback: true)
            try self.poller.add(watcher.descriptor, token: SocketSet.watcherToken)
            self.watcher = consume watcher
        }
        var failure: NetworkError?
        for plan in plans {
            do throws(NetworkError) {
                _ = try open(plan)
            } catch {
                failure = failure ?? error
            }
        }
        if self.plans.isEmpty, let failure { throw failure }
        guard startThread(named: "pathwise-client", { [self] in run() }) else {
            throw .system(.startThread, target: "the client's driver", code: 11)
        }
    }

    // MARK: any thread

    /// Lends the connection to the caller, then lets the driver see to what that brought.
    public func with<Result, Failure: Error>(
        _ body: (inout Connection, Instant) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        return try body(&connection, MonotonicClock.now())
    }

    /// As `with`, for a look that changes nothing.
    public func read<Result>(_ body: (borrowing Connection, Instant) -> Result) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return body(connection, MonotonicClock.now())
    }

    /// Opens a socket for a plan and adds its path.
    ///
    /// - Returns: the path's number, nil when the connection takes no more.
    public func addPath(_ plan: PathPlan) throws(NetworkError) -> PathID? {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        return try open(plan)
    }

    /// Takes a path out of service: its interface or address is gone.
    public func removePath(_ path: PathID) {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        close(path)
    }

    /// Ends the thread at once; without `Connection.close` before, the peer hears nothing.
    public func stop() {
        lock.lock()
        isStopping = true
        lock.unlock()
        waker.wake()
    }

    // MARK: the driver's thread

    private func open(_ plan: PathPlan) throws(NetworkError) -> PathID? {
        let socket = try openSocket(plan)
        let limit = sockets.datagramLimit(of: socket, to: plan.remote)
        guard
            let path = connection.addPath(
                name: plan.name, traits: plan.traits, socket: socket,
                local: sockets.localAddress(of: socket), remote: plan.remote,
                datagramLimit: limit, now: MonotonicClock.now())
        else {
            sockets.remove(socket, poller: poller)
            return nil
        }
        plans[path] = plan
        return path
    }

    /// Binds to the interface if this process may, else to its address alone.
    private func openSocket(_ plan: PathPlan) throws(NetworkError) -> Int {
        let local = plan.local ?? .any(plan.remote.family, port: 0)
        if let interface = plan.interface,
            let socket = try? sockets.add(
                local: local, interface: interface, options: socketOptions, poller: poller)
        {
            return socket
        }
        return try sockets.add(
            local: local, interface: nil, options: socketOptions, poller: poller)
    }

    private func close(_ path: PathID) {
        guard let socket = connection.endpoint(of: path)?.socket else { return }
        connection.removePath(path, now: MonotonicClock.now())
        sockets.remove(socket, poller: poller)
        plans[path] = nil
    }

    /// Interfaces or addresses came or went: paths follow.
    private func followInterfaces() {
        guard let planner, let changes = try? watcher?.readChanges(), !changes.isEmpty,
            let interfaces = watcher?.interfaces
        else { return }
        let wanted = planner.plans(interfaces)
        for (path, plan) in plans where !wanted.contains(plan) { close(path) }
        for plan in wanted where !plans.values.contains(plan) { _ = try? open(plan) }
    }

    private func run() {
        Poller.setTimerSlack(.microseconds(1))
        while true {
            lock.lockAsDriver()
            let deadline = isStopping ? nil : round()
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

    /// Takes samples and does what is to be done.
    ///
    /// A wake-up for a sample alone leaves the connection in peace: a recording changes nothing.
    /// - Returns: when to come again, nil when the connection is over.
    private func round() -> Instant? {
        let now = MonotonicClock.now()
        if connection.sampleTimeout <= now {
            connection.takeSamples(now: now)
            connection.drainRecords(onRecord)
        }
        if ready.count > 0 || ready.wasWoken || connectionDue <= now {
            if let distance = wallClock.measure(now: now) { connection.setUTCOffset(distance) }
            guard let due = work() else { return nil }
            connectionDue = due
        }
        return min(connectionDue, connection.sampleTimeout)
    }

    /// Everything that arrived, is due, and may be sent.
    ///
    /// When there is more, nil when the connection is over.
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
        now = MonotonicClock.now()
        if connection.pollTimeout(now: now) <= now { connection.handleTimeout(now: now) }
        while let transmit = unsafe connection.pollTransmit(
            into: sockets.transmitBuffer, now: now)
        {
            if let trouble = sockets.send(transmit) { report(trouble, transmit, now) }
            now = MonotonicClock.now()
        }
        connection.drainRecords(onRecord)
        while let event = connection.pollEvent() { pendingEvents.append(event) }
        return connection.isClosed ? nil : connection.pollTimeout(now: now)
    }

    private func path(of socket: Int) -> PathID? {
        for path in connection.pathIDs where connection.endpoint(of: path)?.socket == socket {
            return path
        }
        return nil
    }

    private func handle(_ fault: SocketFault, _ socket: Int, _ now: Instant) {
        guard let path = path(of: socket) else { return }
        let headers = fault.destination?.family == .ipv6 ? 48 : 28
        switch fault.kind {
        case .tooBig(let mtu):
            connection.handleSocketFault(path, datagramLimit: mtu - headers, now: now)
        case .unreachable: connection.handleSocketFault(path, datagramLimit: nil, now: now)
        default: break
        }
    }

    private func report(_ trouble: SendResult, _ transmit: Transmit, _ now: Instant) {
        let headers = transmit.remote.family == .ipv6 ? 48 : 28
        switch trouble {
        case .tooBig(let mtu):
            let limit = mtu > 0 ? mtu - headers : transmit.segmentSize - 1
            connection.handleSocketFault(transmit.path, datagramLimit: limit, now: now)
        case .unreachable, .failed:
            connection.handleSocketFault(transmit.path, datagramLimit: nil, now: now)
        default: break
        }
    }
}
