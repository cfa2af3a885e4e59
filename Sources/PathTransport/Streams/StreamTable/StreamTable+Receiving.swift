internal import PathTelemetry

/// Handles frames of the peer, and makes the frames that answer them.
extension StreamTable {
    // MARK: Frames of the peer

    /// Takes a piece of a stream.
    ///
    /// - Throws: errors that close the connection, except `tooManyRanges`, after which the packet
    ///   must not be acknowledged. Nothing has changed then.
    @discardableResult
    mutating func handleStream(
        _ id: StreamID, offset: UInt64, data: UnsafeRawBufferPointer, isFinal: Bool
    ) throws(StreamError) -> ReceiveProgress {
        guard let slot = try receiving(id) else {
            lateBytes &+= UInt64(data.count)
            return ReceiveProgress(duplicate: data.count)
        }
        let growth = slot.receive.growth(offset: offset, length: data.count)
        if growth > 0 { try flow.check(growth: growth) }
        let wasComplete = slot.receive.isComplete
        let progress = try unsafe slot.receive.handle(offset: offset, data: data, isFinal: isFinal)
        flow.handleReceived(progress.growth)
        noteHolding(slot)
        if slot.receive.isGrowthDue(most: flow.streamMaximum) { tell(slot, .maxStreamData) }
        if slot.receive.isStopped {
            flow.handleConsumed(progress.growth)
            removeIfDone(slot)
        } else if progress.readable > 0 || (slot.receive.isComplete && !wasComplete) {
            raise(slot, .readable)
        }
        return progress
    }

    /// Takes RESET_STREAM; RFC 9000, section 19.4.
    mutating func handleReset(_ id: StreamID, _ reset: StreamReset) throws(StreamError) {
        guard let slot = try receiving(id) else { return }
        let growth = slot.receive.growth(offset: reset.finalSize, length: 0)
        try flow.check(growth: growth)
        let unread = slot.receive.highestOffset &- slot.receive.readOffset
        let wasReset = slot.receive.resetCode != nil
        _ = try slot.receive.handleReset(code: reset.code, finalSize: reset.finalSize)
        flow.handleReceived(growth)
        guard !wasReset, slot.receive.resetCode != nil else { return }
        flow.handleConsumed(unread &+ growth)
        if !slot.receive.isStopped { raise(slot, .wasReset) }
        removeIfDone(slot)
    }

    /// Takes STOP_SENDING: the sending half is reset with the peer's code.
    mutating func handleStopSending(_ id: StreamID, code: UInt64) throws(StreamError) {
        guard let slot = try sending(id), !slot.send.isReset, !slot.send.isDone else { return }
        slot.stoppedCode = code
        reset(slot, code: code)
        raise(slot, .wasStopped)
    }

    /// Takes MAX_STREAM_DATA.
    mutating func handleMaxStreamData(_ id: StreamID, _ limit: UInt64) throws(StreamError) {
        guard let slot = try sending(id) else { return }
        slot.send.handleMaxData(limit)
        queueForNew(slot)
    }

    /// Takes MAX_DATA.
    mutating func handleMaxData(_ limit: UInt64) { flow.handleMaxData(limit) }

    private mutating func receiving(_ id: StreamID) throws(StreamError) -> StreamSlot? {
        if id.isUnidirectional, id.isServerInitiated == isServer { throw .streamState(id) }
        return try named(id)
    }

    private mutating func sending(_ id: StreamID) throws(StreamError) -> StreamSlot? {
        if id.isUnidirectional, id.isServerInitiated != isServer { throw .streamState(id) }
        return try named(id)
    }

    // MARK: Frames to the peer

    /// Whether `nextControl` would return something.
    var hasControl: Bool {
        isMaxDataDue || flow.isWindowUpdateDue || !controlling.isEmpty
            || remote[0].isLimitDue || remote[1].isLimitDue
            || local[0].isBlockedDue || local[1].isBlockedDue
            || (!fresh.isEmpty && flow.isBlockedReportDue)
    }

