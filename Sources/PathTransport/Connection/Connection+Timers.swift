import PathLearning
public import PathTelemetry

extension Connection {
    /// When `handleTimeout` should be called next, if nothing else happens before.
    ///
    /// May change after every other call.
    public func pollTimeout(now: Instant) -> Instant {
        switch phase {
        case .closed: return .distantFuture
        case .closing(let until): return min(until, nextCloseAt)
        case .handshaking: return handshakeTimeout
        case .established: break
        }
        var next = lastReceivedAt + idleTimeout
        next = min(next, session.engine.timeout)
        next = min(next, session.messages.nextExpiry)
        next = min(next, session.receivedMessages.nextExpiry)
        next = min(next, silenceTimeout(now: now))
        for index in paths.indices { next = min(next, pathTimeout(index, now: now)) }
        next = min(next, acknowledgementTimeout(now: now))
        next = min(next, departure(now: now))
        return min(next, reinjectionTimeout)
    }

    /// When a policy that re-injects looks again for what is unanswered too long.
    private var reinjectionTimeout: Instant {
        guard needs.reinjection != nil else { return .distantFuture }
        for index in paths.indices
        where paths[index].isUsable && paths[index].recovery.bytesInFlight > 0 {
            return nextReinjectionAt
        }
        return .distantFuture
    }

