public import PathLearning
public import PathTelemetry

extension TraceRing {
    /// Records a decision with everything needed to replay it.
    ///
    /// The writer's thread computes probabilities that are not computed yet.
    ///
    /// - Returns: false if it was dropped, because the ring is full, the recording has stopped, or
    ///   its chosen action is not among its actions.
    @discardableResult
    public func record(_ decision: borrowing DecisionRecord, session: SessionID) -> Bool {
        let candidates = decision.candidates.count
        let actions = decision.decision.distribution.count
        let chosen = decision.decision.chosen
        guard chosen >= 0, chosen < actions else {
            count(.decision)
            return false
        }
        let open = decision.decision.distribution.open
        let isOpen = open.members != 0 && actions <= PathID.limit
        let bytes = FrameLayout.decisionBytes(
            candidates: candidates, actions: actions, isOpen: isOpen)
        guard var cursor = reserve(bytes, kind: .decision, session: session) else { return false }
        cursor.put(decision.number.littleEndian)
        cursor.put(decision.time.nanoseconds.littleEndian)
        cursor.put(decision.burst.bytes)
        cursor.put(decision.burst.bytesLeft &- decision.burst.bytes)
        cursor.put(decision.burst.deadline.nanoseconds.littleEndian)
        cursor.put(decision.draw)
        cursor.put(decision.burst.trafficClass.rawValue)
        cursor.put(decision.burst.currentPath?.rawValue ?? 255)
        cursor.put(UInt8(truncatingIfNeeded: candidates))
        cursor.put(UInt8(truncatingIfNeeded: actions))
        cursor.put(UInt8(truncatingIfNeeded: chosen))
        cursor.put(UInt8(decision.decision.isForced ? 1 : 0))
        cursor.put(isOpen ? open.members : 0)
        decision.candidates.withSpan { all in
            for index in 0..<candidates { cursor.put(all, index) }
        }
        decision.decision.distribution.withSpans { (sets, probabilities) in
            for index in 0..<actions { cursor.put(probabilities[index]) }
            for index in 0..<actions { cursor.put(sets[index].rawValue) }
            guard isOpen else { return }
            for index in 0..<actions { cursor.put(probabilities[PathID.limit + index]) }
            cursor.put(open.epsilon)
        }
        publish(bytes)
        return true
    }

    /// Records the outcome of a decision.
    @discardableResult
    public func record(_ outcome: Outcome, session: SessionID) -> Bool {
        var paths = outcome.bytes.paths
        let bytes = FrameLayout.headerBytes + 64 + 8 * paths.count
        guard var cursor = reserve(bytes, kind: .outcome, session: session) else { return false }
        cursor.put(outcome.decision.littleEndian)
        cursor.put(outcome.closedAt.nanoseconds.littleEndian)
        cursor.put(outcome.delivery ?? 0)
        cursor.put(outcome.deadline)
        cursor.put(outcome.packets)
        cursor.put(outcome.lostPackets)
        cursor.put(UInt32(outcome.isLate ? 1 : 0).littleEndian)
        cursor.put(UInt32(outcome.delivery == nil ? 0 : 1).littleEndian)
        cursor.put(UInt64(paths.rawValue).littleEndian)
        while let path = paths.popFirst() { cursor.put(outcome.bytes[path]) }
        publish(bytes)
        return true
    }

    /// Records the state of a path.
    @discardableResult
    public func record(_ sample: PathSample, session: SessionID) -> Bool {
        let bytes = FrameLayout.headerBytes + 136 + 48
        guard var cursor = reserve(bytes, kind: .sample, session: session) else { return false }
        let path = sample.snapshot
        cursor.put(sample.time.nanoseconds.littleEndian)
        cursor.put(path.smoothedRTT.nanoseconds.littleEndian)
        cursor.put(path.rttVariation.nanoseconds.littleEndian)
        cursor.put(path.latestRTT.nanoseconds.littleEndian)
        cursor.put(path.minRTT.nanoseconds.littleEndian)
        cursor.put(path.bytesInFlight)
        cursor.put(path.congestionWindow)
        cursor.put(path.pacingRate)
        cursor.put(path.deliveryRate)
        cursor.put(path.pacingDelay.nanoseconds.littleEndian)
        cursor.put((path.oldestUnanswered ?? .zero).nanoseconds.littleEndian)
        cursor.put((path.lastReply ?? .zero).nanoseconds.littleEndian)
        cursor.put(path.probeTimeouts)
        TraceRing.put(path.traits, into: &cursor)
        cursor.put(path.path.rawValue)
        cursor.put(path.state.rawValue)
        cursor.put(UInt8(path.oldestUnanswered == nil ? 0 : 1))
        cursor.put(UInt8(path.lastReply == nil ? 0 : 1))
        let totals = sample.totals
        cursor.put(UInt64(totals == nil ? 0 : 1).littleEndian)
        cursor.put((totals?.packetsSent ?? 0).littleEndian)
        cursor.put((totals?.bytesSent ?? 0).littleEndian)
        cursor.put((totals?.packetsReceived ?? 0).littleEndian)
        cursor.put((totals?.bytesReceived ?? 0).littleEndian)
        cursor.put((totals?.packetsLost ?? 0).littleEndian)
        publish(bytes)
        return true
    }

