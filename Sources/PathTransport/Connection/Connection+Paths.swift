import PathLearning
public import PathTelemetry

extension Connection {
    /// Adds a path, or puts a removed one back into life under its number.
    ///
    /// A client's call.
    ///
    /// The peer hears of it by the first packet on it. False when `PathID.limit` paths exist or
    /// the number is in use.
    ///
    /// - Parameters:
    ///   - path: its number; nil takes the first free one.
    ///   - name: what the user calls it; the server hears it, and reports it.
    ///   - socket: number of the local socket, handed back in `Transmit`.
    ///   - local: the socket's address, for recordings.
    ///   - datagramLimit: largest UDP payload that the interface takes.
    @discardableResult
    public mutating func addPath(
        _ path: PathID? = nil, name: String = "", traits: PathTraits = PathTraits(), socket: Int,
        local: SocketAddress? = nil, remote: SocketAddress, datagramLimit: Int, now: Instant
    ) -> PathID? {
        guard !isServer, closeReason == nil else { return nil }
        let free = (0..<PathID.limit).map { PathID($0) }.first { candidate in
            index(of: candidate).map { !paths[$0].isAlive } ?? true
        }
        guard let number = path ?? free, number.rawValue < PathID.limit else { return nil }
        if let index = index(of: number) {
            guard !paths[index].isAlive else { return nil }
            revive(
                index, traits: traits, socket: socket, remote: remote,
                datagramLimit: datagramLimit, now: now)
        } else {
            makePath(
                number, traits: traits, socket: socket, remote: remote,
                datagramLimit: datagramLimit, now: now)
        }
        if let index = index(of: number) {
            paths[index].name = EscapedText(name).description
            paths[index].isNameDue = !name.isEmpty
            recordPath(index, local: local, now: now)
        }
        return number
    }

    /// Hands what a recording has to know of a path out, again when its name changed.
    mutating func recordPath(_ index: Int, local: SocketAddress? = nil, now: Instant) {
        guard configuration.isRecording else { return }
        if isServer, !paths[index].isUnrecorded { return }
        if paths[index].wasRecorded { records.append(.pathRemoved(paths[index].id, at: now)) }
        paths[index].isUnrecorded = false
        paths[index].wasRecorded = true
        records.append(
            .pathAdded(
                PathFacts(
                    path: paths[index].id, name: name(of: paths[index].id),
                    local: local ?? paths[index].local, remote: paths[index].remote,
                    traits: paths[index].traits, added: now)))
    }

    mutating func makePath(
        _ number: PathID, traits: PathTraits, socket: Int, remote: SocketAddress,
        local: SocketAddress? = nil, datagramLimit: Int, now: Instant
    ) {
        paths.append(
            Path(
                id: number, traits: traits, socket: socket, remote: remote,
                datagramLimit: allowed(datagramLimit),
                algorithm: configuration.congestion,
                initialWindowPackets: configuration.initialWindowPackets, now: now))
        paths[paths.count - 1].local = local
        paths[paths.count - 1].isUnrecorded = isServer
        paths[paths.count - 1].validation.isLimited = isServer
        if let peerParameters {
            paths[paths.count - 1].recovery.peerAckDelay = peerParameters.maximumAckDelay
        }
        events.append(
            .pathChanged(number, from: .closed, to: .validating, cause: .added, at: now))
    }

    /// Largest datagram within what both ends take.
    private func allowed(_ datagramLimit: Int) -> Int {
        min(
            datagramLimit,
            min(configuration.parameters.maximumDatagram, peerParameters?.maximumDatagram ?? .max))
    }

    /// A removed path comes back.
    mutating func revive(
        _ index: Int, traits: PathTraits, socket: Int, remote: SocketAddress, datagramLimit: Int,
        now: Instant
    ) {
        paths[index].revive(
            traits: traits, socket: socket, remote: remote, datagramLimit: allowed(datagramLimit),
            algorithm: configuration.congestion,
            initialWindowPackets: configuration.initialWindowPackets, now: now)
        paths[index].validation.isLimited = isServer
        paths[index].isUnrecorded = isServer
        change(index, to: .validating, .added, now)
        if !isServer {
            // Overtakes what was said of the path before: it is not abandoned any more.
            paths[index].statusToSend = currentStatus(index)
        }
    }

    /// What the peer has to know of a path.
    func currentStatus(_ index: Int) -> PathStatus {
        if !paths[index].isAlive { return .abandoned }
        return paths[index].traits.isBackup ? .standby : .available
    }

    /// Takes a path out of service for good: its interface or address is gone.
    public mutating func removePath(_ path: PathID, now: Instant) {
        guard let index = index(of: path), paths[index].isAlive else { return }
        paths[index].recovery.handleFailed(now: now, sink: &session)
        change(index, to: .closed, .removed, now)
        paths[index].statusToSend = .abandoned
        session.clock.remove(path: path)
    }

    /// The system reported a fault of a path: a sign to look, never a verdict.
    ///
    /// - Parameter datagramLimit: the largest UDP payload that the way carries, when the fault was
    ///   that a datagram was too large.
    public mutating func handleSocketFault(
        _ path: PathID, datagramLimit: Int?, now: Instant
    ) {
        guard let index = index(of: path), paths[index].isAlive else { return }
        if let datagramLimit {
            paths[index].mtu.handleTooBig(limit: datagramLimit, now: now)
            paths[index].recovery.handleMaximumPacketSize(paths[index].mtu.current, now: now)
        } else if paths[index].isUsable, hasOtherUsable(than: index) {
            suspect(index, .socketError, now)
        }
    }

    // MARK: life

