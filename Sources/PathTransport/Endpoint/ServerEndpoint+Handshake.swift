import PathLearning
import PathTelemetry

/// Handles first messages: the cheapest checks come first, and refused messages leave no state.
extension ServerEndpoint {
    mutating func handleInitiation(
        _ bytes: UnsafeRawBufferPointer, from origin: Origin, now: Instant
    ) {
        guard bytes.count == InitiationPacket.length, bytes[0] == HandshakeKind.initiation else {
            statistics.dropped += 1
            return
        }
        statistics.initiations += 1
        let authenticated = UnsafeRawBufferPointer(
            rebasing: bytes[..<InitiationPacket.authenticatorOffset])
        let tag = UnsafeRawBufferPointer(
            rebasing: bytes[InitiationPacket.authenticatorOffset..<InitiationPacket.cookieOffset])
        let sender = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard bytes[1] == InitiationPacket.version else {
            refuse(.version, sender, origin)
            return
        }
        guard !ServerQuestion.isOne(bytes) else {
            statistics.questions += 1
            reply(
                ServerReport.encode(
                    answering: bytes, from: origin.remote, trafficClass: origin.trafficClass),
                origin)
            return
        }
        guard mac.isValid(tag.bytes, of: authenticated.bytes) else {
            statistics.refusedWrongKey += 1
            refuse(.wrongServerKey, sender, origin)
            return
        }
        guard let packet = InitiationPacket(bytes), packet.noise.count >= 32 else {
            statistics.dropped += 1
            return
        }
        let identity = InitiationIdentity(
            index: packet.sender, ephemeral: Array(packet.noise.prefix(32)))
        if let index = initiations[identity] {
            statistics.repeated += 1
            // The client of a connection has its answer; only half-open clients may still wait for
            // theirs.
            guard let entry = halfOpen[index], entry.takesRepetition(from: origin.remote, now: now)
            else { return }
            reply(entry.response, origin)
            return
        }
        guard provesAddress(bytes, origin, packet.sender, now: now) else { return }
        guard let suite = CipherSuite(rawValue: packet.suite) else {
            refuse(.cipherSuite, packet.sender, origin)
            return
        }
        handleTimeout(now: now)
        guard hasFreePlace || replaceable(now: now) != nil else {
            statistics.refusedBusy += 1
            refuse(.busy, packet.sender, origin)
            return
        }
        do throws(CryptoError) {
            if try accept(packet, suite, identity, origin, now: now) {
                limiter.forgive(origin.remote)
            }
        } catch .peerRefused {
            statistics.refusedUnknownClient += 1
            refuse(.unknownClient, packet.sender, origin)
        } catch {
            statistics.dropped += 1
        }
    }

    /// Under load a client has to return the cookie of its address before any expensive
    /// computation.
    private mutating func provesAddress(
        _ bytes: UnsafeRawBufferPointer, _ origin: Origin, _ sender: UInt32, now: Instant
    ) -> Bool {
        let isLoaded =
            load.add(now: now) > configuration.handshakesBeforeCookies
            || halfOpen.count >= configuration.halfOpenLimit / 2
        guard isLoaded else { return true }
        let address = origin.remote.bytes
        let cookie = UnsafeRawBufferPointer(rebasing: bytes[InitiationPacket.cookieOffset...])
        guard cookies.isValid(cookie.bytes, for: address.span.bytes, now: now) else {
            if let fresh = try? cookies.cookie(for: address.span.bytes, now: now) {
                statistics.retries += 1
                reply(RetryPacket.encode(receiver: sender, cookie: fresh), origin)
            }
            return false
        }
        guard limiter.allows(origin.remote, limit: configuration.handshakesPerAddress, now: now)
        else {
            // Its turn comes within a second, so it is told to wait.
            statistics.refusedBusy += 1
            refuse(.busy, sender, origin)
            return false
        }
        return true
    }

    /// Whether one more client can be accepted without dropping another.
    private var hasFreePlace: Bool {
        halfOpen.count < configuration.halfOpenLimit
            && connectionCount + halfOpen.count < configuration.connectionLimit
    }

    /// A client that has not used its answer for long and can be dropped, since it can retry.
    private func replaceable(now: Instant) -> HalfOpen? {
        guard connectionCount < configuration.connectionLimit else { return nil }
        return halfOpen.oldest(after: HalfOpen.protectedAge, now: now)
    }

