public import PathTelemetry
public import PathTransport

/// Runs a server's endpoint and all its connections over real sockets, on one thread.
///
/// *Any thread*: `with`, `statistics`, `close`, `stop`. The closures get events with their
/// connection, and the notice that a connection is gone for good, on the driver's thread. Records
/// come while the driver is locked, so their closure must be quick and must not call back.
public final class ServerDriver: @unchecked Sendable {
    public typealias EventHandler = @Sendable (ServedConnection, ConnectionEvent) -> Void
    public typealias RecordHandler =
        @Sendable (ServedConnection, borrowing TransportRecord) -> Void
    public typealias GoneHandler = @Sendable (ServedConnection) -> Void
    public typealias RefusalHandler = @Sendable (RefusedClient) -> Void

    private let lock = DriverLock()
    private var endpoint: ServerEndpoint
    private var sockets: SocketSet
    private let poller: Poller
    /// Used only on the driver's thread.
    private var ready = Poller.Events()
    private var clients: [ServedConnection] = []
    private var isStopping = false
    private var hasEnded = false
    private let waker: Waker
    private let onEvent: EventHandler
    private let onRecord: RecordHandler
    private let onGone: GoneHandler
    private let onRefusal: RefusalHandler
    private var pendingEvents: [(ServedConnection, ConnectionEvent)] = []
    private var gone: [ServedConnection] = []
    private var refused: [RefusedClient] = []
    private var nextID = 0
    /// When a connection next has something to do, apart from samples for a recording.
    private var connectionsDue = Instant.zero
    /// Until when the thread waits unless it is woken.
    private var waitsUntil = Instant.zero
    /// When the next sample for a recording is due.
    private var samplesDue = Instant.distantFuture
    private var wallClock = WallClockDistance()
    private var utcOffset = TimeDelta.zero
    public let localAddresses: [SocketAddress]
    /// Whether each socket receives for several addresses of the host: answers then have to be sent
    /// from the same address, or the client does not recognise them.
    private let takesMany: [Bool]

    /// Opens the sockets and starts the thread.
    ///
    /// - Throws: `NetworkError` if listening on an address is not possible.
    public init(
        configuration: ServerConfiguration, listen: [SocketAddress],
        options: UDPSocket.Options = UDPSocket.Options(), onEvent: @escaping EventHandler,
        onRecord: @escaping RecordHandler, onGone: @escaping GoneHandler = { _ in },
        onRefusal: @escaping RefusalHandler = { _ in }
    ) throws {
        let endpoint = try ServerEndpoint(configuration, startedAt: StampClock.now())
        let poller = try Poller()
        var sockets = try SocketSet()
        var addresses: [SocketAddress] = []
        var options = options
        options.reportsTrafficClass = true
        for address in listen {
            let number = try sockets.add(
                local: address, interface: nil, options: options, poller: poller)
            addresses.append(sockets.localAddress(of: number) ?? address)
        }
        waker = poller.waker
        self.poller = poller
        localAddresses = addresses
        takesMany = addresses.map(\.isUnspecified)
        self.endpoint = endpoint
        self.sockets = sockets
        self.onEvent = onEvent
        self.onRecord = onRecord
        self.onGone = onGone
        self.onRefusal = onRefusal
        do throws(WorkerThread.Refusal) {
            try WorkerThread(named: "pathwise-server") { [self] in run() }.detach()
        } catch {
            throw NetworkError.system(.startThread, target: "the server's driver", code: error.code)
        }
    }

    // MARK: any thread

    /// Lends a connection to the caller, then sends what may be sent at once on the caller's
    /// thread, because to wake another takes longer; the driver does the rest.
    func with<Result, Failure: Error>(
        _ served: ServedConnection,
        _ body: (inout Connection, Instant) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock.lock()
        defer {
            let isEnough = sendPromptly(served)
            lock.unlock()
            if !isEnough { waker.wake() }
        }
        let now = MonotonicClock.now()
        return try unsafe served.box.with { (connection: inout Connection) throws(Failure) in
            try body(&connection, now)
        }
    }

    /// As `with`, for reading only.
    func read<Result>(
        _ served: ServedConnection, _ body: (borrowing Connection, Instant) -> Result
    ) -> Result {
        lock.lock()
        defer { lock.unlock() }
        let now = MonotonicClock.now()
        return unsafe served.box.with { body($0, now) }
    }

    public var statistics: ServerStatistics {
        lock.lock()
        defer { lock.unlock() }
        return endpoint.statistics
    }

    /// Closes all connections; events report when each has ended.
    public func close() {
        lock.lock()
        for box in endpoint.boxes { close(box, .done) }
        lock.unlock()
        waker.wake()
    }

