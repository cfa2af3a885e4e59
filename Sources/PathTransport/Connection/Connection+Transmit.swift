public import PathTelemetry

extension Connection {
    /// Smallest buffer for `pollTransmit`: it holds one datagram of any path.
    static let smallestTransmitBuffer = 9216

    /// Writes the next datagrams into the buffer; nil when nothing may be sent now.
    public mutating func pollTransmit(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard buffer.count >= Connection.smallestTransmitBuffer else { return nil }
        switch phase {
        case .closed: return nil
        case .handshaking: return pollInitiation(into: buffer, now: now)
        case .closing: return pollClose(into: buffer, now: now)
        case .established: break
        }
        noticeStall(now: now)
        if let transmit = pollPathControl(into: buffer, now: now) { return transmit }
        if let transmit = pollAcknowledgement(into: buffer, now: now) { return transmit }
        if let transmit = pollData(into: buffer, now: now) { return transmit }
        if let transmit = pollControl(into: buffer, now: now) { return transmit }
        lastEmptyPollAt = now
        return nil
    }

    // MARK: before and after

    private mutating func pollInitiation(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        let (all, reserve) = paths.initiating
        guard let path = handshake?.nextPath(of: all, reserve: reserve, now: now),
            let index = index(of: path),
            handshake?.writeInitiation(path: path, to: buffer, now: now) == true
        else { return nil }
        paths[index].noteSent(datagrams: 1, bytes: InitiationPacket.length)
        return transmit(index, length: InitiationPacket.length, segment: InitiationPacket.length)
    }

    private mutating func pollClose(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard protection != nil, let index = closing.nextPath(), index < paths.count else {
            return nil
        }
        var packet = begin(index, buffer, limit: PathMTU.base, now: now)
        paths.appendAcks(&packet, on: index, all: true, now: now)
        packet.close(closing.notice)
        return single(index, &packet, now: now)
    }

    /// A packet that tells the peer, on a client's path itself, that `removePath` follows.
    public mutating func pollFarewell(
        of path: PathID, into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard case .established = phase, let index = index(of: path) else { return nil }
        paths[index].statusToSend = .abandoned
        var packet = begin(index, buffer, limit: PathMTU.base, now: now)
        paths[index].appendStatus(&packet, sequence: &statusSequence)
        return single(index, &packet, now: now)
    }

    // MARK: what belongs on one path

    private mutating func pollPathControl(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        for index in paths.indices where paths[index].mayAcknowledge {
            guard paths[index].mayAsk(probes, idleTimeout, now: now) else { continue }
            if let transmit = pollValidation(index, buffer, now: now) { return transmit }
            guard paths[index].isAlive else { continue }
            if let transmit = pollProbe(index, buffer, now: now) { return transmit }
            if let transmit = pollMTUProbe(index, buffer, now: now) { return transmit }
        }
        return nil
    }

    private mutating func pollValidation(
        _ index: Int, _ buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        let isDue = paths[index].validation.isDue(now: now)
        let response = paths[index].pendingResponse
        guard isDue || response != nil else { return nil }
        let limit = min(PathMTU.base, paths[index].amplificationRoom)
        var packet = begin(index, buffer, limit: limit, now: now)
        if let response {
            paths[index].pendingResponse = nil
            packet.response(response)
        }
        appendName(&packet, index)
        if isDue {
            if isServer, paths[index].validation.attempts >= PathValidation.attemptLimit,
                paths[index].state == .validating
            {
                // The address does not answer: forget it.
                paths.change(index, to: .closed, .gaveUp, now, &news)
                return nil
            }
            guard let token = try? Crypto.randomNumber(UInt64.self) else {
                finish(.cryptography("no random bytes for a path challenge"), now: now)
                return nil
            }
            let longest = ProbeBudget.longest(
                paths[index], othersWork: paths.hasOtherUsable(than: index))
            paths[index].validation.handleChallengeSent(token, longest: longest, now: now)
            packet.challenge(token)
        }
        // RFC 9000, section 8.2.1: the path has to carry full datagrams.
        packet.pad(to: limit)
        return single(index, &packet, now: now)
    }

    private mutating func pollProbe(
        _ index: Int, _ buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        let isFailedProbe = paths[index].state == .failed && now >= paths[index].nextProbeAt
        let isKeepalive = paths[index].isUsable && keepaliveDue(index, by: now) <= now
        let isPaidFor = isKeepalive && probes.isQuick(paths[index])
        let answers = paths[index].answersHere && paths[index].received.owesAck
        let asks = paths[index].probeDue || isFailedProbe || isKeepalive
        guard asks || answers else { return nil }
        if isFailedProbe {
            paths[index].recovery.settle(now: now, sink: &session)
            paths[index].nextProbeAt =
                now
                + probes.interval(
                    failed: paths[index], othersWork: paths.hasOtherUsable(than: index), now: now)
        }
        var packet = begin(index, buffer, limit: PathMTU.base, now: now)
        if paths[index].received.owesAck || !isFailedProbe {
            paths[index].appendAck(&packet, on: index, now: now)
        }
        paths[index].answersHere = false
        appendName(&packet, index)
        if asks {
            paths[index].probeDue = false
            packet.ping()
        }
        guard !packet.isEmpty else { return nil }
        if isPaidFor { probes.pay(datagram: packet.datagramLength) }
        return single(index, &packet, now: now)
    }

