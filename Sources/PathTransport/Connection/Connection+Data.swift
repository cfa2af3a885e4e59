import PathLearning
import PathTelemetry

extension Connection {
    /// Sends messages first, then retransmissions, then copies and new stream data.
    ///
    /// Messages that never end do not starve streams: after 128 KiB of messages while stream data
    /// waits, a sixteenth of the bytes are the streams'.
    mutating func pollData(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        if session.messages.count > 0 {
            if streamDebt >= Connection.longestDebt, let sent = pollStreams(into: buffer, now: now)
            {
                return sent
            }
            if let sent = pollMessages(into: buffer, now: now) {
                let waits = session.streams.hasRetransmissions || session.streams.hasNew
                streamDebt = waits ? streamDebt &+ sent.length : 0
                return sent
            }
        }
        let hasNew = session.streams.hasNew
        if let sent = pollStreams(into: buffer, now: now) { return sent }
        if !hasNew { noteAppLimited(now: now) }
        return nil
    }

    /// Bytes of messages after which waiting stream data gets its share, and what each byte of it
    /// pays back.
    private static let longestDebt = 128 << 10
    private static let debtPaid = 16

    private mutating func pollStreams(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard let sent = pollStreamData(into: buffer, now: now) else { return nil }
        streamDebt = max(0, streamDebt &- sent.length &* Connection.debtPaid)
        return sent
    }

    private mutating func pollStreamData(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        if session.streams.hasRetransmissions, let sent = pollRepairs(into: buffer, now: now) {
            return sent
        }
        if let sent = pollCopies(into: buffer, now: now) { return sent }
        return session.streams.hasNew ? pollNewData(into: buffer, now: now) : nil
    }

    /// Window and pacer allow more than there is to send, so rate samples are lower bounds.
    private mutating func noteAppLimited(now: Instant) {
        lastAppLimitedAt = now
        for index in paths.indices where paths[index].isUsable {
            paths[index].recovery.rate.handleAppLimited(
                bytesInFlight: paths[index].recovery.bytesInFlight)
        }
    }

    // MARK: new stream data: the policy decides

    private mutating func pollNewData(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard
            let (index, dispatch) = decide(
                // The end of a stream may be sent alone, and no burst has size zero.
                bytes: max(1, session.streams.sendableBytes(upTo: paths.largestRoom(now: now))),
                // Four round trips of the fastest path, within the configured bounds.
                deadline: max(
                    configuration.streamDeadlineRange.lowerBound,
                    min(configuration.streamDeadlineRange.upperBound, paths.fastestRTT * Int64(4))),
                trafficClass: .stream, now: now)
        else { return nil }
        lastAppLimitedAt = nil
        let sent = fill(
            index, buffer, decision: dispatch.number, isRepair: false, copyTo: dispatch.others,
            now: now)
        session.engine.handleComplete(dispatch.number, now: now)
        return sent
    }

    /// Asks the policy for the path of a burst.
    ///
    /// Returns nil when no path has room, or the policy waits.
    mutating func decide(
        bytes: Int, deadline: TimeDelta, trafficClass: TrafficClass, now: Instant
    ) -> (index: Int, dispatch: Dispatch)? {
        fadeEvidence(now: now)
        session.engine.begin(
            bytes: bytes, deadline: deadline, trafficClass: trafficClass, now: now)
        for index in paths.indices where paths.takesData(index) {
            let room = paths[index].room(now: now)
            // A policy that waits or sends copies compares all paths; any other chooses among those
            // that can send now, since stream data should use all capacity.
            guard room > 0 || needs.fullPaths else { continue }
            session.engine.offer(
                paths[index].snapshot(now: now), evidence: paths[index].estimator.evidence,
                clock: &session.clock, room: room,
                answerTime: paths[index].answerTime)
        }
        let verdict = session.engine.decide()
        if case .nothing = verdict { return nil }
        if news.journal.isOpen { news.journal.append(.decision(session.engine.record)) }
        guard case .send(let dispatch) = verdict, let index = index(of: dispatch.path) else {
            return nil
        }
        paths[index].statistics.decisions += 1
        news.statistics.decisions += 1
        if dispatch.isForced { news.statistics.forcedDecisions += 1 }
        return (index, dispatch)
    }

    /// Discounts old evidence of all paths before it is read.
    ///
    /// The times follow from the decisions alone, so that observing a run does not change it.
    private mutating func fadeEvidence(now: Instant) {
        guard now >= nextFadingAt else { return }
        nextFadingAt = now + .milliseconds(100)
        for index in paths.indices where paths[index].isAlive { paths[index].estimator.tick(now) }
    }

    // MARK: retransmissions, on the path that delivers first and did not lose the data

    private mutating func pollRepairs(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard let index = paths.repairPath(loser: lastLossPath, now: now) else { return nil }
        lastAppLimitedAt = nil
        return fill(
            index, buffer, decision: SentPacket.noDecision, isRepair: true, copyTo: .wait,
            now: now)
    }

