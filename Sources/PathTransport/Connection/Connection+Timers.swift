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
        let hasNew = session.streams.hasNew
        next = min(next, paths.silenceTimeout(hasNew: hasNew, now: now))
        for index in paths.indices { next = min(next, paths[index].timeout(now: now)) }
        next = min(next, paths.acknowledgementTimeout)
        let wants = hasNew || session.streams.hasRetransmissions || session.messages.hasUnsent
        next = min(next, paths.departure(wantsToSend: wants, after: lastEmptyPollAt, now: now))
        if session.messages.hasUnsent { next = min(next, paths.silentDeparture(after: now)) }
        for index in paths.indices where paths[index].keepsAlive {
            next = min(next, keepaliveDue(index, by: next))
        }
        return min(next, min(reinjectionTimeout, paths.lateTimeout(session)))
    }

    /// When a policy that re-injects next looks for data that is unacknowledged for too long.
    private var reinjectionTimeout: Instant {
        needs.reinjection != nil && paths.hasDataInFlight ? nextReinjectionAt : .distantFuture
    }

    /// Queues data that is unacknowledged for too long on other paths, if the policy re-injects.
    private mutating func reinjectOverdue(now: Instant) {
        guard let age = needs.reinjection, now >= nextReinjectionAt else { return }
        let limit = age.age(fastest: session.fastestRTT)
        nextReinjectionAt = now + max(limit / 4, .milliseconds(5))
        paths.reinject(olderThan: limit, now: now, &session)
    }

    private var handshakeTimeout: Instant {
        switch handshake {
        case .some(let handshake): handshake.timeout
        case .none: lastReceivedAt + configuration.handshakeTimeout
        }
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
            if let failure = handshake?.failure(now: now) { finish(failure, now: now) }
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
        paths.moveLate(now: now, &session)
        paths.watchSilence(
            probedEach: configuration.failedProbeInterval, now: now, &session, &news)
        if session.engine.timeout <= now {
            // Decisions whose acknowledgement is overdue are closed.
            session.engine.handleTimeout(now: now, grace: paths.answerTimes)
        }
        session.expireMessages(now: now, &news)
        session.reportOutcomes(&paths, &news)
        paths.takeOver(&session)
        session.streams.freeIdleMemory(now: now)
        if protection?.wantsChange(now: now) == true { changeKeys(now: now) }
    }

    private var idleDeadline: Instant { max(lastReceivedAt + idleTimeout, graceUntil) }

    /// Notices that this host stood still, and asks on all paths what works now.
    ///
    /// It could not hear the peer meanwhile, so neither the idle time-out nor the silence of paths
    /// count that time, and answers to earlier packets are no samples of the round trip.
    mutating func noticeStall(now: Instant) {
        guard lastEmptyPollAt > .zero, Stall.isOne(now - lastEmptyPollAt),
            Stall.isOne(now - pollTimeout(now: lastEmptyPollAt))
        else { return }
        lastEmptyPollAt = now
        graceUntil = now + min(idleTimeout, Stall.grace)
        for index in paths.indices { paths[index].handleStall(now: now) }
        probePaths(includingWorking: true, now: now)
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

    // MARK: the end

    /// Ends the connection: at once after a fault, otherwise after the peer was told.
    mutating func finish(_ reason: CloseReason, now: Instant) {
        guard closeReason == nil else { return }
        closeReason = reason
        news.events.append(.closed(reason))
        handshake = nil
        if case .protocolViolation(let text) = reason { closing.notice = .violation(text) }
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