    /// Processes a handshake; returns whether it succeeded.
    private mutating func accept(
        _ packet: InitiationPacket, _ suite: CipherSuite, _ identity: InitiationIdentity,
        _ origin: Origin, now: Instant
    ) throws(CryptoError) -> Bool {
        var noise = try NoiseHandshake(
            responder: configuration.key, pattern: .ikpsk2, cipher: suite.noiseCipher,
            prologue: HandshakePrologue.bytes(suite: suite))
        let clients = configuration.clients
        var asked: PublicKey?
        let payload: [UInt8]
        do throws(CryptoError) {
            payload = try noise.readMessage(packet.noise.bytes) { key in
                asked = key
                return clients[key] != nil
            }
        } catch {
            if case .peerRefused = error, let asked { note(asked, .unknownClient, origin) }
            throw error
        }
        guard let client = noise.remoteStaticKey, let shared = clients[client] else {
            return false
        }
        let key = try PresharedKey.orNone(shared)
        guard
            try HandshakePayload.isProved(payload, by: key, ephemeral: identity.ephemeral),
            let content = HandshakePayload.content(payload)
        else {
            statistics.refusedPresharedKey += 1
            note(client, .presharedKey, origin)
            refuse(.presharedKey, packet.sender, origin)
            return false
        }
        let newest = stamps.newest(of: client)
        guard content.stamp > newest else {
            statistics.refusedStale += 1
            let body = StalePacket.body(receiver: packet.sender, newest: newest)
            let authenticator = try noise.authenticator(
                of: body, label: StalePacket.label, length: StalePacket.authenticatorLength)
            reply(body + authenticator, origin)
            return false
        }
        noise.setPresharedKey(key)
        let index = try freeIndex()
        var parameters = configuration.connection.parameters
        parameters.resetToken = try mint.token(of: index)
        let answer = try noise.writeMessage(payload: parameters.encoded())
        let secrets = try noise.split()
        let response = ResponsePacket.encode(receiver: packet.sender, sender: index, noise: answer)
        // The client takes a place only now, after it has proved its keys.
        if !hasFreePlace, let oldest = replaceable(now: now) { forget(oldest) }
        stamps.note(content.stamp, of: client)
        initiations[identity] = index
        halfOpen.insert(
            HalfOpen(
                AcceptedInitiation(
                    clientKey: client, localIndex: index, remoteIndex: packet.sender, suite: suite,
                    secrets: TrafficSecrets(sending: secrets.send, receiving: secrets.receive),
                    parameters: content.parameters, path: packet.path, socket: origin.socket,
                    remote: origin.remote, local: origin.local, responseLength: response.count),
                identity: identity, response: response, now: now))
        statistics.accepted += 1
        reply(response, origin)
        return true
    }

    /// Takes a packet for a half-open client; if it was sealed with the client's keys, the
    /// connection begins.
    mutating func confirm(
        _ entry: HalfOpen, _ packet: UnsafeRawBufferPointer, _ header: DataHeader, now: Instant
    ) -> ConnectionBox? {
        guard entry.isAuthentic(packet, header) else { return nil }
        let index = entry.accepted.localIndex
        _ = halfOpen.remove(index)
        // Each connection has its own random draws.
        var setup = configuration.connection
        setup.seed = policySeeds.next()
        do {
            var setup = configuration.connection
            setup.seed = policySeeds.next()
            let selector = try PathSelector(
                configuration.policy, model: configuration.model, seed: setup.seed)
            let box = ConnectionBox(
                try Connection(
                    server: entry.accepted, provesAddress: entry.hasOneAddress,
                    configuration: setup, selector: selector, now: now),
                initiation: entry.identity)
            connections[index] = box
            newConnections.append(box)
            return box
        } catch {
            // A policy that cannot be set up was refused before the server started.
            initiations[entry.identity] = nil
            statistics.dropped += 1
            return nil
        }
    }

    /// Tells a client whose connection is not known here that it is over, with fewer bytes than the
    /// packet had.
    mutating func answerUnknown(
        _ header: DataHeader, bytes: Int, _ origin: Origin, now: Instant
    ) {
        guard bytes > ResetPacket.length, resets.add(now: now) <= ServerEndpoint.resetLimit,
            let token = try? mint.token(of: header.receiver)
        else { return }
        reply(ResetPacket.encode(index: header.receiver, token: token), origin)
    }

    mutating func forget(_ entry: HalfOpen) {
        _ = halfOpen.remove(entry.accepted.localIndex)
        initiations[entry.identity] = nil
    }

    /// An index that nobody can guess, so a packet with it shows that its sender has seen the
    /// answer.
    private func freeIndex() throws(CryptoError) -> UInt32 {
        while true {
            let index = try Crypto.randomNumber(UInt32.self)
            if index != 0, connections[index] == nil, halfOpen[index] == nil { return index }
        }
    }

    private mutating func note(_ key: PublicKey, _ reason: RefusalReason, _ origin: Origin) {
        guard refusals.count < ServerEndpoint.refusalLimit else { return }
        refusals.append(RefusedClient(key: key, remote: origin.remote, reason: reason))
    }

    private mutating func reply(_ bytes: [UInt8], _ origin: Origin) {
        guard replies.count < ServerEndpoint.replyLimit else { return }
        replies.append(Reply(bytes: bytes, origin: origin))
    }

    private mutating func refuse(_ reason: RefusalReason, _ sender: UInt32, _ origin: Origin) {
        reply(RefusalPacket.encode(receiver: sender, reason: reason), origin)
    }
}