    /// Allows these clients from now on, and no others; connections of clients that are not
    /// allowed any more, or have another pre-shared key, are closed.
    ///
    /// - Parameters:
    ///   - clients: each with its pre-shared key if it has one.
    ///   - suspended: clients that are not allowed now and may be again soon, so that they are not
    ///     told that it is for good.
    public func setClients(
        _ clients: [PublicKey: PresharedKey?], suspended: Set<PublicKey> = []
    ) {
        lock.lock()
        for box in endpoint.setClients(clients) {
            let key = box.with { $0.peerKey }
            let stays = clients[key] != nil || suspended.contains(key)
            close(box, stays ? .done : .withdrawn)
        }
        lock.unlock()
        waker.wake()
    }

    /// Changes what connections begin with from now on; those that exist keep what they have.
    ///
    /// - Parameter settings: whose policy, model and settings of connections are taken, and no more;
    ///   whether connections record stays as it is.
    public func setDefaults(_ settings: ServerConfiguration) {
        lock.lock()
        defer { lock.unlock() }
        var settings = settings
        settings.connection.isRecording = isRecording
        endpoint.setDefaults(settings)
    }

    /// Lets connections that begin from now on record, or not.
    public func setRecording(_ isRecording: Bool) {
        lock.lock()
        var settings = endpoint.configuration
        settings.connection.isRecording = isRecording
        endpoint.setDefaults(settings)
        samplesDue = .zero
        lock.unlock()
        waker.wake()
    }

    /// Lets one connection record from the beginning, or not.
    func setRecording(of served: ServedConnection, after change: (inout Connection) -> Bool) {
        lock.lock()
        unsafe served.box.with { core in
            let now = MonotonicClock.now()
            core.takeSamples(now: now)
            core.setRecording(false, now: now)
            core.drainRecords { onRecord(served, $0) }
            let isRecording = change(&core)
            core.setRecording(isRecording, now: now)
            core.drainRecords { onRecord(served, $0) }
        }
        samplesDue = .zero
        lock.unlock()
        waker.wake()
    }

    private func close(_ box: ConnectionBox, _ notice: CloseNotice) {
        let now = MonotonicClock.now()
        box.with { $0.close(notice, now: now) }
        box.due = .zero
    }

    /// Whether the thread has ended, so that nothing listens any more.
    public var isOver: Bool {
        lock.lock()
        defer { lock.unlock() }
        return hasEnded
    }

    /// Ends the thread at once; clients are not told.
    public func stop() {
        lock.lock()
        isStopping = true
        lock.unlock()
        waker.wake()
    }

    /// Sends a few datagrams after a change of a connection, with the lock held.
    ///
    /// - Returns: whether the driver's thread need not look at it sooner than it will.
    private func sendPromptly(_ served: ServedConnection) -> Bool {
        let due: Instant = unsafe served.box.with { core in
            var now = MonotonicClock.now()
            let left = transmit(of: &core, atMost: SocketSet.promptSends, now: &now)
            guard left > 0, !core.isClosed else { return .zero }
            takeNews(of: &core, served)
            return min(unsafe served.box.due, core.pollTimeout(now: now))
        }
        unsafe served.box.due = due
        return pendingEvents.isEmpty && min(due, samplesDue) >= waitsUntil
    }

    /// Sends datagrams of a connection; returns how many more sends were allowed.
    private func transmit(
        of core: inout Connection, atMost limit: Int, now: inout Instant
    ) -> Int {
        var left = limit
        while left > 0,
            let transmit = unsafe core.pollTransmit(into: sockets.transmitBuffer, now: now)
        {
            left -= 1
            if let trouble = sockets.send(transmit) {
                core.handleUnsent(transmit, bytes: trouble.bytes)
                ServerDriver.report(trouble.fault, transmit, &core, now)
            }
            now = MonotonicClock.now()
        }
        return left
    }

    private func takeNews(of core: inout Connection, _ served: ServedConnection) {
        core.drainRecords { onRecord(served, $0) }
        // The end is the last event of a connection.
        while unsafe !served.hasEnded, let event = core.pollEvent() {
            pendingEvents.append((served, event))
            if case .closed = event { unsafe served.hasEnded = true }
        }
        if isRecording { samplesDue = min(samplesDue, core.sampleTimeout) }
    }

    // MARK: the driver's thread

