public import PathTelemetry

extension Connection {
    /// Takes one datagram.
    ///
    /// It is decrypted in place; afterwards the caller may reuse the memory.
    ///
    /// - Parameters:
    ///   - local: the address it was sent to, if the socket has several; replies on its path are
    ///     sent from there.
    ///   - socket: number of the local socket that received it.
    ///   - receivedAt: when it arrived, as exactly as the caller knows (kernel time stamp).
    public mutating func handleDatagram(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: SocketAddress,
        to local: SocketAddress? = nil, socket: Int, receivedAt: Instant, now: Instant
    ) {
        guard !isClosed else { return }
        let readable = UnsafeRawBufferPointer(bytes)
        if case .closing = phase {
            handleWhileClosing(bytes, now: now)
            return
        }
        if let header = DataHeader(readable) {
            handleData(
                bytes, header, from: remote, to: local, socket: socket, receivedAt: receivedAt,
                now: now)
        } else if handshake != nil {
            handleHandshake(readable, from: remote, socket: socket, now: now)
        } else if readable.first == HandshakeKind.reset, let token = peerParameters?.resetToken,
            !isServer, ResetPacket.isValid(readable, index: remoteIndex, token: token)
        {
            finish(.forgotten, now: now)
        }
    }

    /// Handles a packet of a peer that has not heard of the end yet, or has answered it.
    private mutating func handleWhileClosing(
        _ bytes: UnsafeMutableRawBufferPointer, now: Instant
    ) {
        guard let header = DataHeader(UnsafeRawBufferPointer(bytes)),
            header.receiver == localIndex, let index = index(of: header.path),
            paths[index].received.isNew(header.packetNumber),
            let length = try? protection?.open(packet: bytes, header: header, now: now)
        else { return }
        paths[index].noteReceived(bytes: bytes.count)
        paths[index].received.record(
            header.packetNumber, isAckEliciting: false, stamp: 0, receivedAt: now, now: now,
            wantsAckAtOnce: false)
        let payload = UnsafeRawBufferPointer(
            rebasing: UnsafeRawBufferPointer(bytes)[DataHeader.length..<DataHeader.length + length])
        guard FrameReader.containsClose(payload) else {
            closing.answer(on: index)
            return
        }
        // The peer repeats its close frame until it gets our answer.
        if case .peer = closeReason { return }
        phase = .closed
    }

    // MARK: handshake

    private mutating func handleHandshake(
        _ bytes: UnsafeRawBufferPointer, from remote: SocketAddress, socket: Int, now: Instant
    ) {
        guard let kind = bytes.first,
            let index = paths.indices.first(where: {
                paths[$0].socket == socket && paths[$0].remote == remote
            })
        else { return }
        let path = paths[index].id
        do {
            guard let suite = handshake?.suite,
                let answer = try handshake?.handle(bytes, kind: kind, path: path, now: now)
            else { return }
            handshake = nil
            remoteIndex = answer.remoteIndex
            try establish(suite: suite, secrets: answer.keys, peer: answer.parameters, now: now)
            paths.begin(answeredOn: index, answer.parameters)
        } catch {
            finish(.cryptography("\(error)"), now: now)
            return
        }
        paths[index].noteReceived(bytes: bytes.count)
        paths.handleValidated(index, now: now, &news)
        // The server sends data only after a packet under the new keys.
        paths[index].probeDue = true
    }

    // MARK: data

    private mutating func handleData(
        _ bytes: UnsafeMutableRawBufferPointer, _ header: DataHeader, from remote: SocketAddress,
        to local: SocketAddress?, socket: Int, receivedAt: Instant, now: Instant
    ) {
        guard header.receiver == localIndex, protection != nil else { return }
        var known = index(of: header.path)
        if let index = known, !paths[index].received.isNew(header.packetNumber) {
            paths[index].noteDuplicate(bytes: bytes.count)
            news.statistics.replayedPackets += 1
            return
        }
        let length: Int?
        do {
            length = try protection?.open(packet: bytes, header: header, now: now)
        } catch {
            finish(.cryptography("\(error)"), now: now)
            return
        }
        guard let length else {
            if let index = known { paths[index].statistics.forged += 1 }
            news.statistics.forgedPackets += 1
            if protection?.isWornByForgeries == true {
                finish(.cryptography("more forged packets than a key may see"), now: now)
            }
            return
        }
        // Only now is it certain that the peer sent it, so state may be created.
        if known == nil {
            guard isServer, paths.count < PathID.limit else { return }
            makePath(
                header.path, traits: PathTraits(), socket: socket, remote: remote, local: local,
                datagramLimit: configuration.parameters.maximumDatagram, now: now)
            known = paths.count - 1
        }
        guard let index = known else { return }
        noticeStall(now: now)
        lastReceivedAt = now
        noteArrival(
            index, bytes: bytes.count, number: header.packetNumber, from: remote, to: local,
            socket: socket, now: now)
        if index == 0, handshakeRemote == remote {
            // The answer went to this address alone, so the address is validated.
            handshakeRemote = nil
            paths.handleValidated(index, now: now, &news)
        }
        let payload = UnsafeRawBufferPointer(
            rebasing: UnsafeRawBufferPointer(bytes)[
                DataHeader.length..<DataHeader.length + length])
        handlePayload(
            payload, index, number: header.packetNumber, receivedAt: receivedAt, now: now)
    }

