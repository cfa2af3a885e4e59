import PathTelemetry

/// How paths become active, suspect, failed and active again; docs/protocol.md, "Failure".
extension PathTable {
    /// - Parameter cause: reported in the event.
    mutating func change(
        _ index: Int, to state: PathState, _ cause: PathChange, _ now: Instant,
        _ news: inout ConnectionNews
    ) {
        let before = self[index].state
        guard before != state else { return }
        if state == .closed { news.journal.noteRemoved(&self[index], now: now) }
        self[index].setState(state, now: now)
        news.events.append(
            .pathChanged(self[index].id, from: before, to: state, cause: cause, at: now))
    }

    /// The peer answered from the path's address.
    mutating func handleValidated(_ index: Int, now: Instant, _ news: inout ConnectionNews) {
        self[index].validation.handleValidated()
        self[index].noteReply(now: now)
        if self[index].hasMoved {
            self[index].hasMoved = false
            news.events.append(.pathMoved(self[index].id, to: self[index].remote, at: now))
        }
        guard self[index].state == .validating else { return }
        change(index, to: self[index].workingState, .validated, now, &news)
        if self[index].traits.isBackup { self[index].statusToSend = .standby }
    }

    /// Marks a path that may have stopped working: it gets no new data, and its unacknowledged data
    /// is queued on other paths before congestion control is told of a loss.
    ///
    /// If others answer, that is the data whose answer is due, and `watchSilence` adds the rest as
    /// time passes; otherwise it is all data at once.
    mutating func suspect(
        _ index: Int, _ cause: PathChange, _ now: Instant, _ session: inout Session,
        _ news: inout ConnectionNews
    ) {
        guard self[index].isUsable else { return }
        change(index, to: .suspect, cause, now, &news)
        if case .silent = cause {
            reinjectOverdue(index, now: now, &session)
        } else {
            self[index].recovery.reinject(
                now: now, sparesMessages: hasOtherTaking(than: index), sink: &session)
        }
        self[index].probeDue = true
        self[index].statistics.failovers += 1
        probeReserve(now: now)
        news.statistics.failovers += 1
    }

    /// Asks on standby paths at once when no active path is left: they were asked rarely, and the
    /// peer may not reach them before it hears from this side.
    private mutating func probeReserve(now: Instant) {
        for index in indices where self[index].state == .active { return }
        for index in indices
        where self[index].state == .standby
            && now - self[index].lastAskedAt > ProbeBudget.reserveAge
        {
            self[index].probeDue = true
        }
    }

    /// Marks a path as failed after too long a silence: everything in flight is declared lost.
    ///
    /// - Parameter interval: how often the path is probed from now on.
    private mutating func fail(
        _ index: Int, probedEach interval: TimeDelta, _ now: Instant, _ session: inout Session,
        _ news: inout ConnectionNews
    ) {
        change(index, to: .failed, .gaveUp, now, &news)
        self[index].recovery.handleFailed(now: now, sink: &session)
        self[index].probesAnswered = 0
        self[index].nextProbeAt = now + interval
    }

    /// Takes the proof that packets sent on the path arrived.
    ///
    /// - Parameter delay: for how long the acknowledgement was held back. If that is longer than usual,
    ///   it is a repetition because the path may have failed, and proves nothing about the time since.
    mutating func handleReply(
        _ index: Int, delay: TimeDelta, now: Instant, _ news: inout ConnectionNews
    ) {
        let isRepetition = delay > self[index].recovery.peerAckDelay
        let repliedAt = isRepetition ? now - min(delay, .seconds(1)) : now
        self[index].noteReply(now: repliedAt)
        switch self[index].state {
        case .suspect where repliedAt < self[index].stateChangedAt: break
        case .validating where self[index].trust != .none:
            handleValidated(index, now: now, &news)
        case .suspect:
            change(index, to: self[index].workingState, .answered, now, &news)
        case .failed:
            change(index, to: .probing, .answered, now, &news)
            self[index].probesAnswered = 1
            self[index].probeDue = true
        case .probing:
            self[index].probesAnswered += 1
            self[index].recovery.handleRestored(now: now)
            change(index, to: self[index].workingState, .restored, now, &news)
        default: break
        }
    }