    func hasOtherUsable(than index: Int) -> Bool {
        for other in paths.indices where other != index && paths[other].isUsable { return true }
        return false
    }

    mutating func change(_ index: Int, to state: PathState, _ cause: PathChange, _ now: Instant) {
        let before = paths[index].state
        guard before != state else { return }
        if state == .closed, configuration.isRecording, paths[index].wasRecorded {
            paths[index].wasRecorded = false
            records.append(.pathRemoved(paths[index].id, at: now))
        }
        paths[index].setState(state, now: now)
        events.append(
            .pathChanged(paths[index].id, from: before, to: state, cause: cause, at: now))
    }

    /// State of a path that works: the user's backup paths and those the peer set aside stand by.
    private func workingState(_ index: Int) -> PathState {
        paths[index].traits.isBackup || paths[index].peerStatus == .standby ? .standby : .active
    }

    mutating func handleValidated(_ index: Int, now: Instant) {
        paths[index].validation.handleValidated()
        paths[index].noteReply(now: now)
        if paths[index].hasMoved {
            paths[index].hasMoved = false
            events.append(.pathMoved(paths[index].id, to: paths[index].remote, at: now))
        }
        guard paths[index].state == .validating else { return }
        change(index, to: workingState(index), .validated, now)
        if paths[index].traits.isBackup { paths[index].statusToSend = .standby }
    }

    /// The path may have stopped working: no new data for it, and what is unanswered on it goes
    /// out elsewhere at once, before congestion control hears of a loss.
    mutating func suspect(_ index: Int, _ cause: PathChange, _ now: Instant) {
        guard paths[index].isUsable else { return }
        change(index, to: .suspect, cause, now)
        paths[index].recovery.reinject(now: now, sink: &session)
        paths[index].probeDue = true
        paths[index].statistics.failovers += 1
        statistics.failovers += 1
    }

    /// Nothing came back for too long: all that is in flight is written off.
    mutating func fail(_ index: Int, _ now: Instant) {
        change(index, to: .failed, .gaveUp, now)
        paths[index].recovery.handleFailed(now: now, sink: &session)
        paths[index].probesAnswered = 0
        paths[index].nextProbeAt = now + configuration.failedProbeInterval
    }

    /// Proof that packets sent on the path arrive.
    mutating func handleReply(_ index: Int, now: Instant) {
        paths[index].noteReply(now: now)
        switch paths[index].state {
        case .suspect:
            change(index, to: workingState(index), .answered, now)
        case .failed:
            change(index, to: .probing, .answered, now)
            paths[index].probesAnswered = 1
            paths[index].probeDue = true
        case .probing:
            paths[index].probesAnswered += 1
            paths[index].recovery.handleRestored(now: now)
            change(index, to: workingState(index), .restored, now)
        default: break
        }
    }

    /// Looks at every path's silence; called on every timer and after every acknowledgement.
    mutating func watchSilence(now: Instant) {
        for index in paths.indices {
            guard let silence = paths[index].silence(now: now) else { continue }
            switch paths[index].state {
            case .active, .standby:
                reinjectStale(index, now: now)
                guard silence >= paths[index].silenceLimit else { continue }
                if silence < paths[index].failureLimit, paths[index].onlyListens(now: now) {
                    continue
                }
                if othersAnswered(since: now - silence, than: index, now: now) {
                    suspect(index, .silent, now)
                } else if silence >= paths[index].failureLimit * Int64(2),
                    paths[index].recovery.probeTimeouts >= 3
                {
                    // All are quiet: what is in flight has to be sent again when one returns.
                    suspect(index, .probeTimeout, now)
                }
            case .suspect:
                guard silence >= paths[index].failureLimit else { continue }
                fail(index, now)
            case .probing where now - paths[index].stateChangedAt >= paths[index].failureLimit:
                fail(index, now)
            default: break
            }
        }
    }

    /// Late is as bad as lost for the data behind it: what a slow path holds goes out elsewhere.
    private mutating func reinjectStale(_ index: Int, now: Instant) {
        guard paths[index].lastPayloadAt != nil else { return }
        let limit = paths[index].staleLimit
        for other in paths.indices where other != index && paths[other].state == .active {
            if paths[other].recovery.rtt.smoothed * Int64(3) <= limit {
                paths[index].recovery.reinject(now: now, sentBy: now - limit, sink: &session)
                return
            }
        }
    }

    private func othersAnswered(since start: Instant, than index: Int, now: Instant) -> Bool {
        for other in paths.indices where other != index && paths[other].isUsable {
            if paths[other].answers(since: start, now: now) { return true }
        }
        return false
    }

    /// When `watchSilence` may next have something to do.
    func silenceTimeout(now: Instant) -> Instant {
        var earliest = Instant.distantFuture
        for index in paths.indices {
            guard let oldest = paths[index].recovery.oldestUnanswered else { continue }
            let start = max(oldest, paths[index].lastReplyAt ?? .zero)
            switch paths[index].state {
            case .active, .standby:
                // Past its limit while all are quiet, only an acknowledgement elsewhere or a
                // long silence changes anything.
                let limit =
                    paths[index].onlyListens(now: now)
                    ? paths[index].failureLimit : paths[index].silenceLimit
                let due = start + limit
                earliest = min(
                    earliest, due > now ? due : start + paths[index].failureLimit * Int64(2))
            case .suspect:
                earliest = min(earliest, start + paths[index].failureLimit)
            case .probing:
                earliest = min(
                    earliest, paths[index].stateChangedAt + paths[index].failureLimit)
            default: break
            }
        }
        // A limit that is passed already but needs more evidence must not spin the caller.
        return earliest > now ? earliest : now + Path.replyPause
    }
}
