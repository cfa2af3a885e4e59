import PathLearning
import PathTelemetry

extension Connection {
    /// Lost fragments take the path that delivers first, new messages the path of the policy.
    mutating func pollMessages(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        paths.expectArrival(&session.messages, clock: session.clock, now: now)
        if session.messages.hasRetransmissions,
            let index = paths.repairPath(loser: lastLossPath, clock: session.clock, now: now),
            let sent = fillMessages(index, buffer, burst: nil, now: now)
        {
            return sent
        }
        guard let head = session.messages.head(now: now) else { return nil }
        if let burst = messageBurst, burst.number == head.number, let index = index(of: burst.path),
            paths[index].isUsable
        {
            guard paths.messageRoom(index, goAhead: messagesGoAhead, now: now) > 0
            else { return nil }
            return fillMessages(index, buffer, burst: burst, now: now)
        }
        let deadline = min(
            head.options.deadline - now, configuration.streamDeadlineRange.upperBound)
        completeMessageBurst(now: now)
        guard
            let (index, dispatch) = decide(
                bytes: head.bytes, deadline: max(.milliseconds(1), deadline),
                trafficClass: .message, now: now)
        else { return nil }
        session.copyBudget.deposit(bytes: head.bytes, share: head.options.redundancy, now: now)
        let chosen = MessageBurst(
            number: head.number, path: dispatch.path, others: dispatch.others,
            decision: dispatch.number)
        messageBurst = chosen
        return fillMessages(index, buffer, burst: chosen, now: now)
    }

    /// Whether messages may take more than windows and pacers allow, as streams would take it all.
    var messagesGoAhead: Bool { !share.isOwed && streamsWait }

    private mutating func completeMessageBurst(now: Instant) {
        guard let burst = messageBurst else { return }
        messageBurst = nil
        // The rest of an expired message is never sent; that of a lost path is another burst.
        let isCut = !burst.isWhole && session.messages.head(now: now)?.number != burst.number
        session.engine.handleComplete(burst.decision, isCut: isCut, now: now)
    }

    /// Fills datagrams with fragments of one message, or with lost fragments if there is no burst.
    private mutating func fillMessages(
        _ index: Int, _ buffer: UnsafeMutableRawBufferPointer, burst: MessageBurst?, now: Instant
    ) -> Transmit? {
        var batch = Batch(
            size: paths[index].mtu.current,
            room: paths.messageRoom(index, goAhead: messagesGoAhead, now: now))
        while batch.takesMore(buffer) {
            var packet = begin(index, batch.region(of: buffer), limit: batch.size, now: now)
            let limit = packet.room - MessageData.maximumHeaderLength
            if let burst, session.messages.head(now: now)?.number != burst.number { break }
            guard
                let chunk = burst == nil
                    ? session.messages.nextRetransmission(limit: limit, now: now)
                    : session.messages.nextNew(limit: limit, now: now)
            else { break }
            session.write(chunk, to: &packet, now: now)
            news.statistics.noteCopy(chunk)
            if let burst {
                packet.sent.decision = burst.decision
                packet.sent.isByBytes = burst.others != .wait
                addCopies(.message(chunk), decision: burst.decision, to: burst.others)
            }
            lastAppLimitedAt = nil
            let length = end(index, &packet, now: now)
            guard length > 0 else { break }
            notePayload(index, bytes: length, now: now)
            if burst == nil {
                session.noteRepair(packet.sent, path: paths[index].id)
            } else {
                session.noteSent(packet.sent, path: paths[index].id)
                if chunk.offset + chunk.length >= chunk.total { messageBurst?.isWhole = true }
            }
            batch.add(length)
        }
        if let burst, session.messages.head(now: now)?.number != burst.number {
            completeMessageBurst(now: now)
        }
        return batch.length > 0
            ? transmit(index, length: batch.length, segment: min(batch.size, batch.length)) : nil
    }

    /// Queues copies of a frame that was just sent for the other paths of a redundant action.
    mutating func addCopies(_ frame: SentFrame, decision: UInt64, to others: PathSet) {
        var remaining = others
        while let path = remaining.popFirst() {
            guard let other = index(of: path) else { continue }
            paths[other].addCopy(FrameCopy(frame: frame, decision: decision))
        }
    }
}