    /// Checks the silence of every path; called on every timer and after every acknowledgement.
    ///
    /// - Parameter interval: how often a failed path is probed.
    mutating func watchSilence(
        probedEach interval: TimeDelta, now: Instant, _ session: inout Session,
        _ news: inout ConnectionNews
    ) {
        for index in indices {
            guard let silence = self[index].silence(now: now) else { continue }
            switch self[index].state {
            case .active, .standby:
                reinjectStale(index, now: now, &session)
                guard let due = self[index].silenceDue, now >= due else { continue }
                if silence < self[index].failureLimit, self[index].onlyListens(now: now) {
                    continue
                }
                if othersAnswered(since: now - silence, than: index, now: now) {
                    suspect(index, .silent, now, &session, &news)
                } else if silence >= self[index].failureLimit * Int64(2),
                    self[index].recovery.probeTimeouts >= 3
                {
                    // All paths are silent: data in flight has to be retransmitted when one
                    // returns.
                    suspect(index, .probeTimeout, now, &session, &news)
                }
            case .suspect:
                reinjectOverdue(index, now: now, &session)
                guard silence >= self[index].failureLimit else { continue }
                fail(index, probedEach: interval, now, &session, &news)
            case .probing where now - self[index].stateChangedAt >= self[index].failureLimit:
                fail(index, probedEach: interval, now, &session, &news)
            case .validating: endTrust(index, after: silence, now: now, &session)
            default: break
            }
        }
    }

    private mutating func reinjectOverdue(_ index: Int, now: Instant, _ session: inout Session) {
        let cutoff = now - self[index].overdueAge
        self[index].recovery.reinject(
            now: now, sentBy: cutoff, sparesMessages: hasOtherTaking(than: index), sink: &session)
    }

    /// Late data blocks the data behind it like lost data, so it is also sent on other paths.
    private mutating func reinjectStale(_ index: Int, now: Instant, _ session: inout Session) {
        guard self[index].lastPayloadAt != nil else { return }
        let limit = self[index].staleLimit
        for other in indices where other != index && self[other].state == .active {
            if self[other].recovery.rtt.smoothed * Int64(3) <= self[index].leastStaleAge {
                self[index].recovery.reinject(now: now, sentBy: now - limit, sink: &session)
                return
            }
        }
    }

    /// Queues data that is unacknowledged for longer than `age` on other paths.
    mutating func reinject(olderThan age: TimeDelta, now: Instant, _ session: inout Session) {
        for index in indices where self[index].isUsable && hasOtherUsable(than: index) {
            self[index].recovery.reinject(now: now, sentBy: now - age, sink: &session)
        }
    }

    /// Runs loss detection and probe time-outs of one path; returns whether packets were lost.
    mutating func handleTimeout(
        _ index: Int, now: Instant, _ session: inout Session, _ news: inout ConnectionNews
    ) -> Bool {
        switch self[index].state {
        case .failed, .closed: return false
        default: break
        }
        guard self[index].recovery.timeout <= now else { return false }
        var result = AckResult()
        let isProbe = self[index].recovery.handleTimeout(
            now: now, result: &result, sink: &session)
        let hasLost = self[index].noteLosses(result, now: now)
        guard isProbe else { return hasLost }
        self[index].probeDue = true
        self[index].mtu.handleProbeTimeouts(self[index].recovery.probeTimeouts, now: now)
        if self[index].mtu.current == PathMTU.base {
            self[index].recovery.handleMaximumPacketSize(PathMTU.base, now: now)
        }
        // RFC 9002, section 6.2.4: the probe carries data if it can. The data goes to a path that
        // answers.
        let isDoubtful =
            self[index].recovery.probeTimeouts >= 2
            && (!self[index].onlyListens(now: now)
                || self[index].silence(now: now) ?? .zero >= self[index].failureLimit)
        if self[index].isUsable, hasOtherUsable(than: index), isDoubtful {
            suspect(index, .probeTimeout, now, &session, &news)
        } else if self[index].isUsable {
            self[index].recovery.reinject(
                now: now, sparesMessages: hasOtherTaking(than: index), sink: &session)
        }
        return hasLost
    }
}
