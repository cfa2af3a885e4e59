import PathLearning
public import PathTelemetry

extension Connection {
    /// When `handleTimeout` should be called next, unless another event comes first.
    ///
    /// It may change with every other call.
    public func pollTimeout(now: Instant) -> Instant {
        switch phase {
        case .closed: return .distantFuture
        case .closing(let until): return min(until, closing.nextAt)
        case .handshaking: return handshakeTimeout
        case .established: break
        }
        var next = idleDeadline
        next = min(next, session.engine.timeout)
        next = min(next, session.messages.nextExpiry)
        next = min(next, session.receivedMessages.nextExpiry)
        next = min(next, paths.silenceTimeout(now: now))
        for index in paths.indices { next = min(next, pathTimeout(index, now: now)) }
        next = min(next, paths.acknowledgementTimeout(now: now))
        let departure = paths.departure(wantsToSend: session.wantsToSend, now: now)
        // A caller that just found nothing to send need not be woken at once.
        next = min(
            next, departure > lastEmptyPollAt ? departure : lastEmptyPollAt + .milliseconds(10))
        return min(next, reinjectionTimeout)
    }

    /// When a policy that re-injects next looks for data that is unacknowledged for too long.
    private var reinjectionTimeout: Instant {
        guard needs.reinjection != nil else { return .distantFuture }
        for index in paths.indices
        where paths[index].isUsable && paths[index].recovery.bytesInFlight > 0 {
            return nextReinjectionAt
        }
        return .distantFuture
    }

    /// Queues data that is unacknowledged for too long on other paths, if the policy re-injects.
    private mutating func reinjectOverdue(now: Instant) {
        guard let age = needs.reinjection, now >= nextReinjectionAt else { return }
        let limit = age.age(fastest: session.fastestRTT)
        nextReinjectionAt = now + max(limit / 4, .milliseconds(5))
        for index in paths.indices where paths[index].isUsable && paths.hasOtherUsable(than: index)
        {
            paths[index].recovery.reinject(now: now, sentBy: now - limit, sink: &session)
        }
    }

    private var handshakeTimeout: Instant {
        switch handshake {
        case .some(let handshake): handshake.timeout
        case .none: lastReceivedAt + configuration.handshakeTimeout
        }
    }

    private func pathTimeout(_ index: Int, now: Instant) -> Instant {
        guard paths[index].isAlive else { return .distantFuture }
        var next = Instant.distantFuture
        // A challenge that cannot be sent until an event comes must not wake the caller.
        let maySend = paths[index].amplificationRoom >= 100
        if !paths[index].validation.isValidated, maySend {
            next = min(next, paths[index].validation.nextAttemptAt)
        }
        switch paths[index].state {
        case .failed: if maySend { next = min(next, paths[index].nextProbeAt) }
        case .closed: break
        default: next = min(next, paths[index].recovery.timeout)
        }
        if paths[index].isUsable, maySend { next = min(next, keepaliveDue(index)) }
        if paths[index].takesMTUProbe(now: now) { next = min(next, paths[index].mtu.timeout) }
        return next
    }

    /// The connection ends when nothing has arrived for this long: the lower value of both sides,
    /// once they know each other.
    public var idleTimeout: TimeDelta {
        min(configuration.parameters.idleTimeout, peerParameters?.idleTimeout ?? .infinite)
    }

    /// Does everything that is due: losses, probes, silence, deadlines, time-outs.
    public mutating func handleTimeout(now: Instant) {
        switch phase {
        case .closed: return
        case .closing(let until):
            if now >= until {
                phase = .closed
            } else if now >= closing.nextAt {
                repeatClose(now: now)
            }
            return
        case .handshaking:
            checkHandshake(now: now)
            return
        case .established: break
        }
        noticeStall(now: now)
        if now >= idleDeadline {
            finish(.idleTimeout, now: now)
            return
        }
        for index in paths.indices where paths.handleTimeout(index, now: now, &session, &news) {
            lastLossPath = paths[index].id
        }
        reinjectOverdue(now: now)
        paths.watchSilence(
            probedEach: configuration.failedProbeInterval, now: now, &session, &news)
        closeOverdue(now: now)
        expireMessages(now: now)
        learnOutcomes(now: now)
        paths.takeOver(&session)
        session.streams.freeIdleMemory(now: now)
        changeKeysIfDue(now: now)
    }