    /// Records an event; texts longer than `TraceEvent.textLimit` bytes are truncated.
    @discardableResult
    public func record(_ event: TraceEvent, session: SessionID) -> Bool {
        var kind = event.kind.rawValue
        var text = event.text
        return kind.withUTF8 { kind in
            text.withUTF8 { text in
                let size =
                    32 + FrameCursor.fitting(kind, limit: FrameLayout.nameLimit)
                    + FrameCursor.fitting(text, limit: TraceEvent.textLimit)
                let bytes = FrameLayout.align(FrameLayout.headerBytes + size)
                guard var cursor = reserve(bytes, kind: .event, session: session) else {
                    return false
                }
                cursor.put(event.time.nanoseconds.littleEndian)
                cursor.put(event.value ?? 0)
                cursor.put(UInt32(event.value == nil ? 0 : 1).littleEndian)
                cursor.put(UInt32(event.path?.rawValue ?? 255).littleEndian)
                cursor.put(text: kind, limit: FrameLayout.nameLimit)
                cursor.put(text: text, limit: TraceEvent.textLimit)
                publish(bytes)
                return true
            }
        }
    }

    /// Records that a path exists from `info.added` on.
    @discardableResult
    public func record(added info: PathInfo, session: SessionID) -> Bool {
        var name = info.name
        var local = info.local
        var remote = info.remote
        return name.withUTF8 { name in
            local.withUTF8 { local in
                remote.withUTF8 { remote in
                    let limit = FrameLayout.nameLimit
                    let size =
                        56 + FrameCursor.fitting(name, limit: limit)
                        + FrameCursor.fitting(local, limit: limit)
                        + FrameCursor.fitting(remote, limit: limit)
                    let bytes = FrameLayout.align(FrameLayout.headerBytes + size)
                    guard var cursor = reserve(bytes, kind: .pathAdded, session: session) else {
                        return false
                    }
                    cursor.put(info.added.nanoseconds.littleEndian)
                    TraceRing.put(info.traits, into: &cursor)
                    cursor.put(UInt32(info.path.rawValue).littleEndian)
                    cursor.put(text: name, limit: limit)
                    cursor.put(text: local, limit: limit)
                    cursor.put(text: remote, limit: limit)
                    publish(bytes)
                    return true
                }
            }
        }
    }

    /// Records that a path was removed.
    @discardableResult
    public func record(removed path: PathID, at time: Instant, session: SessionID) -> Bool {
        let bytes = FrameLayout.headerBytes + 16
        guard var cursor = reserve(bytes, kind: .pathRemoved, session: session) else {
            return false
        }
        cursor.put(time.nanoseconds.littleEndian)
        cursor.put(UInt64(path.rawValue).littleEndian)
        publish(bytes)
        return true
    }

    /// Records any record.
    @discardableResult
    public func record(_ record: TraceRecord, session: SessionID) -> Bool {
        switch record {
        case .pathAdded(let info): self.record(added: info, session: session)
        case .pathRemoved(let path, let time):
            self.record(removed: path, at: time, session: session)
        case .decision(let decision): self.record(decision, session: session)
        case .outcome(let outcome): self.record(outcome, session: session)
        case .sample(let sample): self.record(sample, session: session)
        case .event(let event): self.record(event, session: session)
        }
    }

    /// Writes 28 bytes: three numbers, then flags.
    private static func put(_ traits: PathTraits, into cursor: inout FrameCursor) {
        cursor.put(traits.weight)
        cursor.put(traits.pricePerGB)
        cursor.put(traits.rateLimit)
        cursor.put(UInt16(traits.kind.rawValue).littleEndian)
        cursor.put(UInt16(traits.isBackup ? 1 : 0).littleEndian)
    }
}
