import PathLearning
import PathTelemetry

extension Connection {
    /// Sends messages first, then retransmissions, then copies and new stream data.
    mutating func pollData(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        if session.messages.count > 0 {
            if share.isOwed, let sent = pollStreams(into: buffer, now: now) { return sent }
            if let sent = pollMessages(into: buffer, now: now) {
                share.noteMessages(bytes: sent.length, streamsWait: streamsWait)
                return sent
            }
        }
        let hasNew = session.streams.hasNew
        if let sent = pollStreams(into: buffer, now: now) { return sent }
        if !hasNew {
            lastAppLimitedAt = now
            paths.handleAppLimited()
        }
        return nil
    }

    /// Whether stream data could be sent now.
    var streamsWait: Bool { session.streams.hasRetransmissions || session.streams.hasNew }

    private mutating func pollStreams(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard let sent = pollStreamData(into: buffer, now: now) else { return nil }
        share.noteStreams(bytes: sent.length)
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
        else { return pollTrusted(into: buffer, now: now) }
        lastAppLimitedAt = nil
        let sent = fill(
            index, buffer, decision: dispatch.number, isRepair: false, copyTo: dispatch.others,
            now: now)
        session.engine.handleComplete(dispatch.number, now: now)
        return sent
    }

    /// Fills a path that has not answered yet, when no other has room.
    private mutating func pollTrusted(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard !needs.fullPaths, let index = paths.trustedPath(now: now) else { return nil }
        return fill(
            index, buffer, decision: SentPacket.noDecision, isRepair: false, copyTo: .wait,
            now: now)
    }

    /// Asks the policy for the path of a burst.
    ///
    /// Returns nil when no path has room, or the policy waits.
    mutating func decide(
        bytes: Int, deadline: TimeDelta, trafficClass: TrafficClass, now: Instant
    ) -> (index: Int, dispatch: Dispatch)? {
        paths.fadeEvidence(now: now)
        let isStream = trafficClass == .stream
        let left =
            isStream ? max(bytes, session.streams.bytesLeft(upTo: TransferEnd.longest)) : bytes
        session.engine.begin(
            bytes: bytes, left: left, deadline: deadline, trafficClass: trafficClass, now: now)
        if isStream {
            paths.offerForStreams(burst: bytes, left: left, needs: needs, &session, now: now)
        } else {
            paths.offerForMessages(
                goAhead: messagesGoAhead, needs: needs, &session, now: now)
        }
        let verdict = session.engine.decide()
        if case .nothing = verdict { return nil }
        if news.journal.isOpen { news.journal.append(.decision(session.engine.record)) }
        guard case .send(let dispatch) = verdict, let index = index(of: dispatch.path) else {
            paths.noteWait(now: now)
            return nil
        }
        paths[index].statistics.decisions += 1
        news.statistics.decisions += 1
        if dispatch.isForced { news.statistics.forcedDecisions += 1 }
        return (index, dispatch)
    }

    // MARK: retransmissions, on the path that delivers first

    private mutating func pollRepairs(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        let waiting = session.streams.retransmissionBytes(upTo: PathTable.longestEnd)
        guard let index = paths.repairPath(bytes: waiting, clock: session.clock, now: now)
        else { return nil }
        lastAppLimitedAt = nil
        return fill(
            index, buffer, decision: SentPacket.noDecision, isRepair: true, copyTo: .wait,
            now: now)
    }

    // MARK: copies of a redundant policy

    private mutating func pollCopies(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        for index in paths.indices where !paths[index].copies.isEmpty {
            guard paths[index].isUsable, paths[index].room(now: now) > 0 else { continue }
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
        let carriesAcks = paths.carriesAcks(index, now: now)
        while batch.takesMore(buffer) {
            var packet = begin(index, batch.region(of: buffer), limit: batch.size, now: now)
            if batch.count == 0 {
                if carriesAcks { paths.appendAcks(&packet, on: index, all: true, now: now) }
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
                session.noteSent(packet.sent, path: paths[index].id)
            } else if isRepair {
                session.noteRepair(packet.sent, path: paths[index].id)
            }
            batch.add(length)
        }
        return batch.length > 0
            ? transmit(index, length: batch.length, segment: min(batch.size, batch.length)) : nil
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