    /// Works until the end, and then gives the addresses free, however long this object lives.
    private func run() {
        runRounds()
        lock.lock()
        sockets.removeAll()
        hasEnded = true
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
            let ended = gone
            gone.removeAll(keepingCapacity: true)
            let refused = refused
            self.refused.removeAll(keepingCapacity: true)
            lock.unlock()
            for (connection, event) in events { onEvent(connection, event) }
            for connection in ended { onGone(connection) }
            for client in refused { onRefusal(client) }
            guard let deadline else { return }
            do throws(NetworkError) {
                try poller.wait(until: deadline, into: &ready)
            } catch {
                return
            }
        }
    }

    /// Takes samples and does the due work; returns when to call it again.
    ///
    /// A wake-up only for samples does not touch the connections, so recording does not change a
    /// run.
    private func round() -> Instant {
        let now = MonotonicClock.now()
        if samplesDue <= now { takeSamples(now) }
        if ready.count > 0 || ready.wasWoken || connectionsDue <= now {
            if let distance = wallClock.measure(now: now) { utcOffset = distance }
            connectionsDue = work()
        }
        return min(connectionsDue, samplesDue)
    }

    private var isRecording: Bool { endpoint.configuration.connection.isRecording }

    private func takeSamples(_ now: Instant) {
        samplesDue = .distantFuture
        for served in clients {
            unsafe served.box.with { core in
                if core.sampleTimeout <= now {
                    core.takeSamples(now: now)
                    core.drainRecords { onRecord(served, $0) }
                }
                samplesDue = min(samplesDue, core.sampleTimeout)
            }
        }
    }

    /// Takes what has arrived, and polls the connections that are due: those that got something,
    /// were used by the application, or have a timer that is over.
    ///
    /// Others cost a comparison, so that hundreds of idle clients do not delay a busy one.
    private func work() -> Instant {
        var now = MonotonicClock.now()
        unsafe sockets.receive(
            ready,
            datagram: { bytes, message, socket in
                let box = unsafe endpoint.handleDatagram(
                    bytes, from: message.remote, to: takesMany[socket] ? message.local : nil,
                    socket: socket, trafficClass: message.trafficClass,
                    receivedAt: message.receivedAt, now: now)
                box?.due = .zero
            },
            fault: { _, _ in })
        while let reply = unsafe endpoint.pollReply(into: sockets.transmitBuffer) {
            _ = sockets.send(reply)
        }
        while let refusal = endpoint.takeRefusal() { refused.append(refusal) }
        endpoint.handleTimeout(now: now)
        for box in endpoint.takeNewConnections() {
            let facts = box.with { SessionFacts(of: $0) }
            clients.append(ServedConnection(id: nextID, facts: facts, box: box, driver: self))
            nextID += 1
        }
        var next = endpoint.pollTimeout()
        var index = 0
        while index < clients.count {
            let served = clients[index]
            if unsafe served.box.due <= now {
                now = MonotonicClock.now()
                guard let due = serve(served, now) else {
                    clients.swapAt(index, clients.count - 1)
                    clients.removeLast()
                    continue
                }
                unsafe served.box.due = due
            }
            next = unsafe min(next, served.box.due)
            index += 1
        }
        return next
    }

    /// Processes one connection; returns when it is due again, or nil when it has ended.
    private func serve(_ served: ServedConnection, _ start: Instant) -> Instant? {
        let due: Instant? = unsafe served.box.with { core in
            var now = start
            core.setUTCOffset(utcOffset)
            if core.pollTimeout(now: now) <= now { core.handleTimeout(now: now) }
            _ = transmit(of: &core, atMost: .max, now: &now)
            takeNews(of: &core, served)
            return core.isClosed ? nil : core.pollTimeout(now: now)
        }
        if due == nil {
            unsafe endpoint.remove(served.box)
            gone.append(served)
        }
        return due
    }

    private static func report(
        _ trouble: SendResult, _ transmit: Transmit, _ connection: inout Connection, _ now: Instant
    ) {
        let headers = transmit.remote.family.headerBytes
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

/// One client's connection, for the application of a server.
public final class ServedConnection: Sendable {
    public typealias ID = Int

    /// Counted from zero in the order in which clients were authenticated.
    public let id: ID
    /// The facts that do not change while it lives.
    public let facts: SessionFacts
    nonisolated(unsafe) let box: ConnectionBox
    /// Whether its end was reported; used with the driver's lock.
    nonisolated(unsafe) var hasEnded = false
    private let driver: ServerDriver

    init(id: ID, facts: SessionFacts, box: ConnectionBox, driver: ServerDriver) {
        self.id = id
        self.facts = facts
        unsafe self.box = box
        self.driver = driver
    }

    /// Lends the connection to the caller, then lets the driver process the effects.
    public func with<Result, Failure: Error>(
        _ body: (inout Connection, Instant) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try driver.with(self, body)
    }

    /// As `with`, for reading only.
    public func read<Result>(_ body: (borrowing Connection, Instant) -> Result) -> Result {
        driver.read(self, body)
    }

    /// Begins to record, from the beginning if it records already, or stops; see `ClientDriver`.
    ///
    /// - Parameter change: replaces what takes the records, and says whether there are any from now on;
    ///   it is called while the connection is locked.
    public func setRecording(after change: (inout Connection) -> Bool) {
        driver.setRecording(of: self, after: change)
    }
}