    // MARK: copies of a redundant policy

    private mutating func pollCopies(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        for index in paths.indices {
            guard !paths[index].copies.isEmpty, paths[index].isUsable,
                paths[index].room(now: now) > 0
            else { continue }
            if let sent = fillCopies(index, buffer, now: now) { return sent }
        }
        return nil
    }

    private mutating func fillCopies(
        _ index: Int, _ buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        var batch = Batch(size: paths[index].mtu.current, room: paths[index].room(now: now))
        while batch.takesMore(buffer), let copy = paths[index].copies.popFirst() {
            var packet = begin(index, batch.region(of: buffer), limit: batch.size, now: now)
            guard let bytes = session.write(copy: copy.frame, to: &packet, now: now) else {
                continue
            }
            packet.sent.decision = copy.decision
            packet.sent.isByBytes = true
            let length = end(index, &packet, now: now)
            guard length > 0 else { break }
            news.statistics.bytesDuplicated += UInt64(bytes)
            notePayload(index, bytes: length, now: now)
            session.engine.handleSent(
                copy.decision, path: paths[index].id, bytes: length, isFollowed: false)
            batch.add(length)
        }
        return batch.length > 0
            ? transmit(index, length: batch.length, segment: min(batch.size, batch.length)) : nil
    }

    // MARK: filling

    /// Fills datagrams for one path with stream data, new or retransmitted.
    private mutating func fill(
        _ index: Int, _ buffer: UnsafeMutableRawBufferPointer, decision: UInt64, isRepair: Bool,
        copyTo others: PathSet, now: Instant
    ) -> Transmit? {
        var batch = Batch(size: paths[index].mtu.current, room: paths[index].room(now: now))
        let carriesAcks = paths.ackPath(now: now) == index
        while batch.takesMore(buffer) {
            var packet = begin(index, batch.region(of: buffer), limit: batch.size, now: now)
            if batch.count == 0 {
                if carriesAcks { appendAcks(&packet, all: true, now: now) }
                appendControl(&packet, index, now: now)
            }
            let bytes = appendStreamData(
                &packet, isRepair: isRepair, decision: decision, copyTo: others)
            if packet.isEmpty { break }
            if isRepair {
                paths[index].statistics.bytesRetransmitted += UInt64(bytes)
                news.statistics.streamBytesRetransmitted += UInt64(bytes)
            } else {
                news.statistics.streamBytesSent += UInt64(bytes)
            }
            let isOfBurst = bytes > 0 && decision != SentPacket.noDecision
            if isOfBurst {
                packet.sent.decision = decision
                packet.sent.isByBytes = others != .wait
            }
            let length = end(index, &packet, now: now)
            guard length > 0 else { break }
            if bytes > 0 { notePayload(index, bytes: length, now: now) }
            if isOfBurst {
                noteSent(packet.sent, index)
            } else if isRepair {
                noteRepair(packet.sent, index)
            }
            batch.add(length)
        }
        return batch.length > 0
            ? transmit(index, length: batch.length, segment: min(batch.size, batch.length)) : nil
    }

    /// Assigns a packet of a burst to its decision.
    mutating func noteSent(_ packet: borrowing SentPacket, _ index: Int) {
        session.engine.handleSent(
            packet.decision, path: paths[index].id, bytes: Int(packet.bytes),
            isFollowed: !packet.isByBytes)
        guard packet.isByBytes else { return }
        for frame in 0..<Int(packet.frameCount) {
            guard let piece = packet.frames[frame].piece else { continue }
            session.engine.follow(piece, of: packet.decision)
        }
    }

    /// Assigns a packet that retransmits lost or moved data to the decisions of the data.
    mutating func noteRepair(_ packet: borrowing SentPacket, _ index: Int) {
        guard session.engine.followsBytes else { return }
        let pieces = packet.pieces
        session.engine.handleRepairSent(
            pieces.span, path: paths[index].id, bytes: Int(packet.bytes))
    }

    /// Notes that application data was sent, and credits the probes that it pays for.
    mutating func notePayload(_ index: Int, bytes: Int, now: Instant) {
        session.lastDataAt = now
        paths[index].lastPayloadAt = now
        probes.notePayload(bytes: bytes, now: now)
    }

    /// Fills one packet and returns the bytes of stream data in it.
    private mutating func appendStreamData(
        _ packet: inout PacketBuilder, isRepair: Bool, decision: UInt64, copyTo others: PathSet
    ) -> Int {
        var bytes = 0
        while packet.takesFrames, packet.room > 24 {
            guard let frame = session.nextChunk(room: packet.room, isRepair: isRepair) else {
                break
            }
            session.write(frame, to: &packet)
            bytes += frame.chunk.length
            addCopies(.stream(frame), decision: decision, to: others)
        }
        // Few bytes are left: pad them, so that datagrams of one size are sent in one call.
        if bytes > 0, packet.room <= PacketBuilder.waste { packet.pad() }
        return bytes
    }
}
