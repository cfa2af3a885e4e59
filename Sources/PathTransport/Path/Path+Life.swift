import PathTelemetry

/// A path over time: when something is due on it, and what happens when an address changes.
extension Path {
    /// Whether the path is probed when it carries nothing.
    var keepsAlive: Bool { isUsable && amplificationRoom >= 100 }

    /// Whether the path may carry a packet of acknowledgements.
    var mayAcknowledge: Bool { isAlive && amplificationRoom >= 100 }

    /// Whether there may be something to send that belongs on the path; on a path in order, little is
    /// looked at.
    func mayAsk(_ probes: ProbeBudget, _ idleTimeout: TimeDelta, now: Instant) -> Bool {
        guard isUsable, validation.isValidated, pendingResponse == nil, !probeDue, !answersHere,
            mtu.probeSize(now: now) == nil
        else { return true }
        return probes.mayBeDue(self, by: now, idleTimeout: idleTimeout)
    }

    /// When the path next needs attention, apart from probes of an idle path.
    func timeout(now: Instant) -> Instant {
        guard isAlive else { return .distantFuture }
        var next = Instant.distantFuture
        // A challenge that cannot be sent until an event comes must not wake the caller.
        let maySend = amplificationRoom >= 100
        if !validation.isValidated, maySend { next = min(next, validation.nextAttemptAt) }
        switch state {
        case .failed: if maySend { next = min(next, nextProbeAt) }
        case .closed: break
        default: next = min(next, recovery.timeout)
        }
        let probe = mtu.timeout
        if probe < next, takesMTUProbe(now: now) { next = probe }
        return next
    }

    /// When a path whose window is full of packets without an answer may be sent another message; nil
    /// if it is not.
    ///
    /// It may be sent four packets each round trip, the smallest window (`minimumWindowPackets`), as if
    /// what is overdue were lost: a link that comes back is noticed at once, and not at the next probe
    /// time-out, whose intervals double.
    var silentDeparture: Instant? {
        guard !hasWindow, !recovery.packets.isFull, recovery.rtt.hasSample,
            let start = silentSince
        else { return nil }
        let spacing = recovery.rtt.smoothed / Int64(ModelBased.minimumWindowPackets)
        return max(start + answerTime, lastAskedAt + max(spacing, Path.replyPause))
    }

    /// Follows the peer to a new address, to which little is sent before it answers (RFC 9000,
    /// section 9.3).
    mutating func follow(to remote: SocketAddress, socket: Int, local: SocketAddress?) {
        self.remote = remote
        self.socket = socket
        self.local = local
        validation = PathValidation()
        validation.isLimited = true
        hasMoved = true
    }

    /// Makes a probe due, whatever the intervals are.
    mutating func hurry(now: Instant) {
        validation.hurry(now: now)
        switch state {
        case .active, .standby, .suspect, .probing: probeDue = true
        case .failed: nextProbeAt = now
        case .validating, .closed: break
        }
    }

    /// Revives a removed path under its number.
    ///
    /// All estimates start over, but packet numbers continue, so that no nonce is used twice, and
    /// so does the replay window.
    mutating func revive(
        traits: PathTraits, socket: Int, remote: SocketAddress, datagramLimit: Int,
        algorithm: CongestionAlgorithm, initialWindowPackets: Int, now: Instant
    ) {
        var fresh = Path(
            id: id, traits: traits, socket: socket, remote: remote, datagramLimit: datagramLimit,
            algorithm: algorithm, initialWindowPackets: initialWindowPackets, now: now)
        fresh.recovery.continueNumbers(of: recovery)
        fresh.received = received
        fresh.statistics = statistics
        fresh.delays = delays
        fresh.peerStatusSequence = peerStatusSequence
        fresh.nameSequence = nameSequence
        fresh.name = name
        fresh.local = local
        fresh.setState(.closed, now: now)
        self = fresh
    }
}
