import PathTelemetry

/// The frames about one path: acknowledgements, status, name, and the wanted frequency of
/// acknowledgements.
extension Path {
    /// Whether frames wait that a packet on any path may carry.
    var hasFrames: Bool { statusToSend != nil || (toleranceToSend != nil && isUsable) }

    /// Appends the acknowledgement of the path's packets.
    ///
    /// - Parameters:
    ///   - carrier: the index of the packet's path.
    ///   - isRepeated: it stays due, for another packet.
    ///   - isRepetition: it was sent on another path before, perhaps in vain.
    mutating func appendAck(
        _ packet: inout PacketBuilder, on carrier: Int, isRepeated: Bool = false,
        isRepetition: Bool = false, now: Instant
    ) {
        guard packet.takesFrames,
            let frame = received.ackFrame(path: id, isRepetition: isRepetition, now: now),
            packet.room >= frame.maximumLength
        else { return }
        frame.write(to: &packet.writer)
        packet.rememberAck(id, largest: frame.largest)
        if !isRepeated { received.didAcknowledge(on: carrier) }
    }

    mutating func appendAckFrequency(_ packet: inout PacketBuilder) {
        guard let tolerance = toleranceToSend else { return }
        toleranceToSend = nil
        let delay = min(max(recovery.rtt.minimum / 8, .milliseconds(1)), .milliseconds(5))
        requestedDelay = delay
        packet.ackFrequency(packets: tolerance, delay: delay, of: id)
    }

    /// The status of the path to tell the peer.
    var ownStatus: PathStatus {
        if !isAlive { return .abandoned }
        return traits.isBackup ? .standby : .available
    }

    /// - Parameter sequence: number of the latest status or name, which is incremented.
    mutating func appendStatus(_ packet: inout PacketBuilder, sequence: inout UInt64) {
        guard packet.takesFrames, let status = statusToSend else { return }
        statusToSend = nil
        sequence += 1
        packet.status(status, of: id, sequence: sequence)
    }

    /// Appends the name of the path if the peer has to be told.
    ///
    /// It is sent on the path itself, so that the peer knows the path when it gets the name.
    ///
    /// - Parameters:
    ///   - limit: the most bytes of a name that the peer accepts.
    ///   - sequence: number of the latest status or name, which is incremented.
    mutating func appendName(
        _ packet: inout PacketBuilder, limit: Int, sequence: inout UInt64
    ) {
        guard isNameDue else { return }
        var bytes = Array(name.utf8.prefix(limit))
        // No character is split.
        if bytes.count < name.utf8.count {
            while let last = bytes.last, last & 0xc0 == 0x80 { bytes.removeLast() }
            if let last = bytes.last, last >= 0xc0 { bytes.removeLast() }
        }
        guard !bytes.isEmpty else {
            isNameDue = false
            return
        }
        guard packet.name(bytes, of: id, sequence: sequence + 1) else { return }
        sequence += 1
        isNameDue = false
    }

    /// Takes the client's name of the path, bounded and safe to show.
    ///
    /// - Parameter limit: the most bytes of a name that are kept.
    mutating func handleName(_ bytes: UnsafeRawBufferPointer, sequence: UInt64, limit: Int) {
        guard sequence > nameSequence else { return }
        nameSequence = sequence
        let text = EscapedText(bytes: bytes.prefix(max(0, limit))).description
        guard text != name else { return }
        name = text
        isUnrecorded = true
    }

    /// Repeats a frame whose packet was lost, if needed.
    mutating func handleLost(_ kind: PathFrame.Kind) {
        switch kind {
        // The lost status may be out of date, so the present one is sent.
        case .status: statusToSend = ownStatus
        case .name: isNameDue = true
        case .ackFrequency: break
        }
    }
}

extension PathTable {
    /// Takes what the peer says about a path.
    ///
    /// - Parameters:
    ///   - index: the path on which the frame arrived.
    ///   - limits: of this side.
    mutating func handle(
        _ frame: PathFrame, on index: Int, isServer: Bool, limits: borrowing TransportParameters,
        now: Instant, _ session: inout Session, _ news: inout ConnectionNews
    ) {
        switch frame {
        case .status(let path, let sequence, let status):
            handleStatus(status, of: path, sequence: sequence, now: now, &session, &news)
        case .name(let path, let sequence, let name):
            guard isServer, let index = self.index(of: path) else { return }
            self[index].handleName(name, sequence: sequence, limit: limits.maximumPathName)
        case .ackFrequency(let packets, let delay):
            self[index].received.packetTolerance = Int(clamping: min(packets, 1024))
            self[index].received.ackDelay = min(delay, limits.maximumAckDelay)
        }
    }

    private mutating func handleStatus(
        _ status: PathStatus, of path: PathID, sequence: UInt64, now: Instant,
        _ session: inout Session, _ news: inout ConnectionNews
    ) {
        guard let index = index(of: path),
            sequence > self[index].peerStatusSequence || self[index].peerStatusSequence == 0
        else { return }
        self[index].peerStatusSequence = sequence
        self[index].peerStatus = status
        switch (status, self[index].state) {
        case (.standby, .active): change(index, to: .standby, .peerRequest, now, &news)
        case (.available, .standby) where !self[index].traits.isBackup:
            change(index, to: .active, .peerRequest, now, &news)
        case (.abandoned, let state) where state != .closed:
            self[index].recovery.handleFailed(now: now, sink: &session)
            change(index, to: .closed, .peerRequest, now, &news)
            session.clock.remove(path: path)
        default: break
        }
    }

    /// Applies to the paths what the session learned from acknowledged and lost packets.
    mutating func takeOver(_ session: inout Session) {
        if session.hasAcknowledgedAcks {
            session.hasAcknowledgedAcks = false
            for index in indices {
                let number = self[index].id.index
                guard let largest = session.acknowledgedAcks[number] else { continue }
                session.acknowledgedAcks[number] = nil
                self[index].received.forget(upTo: largest)
            }
        }
        for lost in session.lostPathFrames {
            if let index = index(of: lost.path) { self[index].handleLost(lost.kind) }
        }
        session.lostPathFrames.removeAll(keepingCapacity: true)
        let fastest = fastestRTT
        if fastest < .infinite { session.fastestRTT = fastest }
    }
}
