public import PathTelemetry
public import PathTransport

/// What users change of the paths while a connection runs. *Any thread.*
extension ClientDriver {
    /// Makes the path of a name standby or active again, now and whenever it is opened again.
    public func setStandby(_ name: String, _ isStandby: Bool) {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        standby[name] = isStandby
        for (path, attempt) in attempts where attempt.plan.name == name {
            connection.setStandby(path, isStandby, now: MonotonicClock.now())
        }
    }

    /// Ends what `setStandby`, `setStopped` and `setBudget` have said of a path, so that only its plan
    /// counts.
    public func setFree(_ name: String) {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        standby[name] = nil
        budgets[name] = nil
        lateBytes[name] = nil
        for (path, attempt) in attempts where attempt.plan.name == name {
            let isBackup = attempt.plan.traits.isBackup
            connection.setStandby(path, isBackup, now: MonotonicClock.now())
        }
        allow(name)
    }

    /// Follows another planner from now on; only for a driver that was made with one.
    ///
    /// A path that it gives too stays, with its number, its packets in flight and what is known of it,
    /// and takes the new traits. One that it does not give is removed, after the peer was told, and
    /// what was under way on it is sent on others. New ones are opened.
    public func setPlanner(_ planner: PathPlanner) {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        guard let interfaces = watcher?.interfaces else { return }
        self.planner = planner
        wanted = planner.plans(interfaces)
        failures = [:]
        let now = MonotonicClock.now()
        for (path, attempt) in attempts {
            guard let plan = wanted.first(where: { attempt.continues(as: $0) }) else {
                leave(path)
                numbers[attempt.plan.name] = nil
                continue
            }
            attempts[path]?.adopt(plan)
            var traits = plan.traits
            traits.isBackup = standby[plan.name] ?? traits.isBackup
            connection.setTraits(path, traits, local: address(of: path), now: now)
        }
        // The next round opens what is missing.
        retryAt = .zero
        connectionDue = .zero
    }

    /// Begins to record, from the beginning if it records already, or stops; records go to the closure
    /// of the driver.
    ///
    /// No decision is made between the last record before `change` and the first one after it.
    ///
    /// - Parameter change: replaces what takes the records, and says whether there are any from now on;
    ///   it is called while the connection is locked.
    public func setRecording(after change: (inout Connection) -> Bool) {
        lock.lock()
        defer {
            lock.unlock()
            waker.wake()
        }
        let now = MonotonicClock.now()
        connection.takeSamples(now: now)
        connection.setRecording(false, now: now)
        connection.drainRecords(onRecord)
        if change(&connection) {
            var addresses: [Int: SocketAddress] = [:]
            for path in connection.pathIDs {
                guard let socket = connection.endpoint(of: path)?.socket else { continue }
                addresses[socket] = sockets.localAddress(of: socket)
            }
            connection.setRecording(true, local: { addresses[$0] }, now: now)
            connection.drainRecords(onRecord)
        }
        connectionDue = .zero
    }

    private func address(of path: PathID) -> SocketAddress? {
        connection.endpoint(of: path).flatMap { sockets.localAddress(of: $0.socket) }
    }

    /// Tells the peer that a path is gone, and closes it.
    func leave(_ path: PathID) {
        // Twice, as nothing tells whether it has arrived.
        for _ in 0..<2 {
            let now = MonotonicClock.now()
            guard
                let farewell = unsafe connection.pollFarewell(
                    of: path, into: sockets.transmitBuffer, now: now)
            else { break }
            _ = sockets.send(farewell)
        }
        close(path)
    }
}
