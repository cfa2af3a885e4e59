import PathTelemetry

/// Updates a path from acknowledgements and losses.
extension Path {
    /// Takes losses; returns whether there were any.
    mutating func noteLosses(_ result: AckResult, now: Instant) -> Bool {
        if let size = result.mtuProbeLost { mtu.handleProbeLost(size, now: now) }
        mtu.handleArrived(largest: result.largestArrived)
        guard result.lostPackets > 0 else { return false }
        if mtu.handleLosses(smallest: result.smallestLost, rtt: recovery.rtt.smoothed, now: now) {
            recovery.handleMaximumPacketSize(mtu.current, now: now)
        }
        estimator.handleLoss(
            packets: result.lostPackets, longestRun: result.longestLossRun, now: now)
        return true
    }

    /// The counters, with the packets that were lost until now.
    var totals: PathStatistics {
        var totals = statistics
        totals.packetsLost = recovery.lostPackets
        return totals
    }

    /// What the path carries, and when that was last measured; nil means before this connection.
    var capacity: (saved: SavedCapacity, measuredAt: Instant?)? {
        recovery.capacity.map { ($0.saved, $0.isMeasured ? lastPayloadAt : nil) }
    }

    /// Takes what an acknowledgement says about delays, rate and MTU.
    mutating func noteAcknowledged(
        _ result: AckResult, clock: borrowing ClockOffset, now: Instant
    ) {
        statistics.spuriousLosses += UInt64(result.spuriousLosses)
        if let size = result.mtuProbeAcknowledged {
            mtu.handleProbeAcknowledged(size, now: now)
            recovery.handleMaximumPacketSize(mtu.current, now: now)
        }
        let raw = result.rawDelay
        estimator.handleAck(
            rtt: result.rttSample ?? .zero, rawOneWayDelay: raw, bytes: result.ackedBytes,
            deliveryRate: result.isRateAppLimited ? nil : result.deliveryRate, now: now)
        if let sample = result.rttSample {
            var oneWay: Double?
            if let raw { oneWay = clock.delay(ofRaw: raw) }
            delays.record(rtt: sample, oneWay: oneWay)
        }
        estimator.handleQueued(bytes: result.queuedBytes, time: result.queuedTime)
        recovery.leastRawDelay = estimator.rawDelayMinimum
        estimator.handleDelivered(packets: result.ackedPackets, now: now)
    }

    /// Asks for about eight acknowledgements per round trip (draft-ietf-quic-ack-frequency, section
    /// 6).
    mutating func updateAckFrequency() {
        let packets = recovery.controller.congestionWindow / mtu.current
        let wanted = max(2, min(64, packets / 8))
        guard wanted >= requestedTolerance * 2 || wanted * 2 <= requestedTolerance else { return }
        requestedTolerance = wanted
        toleranceToSend = wanted
    }

    /// Notes that the path could send more than it is given, so that rate samples are lower bounds.
    mutating func handleAppLimited() {
        recovery.rate.handleAppLimited(bytesInFlight: recovery.bytesInFlight)
    }

    /// Counts datagrams that were sent.
    mutating func noteSent(datagrams: Int, bytes: Int) {
        statistics.packetsSent += UInt64(datagrams)
        statistics.bytesSent += UInt64(bytes)
        statistics.ipBytesSent += UInt64(bytes + datagrams * remote.family.headerBytes)
        if !validation.isValidated { validation.bytesSent += bytes }
    }

    /// Counts datagrams that were not sent after all.
    mutating func noteUnsent(_ transmit: Transmit, bytes: Int) {
        guard transmit.segmentSize > 0, bytes > 0 else { return }
        let datagrams = (bytes + transmit.segmentSize - 1) / transmit.segmentSize
        let packets = min(UInt64(datagrams), statistics.packetsSent)
        statistics.packetsSent -= packets
        statistics.bytesSent -= min(UInt64(bytes), statistics.bytesSent)
        let withHeaders = UInt64(bytes + datagrams * remote.family.headerBytes)
        statistics.ipBytesSent -= min(withHeaders, statistics.ipBytesSent)
        recovery.noteUnsent(packets: packets)
    }

    /// Counts the first message and its answer, which were exchanged before the path existed.
    mutating func noteHandshake(received: Int, answered: Int) {
        validation.bytesReceived += received
        noteReceived(bytes: received)
        validation.bytesSent += answered
        statistics.packetsSent += 1
        statistics.bytesSent += UInt64(answered)
        statistics.ipBytesSent += UInt64(answered + remote.family.headerBytes)
    }

    /// Counts an authentic packet.
    mutating func noteReceived(bytes: Int) {
        statistics.packetsReceived += 1
        statistics.bytesReceived += UInt64(bytes)
        statistics.ipBytesReceived += UInt64(bytes + remote.family.headerBytes)
    }

    /// Counts a packet that was received before.
    mutating func noteDuplicate(bytes: Int) {
        statistics.replayed += 1
        statistics.ipBytesReceived += UInt64(bytes + remote.family.headerBytes)
    }
}