    /// When an idle path is next probed, so that its estimates stay fresh and its NAT entry lives;
    /// the distant future if that is not before `limit`.
    func keepaliveDue(_ index: Int, by limit: Instant) -> Instant {
        let mayBe = probes.mayBeDue(paths[index], by: limit, idleTimeout: idleTimeout)
        guard mayBe else { return .distantFuture }
        let isBusy = session.lastDataAt.map { lastReceivedAt - $0 < .seconds(2) } ?? false
        return probes.due(
            paths[index], isBusy: isBusy, hasActive: paths.hasActive, idleTimeout: idleTimeout)
    }

    private mutating func pollMTUProbe(
        _ index: Int, _ buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard let size = paths[index].mtu.probeSize(now: now), size <= buffer.count,
            paths[index].takesMTUProbe(now: now)
        else { return nil }
        var packet = begin(index, buffer, limit: size, now: now)
        packet.ping()
        packet.pad(to: size)
        packet.sent.isMTUProbe = true
        paths[index].mtu.handleProbeSent(size)
        return single(index, &packet, now: now)
    }

    // MARK: acknowledgements and control that may go anywhere

    private mutating func pollAcknowledgement(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        let isDue = paths.indices.contains { paths[$0].received.ackDueAt <= now }
        guard isDue, let index = paths.nextAckPath(now: now) else { return nil }
        var packet = begin(index, buffer, limit: paths[index].mtu.current, now: now)
        paths.appendAcks(&packet, on: index, all: true, now: now)
        appendControl(&packet, index, now: now)
        // Nobody acknowledges acknowledgements: a ping now and then reveals a path that drops them.
        let interval = max(paths[index].recovery.rtt.smoothed, .milliseconds(20))
        if now - lastAckPingAt >= interval {
            lastAckPingAt = now
            packet.ping()
        }
        return packet.isEmpty ? nil : single(index, &packet, now: now)
    }

    private mutating func pollControl(
        into buffer: UnsafeMutableRawBufferPointer, now: Instant
    ) -> Transmit? {
        guard hasControl, let index = paths.ackPath(now: now) else { return nil }
        var packet = begin(index, buffer, limit: paths[index].mtu.current, now: now)
        appendControl(&packet, index, now: now)
        return packet.isEmpty ? nil : single(index, &packet, now: now)
    }

    var hasControl: Bool {
        session.hasControl || paths.indices.contains { paths[$0].hasFrames }
    }

    /// Appends frames that any path may carry, as many as fit.
    mutating func appendControl(_ packet: inout PacketBuilder, _ index: Int, now: Instant) {
        appendName(&packet, index)
        paths[index].appendAckFrequency(&packet)
        for other in paths.indices { paths[other].appendStatus(&packet, sequence: &statusSequence) }
        session.appendControl(&packet, now: now)
    }

    private mutating func appendName(_ packet: inout PacketBuilder, _ index: Int) {
        guard let limit = peerParameters?.maximumPathName else { return }
        paths[index].appendName(&packet, limit: limit, sequence: &statusSequence)
    }

    // MARK: packets

    mutating func begin(
        _ index: Int, _ region: UnsafeMutableRawBufferPointer, limit: Int, now: Instant
    ) -> PacketBuilder {
        PacketBuilder(
            region: region, limit: limit,
            header: DataHeader(
                phase: protection?.phase ?? 0, path: paths[index].id, receiver: remoteIndex,
                packetNumber: paths[index].recovery.packets.next),
            now: now)
    }

    /// Encrypts a packet, records it as sent, and returns the length of its datagram.
    mutating func end(_ index: Int, _ packet: inout PacketBuilder, now: Instant) -> Int {
        let path = paths[index].id
        let length =
            protection?.seal(
                packet: packet.base, payloadLength: packet.payloadLength, path: path,
                number: packet.number) ?? 0
        guard length > 0 else { return 0 }
        packet.sent.bytes = Int32(truncatingIfNeeded: length)
        paths[index].recovery.handleSent(packet.sent, now: now)
        if packet.sent.isAckEliciting { paths[index].lastAskedAt = now }
        paths[index].noteSent(datagrams: 1, bytes: length)
        return length
    }

    /// Encrypts a packet without application data, which is sent alone.
    private mutating func single(
        _ index: Int, _ packet: inout PacketBuilder, now: Instant
    ) -> Transmit? {
        packet.sent.isBare = true
        let length = end(index, &packet, now: now)
        return length > 0 ? transmit(index, length: length, segment: length) : nil
    }

    func transmit(_ index: Int, length: Int, segment: Int) -> Transmit {
        Transmit(
            path: paths[index].id, socket: paths[index].socket, remote: paths[index].remote,
            local: paths[index].local, length: length, segmentSize: segment)
    }
}