    /// Records an authentic packet, and follows the peer to a new address, which is then validated.
    private mutating func noteArrival(
        _ index: Int, bytes: Int, number: UInt64, from remote: SocketAddress,
        to local: SocketAddress?, socket: Int, now: Instant
    ) {
        paths[index].noteReceived(bytes: bytes)
        paths[index].noteReceived(now: now)
        guard isServer else { return }
        let isNewest = paths[index].received.isEmpty || number > paths[index].received.largest
        if paths[index].remote != remote, isNewest {
            paths[index].follow(to: remote, socket: socket, local: local)
        }
        paths[index].validation.bytesReceived += bytes
    }

    private mutating func handlePayload(
        _ payload: UnsafeRawBufferPointer, _ index: Int, number: UInt64, receivedAt: Instant,
        now: Instant
    ) {
        var reader = FrameReader(payload)
        var isAckEliciting = false
        var wantsAnswerHere = false
        do {
            while let frame = try reader.next() {
                if frame.isAckEliciting { isAckEliciting = true }
                if case .ping = frame { wantsAnswerHere = true }
                if case .pathChallenge = frame, isServer, paths[index].state == .closed {
                    // The client revived the path: late packets of its earlier life have none.
                    revive(
                        index, traits: PathTraits(), socket: paths[index].socket,
                        remote: paths[index].remote,
                        datagramLimit: configuration.parameters.maximumDatagram, now: now)
                    paths[index].validation.bytesReceived = payload.count
                }
                if !(try handleFrame(frame, reader.ack, index, now: now)) {
                    // The data cannot be kept; it is not acknowledged and will be retransmitted.
                    return
                }
                if closeReason != nil { return }
            }
        } catch let error as FrameError {
            finish(.protocolViolation("frame: \(error)"), now: now)
            return
        } catch {
            finish(.protocolViolation("\(error)"), now: now)
            return
        }
        if paths[index].isUnrecorded, paths[index].validation.isValidated {
            news.journal.note(&paths[index], isServer: isServer, now: now)
        }
        let stamp = max(TimeDelta.zero, receivedAt - origin).microseconds
        paths[index].received.record(
            number, isAckEliciting: isAckEliciting, stamp: UInt64(stamp), receivedAt: receivedAt,
            now: now, wantsAckAtOnce: wantsAnswerHere)
        if wantsAnswerHere { paths[index].answersHere = true }
        if isAckEliciting { paths[index].lastHeardAskingAt = now }
    }

    /// Handles a frame; returns false when the packet must not be acknowledged.
    private mutating func handleFrame(
        _ frame: Frame, _ ack: borrowing AckFrame, _ index: Int, now: Instant
    ) throws -> Bool {
        switch frame {
        case .padding, .ping: break
        case .ack: handleAck(ack, on: index, now: now)
        case .stream(let stream):
            return try session.handleStream(stream, now: now)
        case .message(let message):
            let arrival = try session.handleMessage(message, now: now)
            if arrival == .complete { news.events.append(.messageReceived) }
            return arrival != nil
        case .control(let control): try session.handleControl(control)
        case .pathChallenge(let token): paths[index].pendingResponse = token
        case .pathResponse(let token):
            if paths[index].validation.handleResponse(token) {
                paths.handleValidated(index, now: now, &news)
            }
        case .path(let frame):
            paths.handle(
                frame, on: index, isServer: isServer, limits: configuration.parameters, now: now,
                &session, &news)
        case .close(let code, let reason):
            guard closeReason == nil else { return true }
            finish(
                .peer(code: code, reason: EscapedText(bytes: reason).description), now: now)
            // One answer is sent, so that the peer need not wait.
            closing.framesDue = 1 << index
            phase = .closing(until: now + .milliseconds(20))
        }
        return true
    }

    /// - Parameter arrival: the index of the path on which the acknowledgement came.
    private mutating func handleAck(_ ack: borrowing AckFrame, on arrival: Int, now: Instant) {
        guard let index = index(of: ack.path) else { return }
        let isAppLimited = lastAppLimitedAt != nil
        guard
            let result = paths[index].recovery.handleAck(
                ack, now: now, isAppLimited: isAppLimited, sink: &session)
        else {
            finish(.protocolViolation("acknowledgement of a packet never sent"), now: now)
            return
        }
        if paths[index].noteLosses(result, now: now) { lastLossPath = paths[index].id }
        guard result.ackedPackets > 0 || result.spuriousLosses > 0 else { return }
        if paths.updateClock(
            &session.clock, result, isSamePath: index == arrival, now: now)
        {
            news.statistics.clockJumps += 1
        }
        paths[index].noteAcknowledged(result, clock: session.clock, now: now)
        session.reportMessages(&news)
        paths.takeOver(&session)
        paths[index].updateAckFrequency()
        paths.handleReply(index, delay: result.ackDelay, now: now, &news)
        paths.watchSilence(
            probedEach: configuration.failedProbeInterval, now: now, &session, &news)
        session.reportOutcomes(&paths, &news)
    }
}