    private var idleDeadline: Instant { max(lastReceivedAt + idleTimeout, graceUntil) }

    /// Being called so much later than `pollTimeout` said means that this host stood still: it
    /// slept, the process was stopped, or the clock jumped.
    private static let stall = TimeDelta.seconds(1)
    /// How long a connection lives at least after a stall, for the peer's answer.
    private static let grace = TimeDelta.seconds(5)

    /// Notices that this host stood still, and asks on all paths what works now.
    ///
    /// It could not hear the peer meanwhile, so neither the idle time-out nor the silence of paths
    /// count that time, and answers to earlier packets are no samples of the round trip.
    mutating func noticeStall(now: Instant) {
        guard lastEmptyPollAt > .zero, now - lastEmptyPollAt > Connection.stall,
            now - pollTimeout(now: lastEmptyPollAt) > Connection.stall
        else { return }
        lastEmptyPollAt = now
        graceUntil = now + min(idleTimeout, Connection.grace)
        for index in paths.indices { paths[index].handleStall(now: now) }
        probePaths(includingWorking: true, now: now)
    }

    private mutating func checkHandshake(now: Instant) {
        guard let due = handshake?.refusalDeadline, let deadline = handshake?.deadline,
            now >= min(due, deadline)
        else { return }
        if let refusal = handshake?.refusal {
            finish(.refused(refusal), now: now)
        } else {
            let isWrong = handshake?.sawWrongAnswer ?? false
            finish(isWrong ? .handshakeFailed : .handshakeTimeout, now: now)
        }
    }

    /// Closes decisions whose acknowledgement is overdue.
    private mutating func closeOverdue(now: Instant) {
        guard session.engine.timeout <= now else { return }
        session.engine.handleTimeout(now: now, grace: paths.answerTimes)
    }

    private mutating func changeKeysIfDue(now: Instant) {
        let isDue =
            switch protection {
            case .some(let protection): protection.wantsChange(now: now)
            case .none: false
            }
        if isDue { changeKeys(now: now) }
    }

    /// Starts to encrypt with new keys; the peer follows.
    ///
    /// It is called automatically when the keys are worn out. Nothing happens while packets under
    /// the previous keys may still be in flight on the slowest path (RFC 9001, section 6.5).
    mutating func changeKeys(now: Instant) {
        if let since = protection?.advancedAt, since != .zero, now - since < paths.slowestAnswer {
            return
        }
        do {
            guard try protection?.changeKeys(now: now) == true else { return }
            news.statistics.keyChanges += 1
            news.events.append(.keysChanged(generation: Int(news.statistics.keyChanges), at: now))
        } catch {
            finish(.cryptography("\(error)"), now: now)
        }
    }

    /// Passes new outcomes, from which the policy has learned, to the recorder.
    mutating func learnOutcomes(now: Instant) {
        while let outcome = session.engine.pollOutcome() {
            if outcome.isLate { news.statistics.lateOutcomes += 1 }
            if news.journal.isOpen { news.journal.append(.outcome(outcome)) }
        }
        while let event = session.engine.pollEvent() { news.events.append(.policyGuard(event)) }
    }

    // MARK: the end

    /// Ends the connection: at once after a fault, otherwise after the peer was told.
    mutating func finish(_ reason: CloseReason, now: Instant) {
        guard closeReason == nil else { return }
        closeReason = reason
        news.events.append(.closed(reason))
        handshake = nil
        switch reason {
        case .local, .protocolViolation:
            guard case .established = phase else {
                phase = .closed
                return
            }
            phase = .closing(until: now + .milliseconds(500))
            repeatClose(now: now)
        default:
            phase = .closed
        }
    }

    /// Sends the close frame, which is not acknowledged, on every path until it is answered.
    private mutating func repeatClose(now: Instant) {
        for index in paths.indices where paths[index].isAlive { closing.framesDue |= 1 << index }
        closing.handleRepeated(fastest: session.fastestRTT, now: now)
    }
}