    /// The next frame about streams to send; at most 25 bytes with its type.
    ///
    /// - Parameter rtt: smoothed round-trip time, by which windows grow.
    mutating func nextControl(now: Instant, rtt: TimeDelta) -> StreamControl? {
        if let limit = flow.windowUpdate(now: now, rtt: rtt) {
            isMaxDataDue = false
            return .maxData(limit)
        }
        if isMaxDataDue {
            isMaxDataDue = false
            return .maxData(flow.maxData)
        }
        for kind in 0..<2 where remote[kind].isLimitDue {
            remote[kind].isLimitDue = false
            return .maxStreams(remote[kind].limit, isUnidirectional: kind == 1)
        }
        while let slot = controlling.first {
            if let control = nextControl(of: slot, now: now, rtt: rtt) { return control }
            slot.isQueuedForControl = false
            _ = controlling.popFirst()
        }
        if !fresh.isEmpty, let limit = flow.blockedReport() { return .dataBlocked(limit) }
        for kind in 0..<2 where local[kind].isBlockedDue {
            local[kind].isBlockedDue = false
            local[kind].blockedLimit = local[kind].limit
            return .streamsBlocked(local[kind].limit, isUnidirectional: kind == 1)
        }
        return nil
    }

    private mutating func nextControl(
        of slot: StreamSlot, now: Instant, rtt: TimeDelta
    ) -> StreamControl? {
        if slot.controls.remove(.reset) != nil, let frame = slot.send.pendingReset {
            slot.send.handleResetSent()
            return .reset(slot.id, frame)
        }
        if slot.controls.remove(.stopSending) != nil, slot.receive.finalSize == nil {
            return .stopSending(slot.id, code: slot.stopCode)
        }
        if slot.controls.remove(.maxStreamData) != nil, slot.receive.wantsMore {
            let limit = slot.receive.windowUpdate(most: flow.streamMaximum, now: now, rtt: rtt)
            return .maxStreamData(slot.id, limit ?? slot.receive.maxData)
        }
        if slot.controls.remove(.blocked) != nil, slot.send.isBlocked {
            slot.blockedLimit = slot.send.maxData
            return .streamDataBlocked(slot.id, slot.send.maxData)
        }
        return nil
    }

    /// Takes the acknowledgement of a frame of `nextControl`.
    mutating func handleControlAcked(_ control: StreamControl) {
        guard case .reset(let id, _) = control, let slot = slot(id) else { return }
        slot.send.handleResetAcked()
        removeIfDone(slot)
    }

    /// Queues a lost frame of `nextControl` again, with its present value, if it still matters.
    mutating func handleControlLost(_ control: StreamControl) {
        switch control {
        case .maxData(let limit):
            if limit == flow.maxData { isMaxDataDue = true }
        case .maxStreams(let limit, let isUnidirectional):
            let kind = isUnidirectional ? 1 : 0
            if limit == remote[kind].limit { remote[kind].isLimitDue = true }
        case .maxStreamData(let id, let limit):
            if let slot = slot(id), slot.receive.maxData == limit { tell(slot, .maxStreamData) }
        case .reset(let id, _):
            guard let slot = slot(id) else { return }
            slot.send.handleResetLost()
            if slot.send.pendingReset != nil { tell(slot, .reset) }
        case .stopSending(let id, _):
            if let slot = slot(id) { tell(slot, .stopSending) }
        case .dataBlocked(let limit):
            flow.handleBlockedLost(limit: limit)
        case .streamDataBlocked(let id, let limit):
            if let slot = slot(id), slot.send.maxData == limit { tell(slot, .blocked) }
        case .streamsBlocked(let limit, let isUnidirectional):
            let kind = isUnidirectional ? 1 : 0
            if limit == local[kind].limit { local[kind].isBlockedDue = true }
        }
    }
}
