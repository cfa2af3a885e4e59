/// Chooses what is sent next, and handles its fate.
extension StreamTable {
    /// The next piece to send, of the stream whose turn it is.
    ///
    /// - Parameter limit: most bytes of data.
    mutating func nextChunk(limit: Int) -> StreamFrame? {
        nextRetransmission(limit: limit) ?? nextNew(limit: limit)
    }

    /// The next piece to retransmit.
    ///
    /// - Parameters:
    ///   - limit: the most bytes.
    ///   - room: the most bytes with the header of the frame, which is as long as number and offset
    ///     need it.
    mutating func nextRetransmission(limit: Int = .max, room: Int = .max) -> StreamFrame? {
        while let slot = retransmitting.first {
            let fits = room - StreamData.headerLength(of: slot.id, at: slot.send.lostOffset)
            guard fits > 0 else { return nil }
            let chunk = slot.send.nextRetransmission(limit: min(limit, fits))
            let hasMore = slot.send.hasRetransmissions
            retransmitting.advance(chunk?.length, keeps: hasMore)
            if !hasMore { slot.isQueuedForRetransmission = false }
            if let chunk { return StreamFrame(id: slot.id, chunk: chunk) }
            if slot.isQueuedForRetransmission { return nil }
        }
        return nil
    }

    /// The next piece of new bytes, as far as the peer's limits allow.
    ///
    /// - Parameters:
    ///   - limit: the most bytes.
    ///   - room: the most bytes with the header of the frame.
    mutating func nextNew(limit: Int = .max, room: Int = .max) -> StreamFrame? {
        while let slot = fresh.first {
            let fits = room - StreamData.headerLength(of: slot.id, at: slot.send.nextOffset)
            guard fits > 0 else { return nil }
            let chunk = slot.send.nextNew(limit: min(limit, fits), credit: flow.credit)
            let hasMore = slot.send.hasNew
            fresh.advance(chunk?.length, keeps: hasMore)
            if !hasMore {
                slot.isQueuedForNew = false
                reportBlocked(slot)
            }
            if let chunk {
                flow.handleSent(UInt64(chunk.length))
                return StreamFrame(id: slot.id, chunk: chunk)
            }
            if slot.isQueuedForNew { return nil }
        }
        return nil
    }

    /// Copies the bytes of a piece into a buffer; returns false if some are not held any more.
    func copy(_ frame: StreamFrame, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        guard let slot = slot(frame.id) else { return false }
        return slot.send.copy(frame.chunk, into: buffer)
    }

    /// The first unacknowledged part of a piece; nil when nothing is left.
    func unacknowledged(_ frame: StreamFrame) -> StreamFrame? {
        guard let rest = slot(frame.id)?.send.unacknowledged(frame.chunk) else { return nil }
        return StreamFrame(id: frame.id, chunk: rest)
    }

    /// Whether lost data waits to be retransmitted.
    var hasRetransmissions: Bool { !retransmitting.isEmpty }

    /// Bytes that wait to be retransmitted, counted up to a limit.
    func retransmissionBytes(upTo limit: Int) -> Int {
        if retransmitting.isEmpty { return 0 }
        var bytes: UInt64 = 0
        var index = 0
        while bytes < UInt64(max(0, limit)), index < StreamTable.burstStreams,
            let slot = retransmitting[index]
        {
            bytes &+= slot.send.retransmissionBytes
            index &+= 1
        }
        return min(limit, Int(clamping: bytes))
    }

    /// Whether new data can be sent now.
    var hasNew: Bool {
        guard !fresh.isEmpty, let slot = fresh.first else { return false }
        return flow.credit > 0 || slot.send.peekNewBytes == 0
    }

    /// The most streams that count for the size of a burst; thousands may wait with a byte each.
    private static let burstStreams = 256

    /// Bytes that can be sent now, counted up to a limit, for the size of a burst.
    func sendableBytes(upTo limit: Int) -> Int {
        let most = UInt64(max(0, limit))
        let again = UInt64(retransmissionBytes(upTo: limit))
        var new: UInt64 = 0
        var index = 0
        let allowed = min(most, flow.credit)
        while new < allowed, index < StreamTable.burstStreams,
            let slot = fresh[index]
        {
            new &+= slot.send.peekNewBytes
            index &+= 1
        }
        return Int(truncatingIfNeeded: min(most, again &+ min(new, allowed)))
    }

    /// All bytes that wait to be sent, with those that open streams may still be given if their writers
    /// wait for room: as many as they were given so far, because the longer a transfer is the more is
    /// left of it.
    ///
    /// - Parameter limit: the most bytes that are counted.
    func bytesLeft(upTo limit: Int) -> Int {
        var bytes = UInt64(retransmissionBytes(upTo: limit))
        var index = 0
        while bytes < UInt64(max(0, limit)), index < StreamTable.burstStreams,
            let slot = fresh[index]
        {
            bytes &+= slot.send.bytesLeft
            index &+= 1
        }
        return min(limit, Int(clamping: bytes))
    }

    mutating func queueForNew(_ slot: StreamSlot) {
        if slot.isQueuedForNew { return }
        guard slot.send.hasNew else {
            reportBlocked(slot)
            return
        }
        slot.isQueuedForNew = true
        fresh.append(slot)
    }

    mutating func reportBlocked(_ slot: StreamSlot) {
        if slot.send.isBlocked, slot.blockedLimit != slot.send.maxData { tell(slot, .blocked) }
    }

    // MARK: Acknowledgement and loss

    /// Takes the acknowledgement of a piece.
    mutating func handleAcked(_ frame: StreamFrame) {
        guard let slot = slot(frame.id), slot.sends else { return }
        latest = slot
        let wasDone = slot.send.isFullyAcknowledged
        slot.send.handleAcked(
            offset: frame.chunk.offset, length: frame.chunk.length, isFinal: frame.chunk.isFinal)
        countHeld(slot)
        if slot.wantsRoom,
            slot.send.writableBytes(ahead: ahead) >= slot.send.wakeRoom(ahead: ahead)
        {
            slot.wantsRoom = false
            raise(slot, .writable)
        }
        if !wasDone, slot.send.isFullyAcknowledged {
            raise(slot, .delivered)
            removeIfDone(slot)
        }
    }

    /// Queues the part of a piece that has not arrived, after a loss or for re-injection.
    mutating func handleLost(_ frame: StreamFrame) {
        guard let slot = slot(frame.id), slot.sends else { return }
        slot.send.handleLost(
            offset: frame.chunk.offset, length: frame.chunk.length, isFinal: frame.chunk.isFinal)
        if slot.send.hasRetransmissions, !slot.isQueuedForRetransmission {
            slot.isQueuedForRetransmission = true
            retransmitting.append(slot)
        }
    }
}