    /// Queues what is unanswered for too long for other paths, once, if the policy re-injects.
    private mutating func reinjectOverdue(now: Instant) {
        guard let age = needs.reinjection, now >= nextReinjectionAt else { return }
        let limit = age.age(fastest: session.fastestRTT)
        nextReinjectionAt = now + max(limit / 4, .milliseconds(5))
        for index in paths.indices where paths[index].isUsable && hasOtherUsable(than: index) {
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
        // What cannot be sent now must not wake the caller: only an event can change that.
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
        if takesMTUProbe(index, now: now) { next = min(next, paths[index].mtu.timeout) }
        return next
    }

    /// When the first acknowledgement has to leave, if a path can take it.
    private func acknowledgementTimeout(now: Instant) -> Instant {
        var next = Instant.distantFuture
        for index in paths.indices { next = min(next, paths[index].received.ackDueAt) }
        return next == .distantFuture || ackPath(now: now) == nil ? .distantFuture : next
    }

    /// When a pacer lets the next data go; distant future when windows are what holds it back.
    private func departure(now: Instant) -> Instant {
        var next = Instant.distantFuture
        let wantsToSend = session.wantsToSend
        for index in paths.indices {
            guard
                wantsToSend && takesData(index)
                    || !paths[index].copies.isEmpty && paths[index].isUsable,
                paths[index].hasWindow
            else { continue }
            next = min(next, paths[index].recovery.pacer.nextDeparture(now: now, forBurst: true))
        }
        // Whoever had nothing to send at this very moment has nothing to be woken for.
        return next > lastEmptyPollAt ? next : lastEmptyPollAt + .milliseconds(10)
    }

    var idleTimeout: TimeDelta {
        min(configuration.parameters.idleTimeout, peerParameters?.idleTimeout ?? .infinite)
    }

    /// Does all that is due by now: losses, probes, silence, deadlines, time-outs of the whole.
    public mutating func handleTimeout(now: Instant) {
        switch phase {
        case .closed: return
        case .closing(let until):
            if now >= until {
                phase = .closed
            } else if now >= nextCloseAt {
                repeatClose(now: now)
            }
            return
        case .handshaking:
            checkHandshake(now: now)
            return
        case .established: break
        }
        if now >= lastReceivedAt + idleTimeout {
            finish(.idleTimeout, now: now)
            return
        }
        for index in paths.indices { handlePathTimeout(index, now: now) }
        reinjectOverdue(now: now)
        watchSilence(now: now)
        closeOverdue(now: now)
        expireMessages(now: now)
        learnOutcomes(now: now)
        takeOverSession(now: now)
        changeKeysIfDue(now: now)
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

    private mutating func handlePathTimeout(_ index: Int, now: Instant) {
        switch paths[index].state {
        case .failed, .closed: return
        default: break
        }
        guard paths[index].recovery.timeout <= now else { return }
        var result = AckResult()
        let isProbe = paths[index].recovery.handleTimeout(
            now: now, result: &result, sink: &session)
        noteLosses(index, result, now: now)
        guard isProbe else { return }
        paths[index].probeDue = true
        paths[index].mtu.handleProbeTimeouts(paths[index].recovery.probeTimeouts, now: now)
        if paths[index].mtu.current == PathMTU.base {
            paths[index].recovery.handleMaximumPacketSize(PathMTU.base, now: now)
        }
        // RFC 9002, section 6.2.4: the probe carries data if it can. It goes where it is answered.
        let isDoubtful =
            paths[index].recovery.probeTimeouts >= 2
            && (!paths[index].onlyListens(now: now)
                || paths[index].silence(now: now) ?? .zero >= paths[index].failureLimit)
        if paths[index].isUsable, hasOtherUsable(than: index), isDoubtful {
            suspect(index, .probeTimeout, now)
        } else if paths[index].isUsable {
            paths[index].recovery.reinject(now: now, sink: &session)
        }
    }

    /// Takes over what packets brought to light that concerns the paths.
    mutating func takeOverSession(now: Instant) {
        if session.hasAcknowledgedAcks {
            session.hasAcknowledgedAcks = false
            for index in paths.indices {
                let number = paths[index].id.index
                guard let largest = session.acknowledgedAcks[number] else { continue }
                session.acknowledgedAcks[number] = nil
                paths[index].received.forget(upTo: largest)
            }
        }
        if session.hasLostStatus {
            session.hasLostStatus = false
            for index in paths.indices {
                let number = paths[index].id.index
                guard session.lostStatus[number] != nil else { continue }
                session.lostStatus[number] = nil
                // What was lost may be out of date: say how it is now.
                paths[index].statusToSend = currentStatus(index)
            }
        }
        while let path = session.lostNames.popFirst() {
            if let index = index(of: path) { paths[index].isNameDue = true }
        }
        var fastest = TimeDelta.infinite
        for index in paths.indices where paths[index].isUsable {
            fastest = min(fastest, paths[index].recovery.rtt.smoothed)
        }
        if fastest < .infinite { session.fastestRTT = fastest }
    }

    /// When `takeSamples` should be called; distant future without recording.
    ///
    /// Apart from `pollTimeout`, because a sample changes nothing: a run is the same, packet for
    /// packet, whether or not it is recorded.
    public var sampleTimeout: Instant {
        guard configuration.isRecording, configuration.sampleInterval > .zero,
            case .established = phase
        else { return .distantFuture }
        return nextSampleAt
    }

    /// Records what is known of every path, if it is time.
    public mutating func takeSamples(now: Instant) {
        guard now >= sampleTimeout else { return }
        nextSampleAt = now + max(configuration.sampleInterval, .milliseconds(10))
        recordSamples(now: now)
    }

    mutating func recordSamples(now: Instant) {
        for index in paths.indices where paths[index].isAlive {
            records.append(
                .sample(paths[index].snapshot(now: now), paths[index].statistics, at: now))
        }
    }

    /// Closes decisions whose acknowledgement should have come.
    private mutating func closeOverdue(now: Instant) {
        guard session.engine.timeout <= now else { return }
        var grace = InlineArray<16, TimeDelta>(repeating: .zero)
        for index in paths.indices { grace[paths[index].id.index] = paths[index].answerTime }
        session.engine.handleTimeout(now: now, grace: grace)
    }

    private mutating func changeKeysIfDue(now: Instant) {
        let isDue =
            switch protection {
            case .some(let protection): protection.wantsChange(now: now)
            case .none: false
            }
        if isDue { changeKeys(now: now) }
    }

    /// Starts sealing under new keys; the peer follows.
    ///
    /// Done by itself when the keys are worn. Nothing happens while packets sealed under the keys
    /// before the present ones may still be under way on the slowest path (RFC 9001, section 6.5).
    mutating func changeKeys(now: Instant) {
        var slowest = TimeDelta.zero
        for index in paths.indices where paths[index].isAlive && paths[index].recovery.rtt.hasSample
        {
            slowest = max(slowest, paths[index].answerTime)
        }
        if let since = protection?.advancedAt, since != .zero, now - since < slowest { return }
        do {
            guard try protection?.changeKeys(now: now) == true else { return }
            statistics.keyChanges += 1
            events.append(.keysChanged(generation: Int(statistics.keyChanges), at: now))
        } catch {
            finish(.cryptography("\(error)"), now: now)
        }
    }

    /// Takes outcomes that became known, from which the policy has learned, for the recorder.
    mutating func learnOutcomes(now: Instant) {
        while let outcome = session.engine.pollOutcome() {
            if outcome.isLate { statistics.lateOutcomes += 1 }
            if configuration.isRecording { records.append(.outcome(outcome)) }
        }
        while let event = session.engine.pollEvent() { events.append(.policyGuard(event)) }
    }

    // MARK: the end

    /// Ends the connection: for a fault at once, for an orderly end after the peer was told.
    mutating func finish(_ reason: CloseReason, now: Instant) {
        guard closeReason == nil else { return }
        closeReason = reason
        events.append(.closed(reason))
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

    /// Tells the end on every path; again until it is answered, since nobody acknowledges it.
    private mutating func repeatClose(now: Instant) {
        for index in paths.indices where paths[index].isAlive { closeFramesDue |= 1 << index }
        closeRepeats -= 1
        let interval = max(session.fastestRTT + session.fastestRTT / 2, .milliseconds(50))
        nextCloseAt = closeRepeats > 0 ? now + interval : .distantFuture
    }
}
