import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Synchronization
import Testing

@testable import Pathwise

/// Sessions that are made again when they end.
@Suite(.serialized, .timeLimit(.minutes(1))) struct PersistentSessionTests {
    /// A server that can be started again with the same keys.
    private struct Place {
        let key: PrivateKey
        let client: PrivateKey

        init() throws {
            key = try PrivateKey.generate()
            client = try PrivateKey.generate()
        }

        func start(
            port: UInt16 = 0, allowing allowed: PublicKey? = nil, hold: TimeDelta = .seconds(10)
        ) throws -> Server {
            var configuration = ServerConfiguration(
                key: key, clients: [allowed ?? client.publicKey: nil], policy: .minRTT)
            configuration.connection.parameters.idleTimeout = hold
            // Another test may have the port for a moment.
            for _ in 0..<100 where port != 0 {
                if let server = try? Server(configuration, listen: [.loopback(port: port)]) {
                    return server
                }
                usleep(50_000)
            }
            return try Server(configuration, listen: [.loopback(port: port)])
        }

        func options(_ port: UInt16) -> ClientOptions {
            var options = ClientOptions(
                identity: ClientIdentity(key: client, peer: key.publicKey),
                plans: [PathPlan(name: "lo", remote: .loopback(port: port))], policy: .minRTT)
            options.connection.handshakeTimeout = .milliseconds(300)
            return options
        }
    }

    /// Takes the next session.
    private func next(_ persistent: PersistentSession) async throws -> Session {
        try await within(.seconds(20)) {
            for await session in persistent.sessions { return session }
            throw TooLate()
        }
    }

    /// Sends bytes both ways, so the session works.
    private func check(_ session: Session, at server: Server) async throws {
        let stream = try session.openStream()
        try await stream.write([1, 2, 3])
        let accepted: Session = try await within(.seconds(10)) {
            for await session in server.sessions { return session }
            throw TooLate()
        }
        let theirs = try #require(await accepted.acceptStream())
        #expect(try await theirs.read() == [1, 2, 3])
        try await theirs.write([4])
        #expect(try await stream.read() == [4])
    }

    /// The server closes and starts again on its port: a new session follows.
    @Test func aRestartedServerIsFoundAgain() async throws {
        let place = try Place()
        let first = try place.start()
        let port = first.localAddresses[0].port
        let persistent = PersistentSession { place.options(port) }
        let one = try await next(persistent)
        try await check(one, at: first)
        #expect(persistent.status.phase == .connected && persistent.status.sessions == 1)
        await first.close()
        #expect(try await within(.seconds(10)) { await one.waitUntilEnded() }?.isOrderly == true)
        let second = try place.start(port: port)
        let two = try await next(persistent)
        try await check(two, at: second)
        #expect(persistent.status.sessions == 2 && persistent.status.attempts == 0)
        // Attempts before the second server listens may have failed later.
        let firstError = try await within(.seconds(10)) {
            for await status in persistent.changes {
                if case .waiting = status.phase { return status.lastError }
            }
            throw TooLate()
        }
        guard case .ended(.peer(0, _))? = firstError else {
            Issue.record("\(String(describing: firstError))")
            return
        }
        await persistent.close()
        #expect(two.closeReason == .local && persistent.status.phase == .closed)
        for await _ in persistent.sessions { Issue.record("a session after the end") }
        await second.close()
    }

    /// A server that was killed says nothing; the one that follows resets the session, which would
    /// otherwise last for the hold time of ten minutes.
    @Test func aKilledServerIsNoticedInSpiteOfALongHold() async throws {
        let place = try Place()
        let first = try place.start(hold: .seconds(600))
        let second = try place.start(hold: .seconds(600))
        let relay = try Relay(to: first.localAddresses[0].port)
        defer { relay.stop() }
        let persistent = PersistentSession {
            var options = place.options(relay.port)
            options.connection.parameters.idleTimeout = .seconds(600)
            return options
        }
        let one = try await next(persistent)
        try await check(one, at: first)
        #expect(one.status().idleTimeout == .seconds(600))
        relay.lead(to: second.localAddresses[0].port)
        try one.sendMessage([1])
        #expect(try await within(.seconds(10)) { await one.waitUntilEnded() } == .forgotten)
        let two = try await next(persistent)
        try await check(two, at: second)
        await persistent.close()
        await first.close()
        await second.close()
    }

    /// Nobody listens at first: attempts and waits alternate, and each attempt makes its options
    /// anew, here with another address.
    @Test func eachAttemptResolvesAgain() async throws {
        let place = try Place()
        let server = try place.start()
        let port = server.localAddresses[0].port
        let silent = try Relay(to: port)
        silent.cut()
        defer { silent.stop() }
        let calls = Atomic<Int>(0)
        let persistent = PersistentSession {
            let call = calls.add(1, ordering: .relaxed).newValue
            return place.options(call < 3 ? silent.port : port)
        }
        let session = try await next(persistent)
        #expect(calls.load(ordering: .relaxed) == 3)
        var phases: [PersistentStatus] = []
        for await status in persistent.changes {
            phases.append(status)
            if status.phase == .connected { break }
        }
        #expect(phases.count == 6, "\(phases)")
        guard phases.count == 6, case .waiting(let first) = phases[1].phase,
            case .waiting(let second) = phases[3].phase,
            case .ended(.handshakeTimeout)? = phases[3].lastError
        else {
            Issue.record("\(phases)")
            return
        }
        #expect(phases[0].phase == .connecting && phases[4].phase == .connecting)
        #expect(first > .milliseconds(740) && first <= .seconds(1))
        #expect(second > .milliseconds(1490) && second <= .seconds(2))
        #expect(phases[3].attempts == 2 && phases[3].since == phases[0].since)
        try await check(session, at: server)
        await persistent.close()
        await server.close()
    }

    /// A server that refuses the client is asked rarely; a wish ends the wait.
    @Test func aRefusalIsTriedAgain() async throws {
        let place = try Place()
        let server = try place.start(allowing: PrivateKey.generate().publicKey)
        let port = server.localAddresses[0].port
        let persistent = PersistentSession {
            var options = place.options(port)
            options.connection.handshakeTimeout = .seconds(3)
            return options
        }
        let status = try await within(.seconds(15)) {
            for await status in persistent.changes where status.lastError != nil { return status }
            throw TooLate()
        }
        guard case .waiting(let pause) = status.phase,
            case .ended(.refused(.unknownClient))? = status.lastError
        else {
            Issue.record("\(status)")
            return
        }
        #expect(status.isRefused && pause >= .milliseconds(740) && pause <= .seconds(1))
        let again = try await within(.seconds(5)) {
            for await status in persistent.changes where status.phase == .connecting {
                return status
            }
            throw TooLate()
        }
        #expect(again.sessions == 0)
        await persistent.close()
        await server.close()
    }

    /// Closing during an attempt ends everything, and so does closing the session itself.
    @Test func closingIsFinal() async throws {
        let place = try Place()
        let server = try place.start()
        let port = server.localAddresses[0].port
        let silent = try Relay(to: port)
        silent.cut()
        defer { silent.stop() }
        let connecting = PersistentSession { place.options(silent.port) }
        await connecting.close()
        #expect(connecting.status.phase == .closed)
        for await _ in connecting.sessions { Issue.record("a session after the end") }
        let persistent = PersistentSession { place.options(port) }
        let session = try await next(persistent)
        await session.close()
        let last = try await within(.seconds(10)) {
            var last: PersistentStatus?
            for await status in persistent.changes { last = status }
            return last
        }
        #expect(last?.phase == .closed && last?.sessions == 1)
        await server.close()
    }

    @Test func delaysDoubleUpToThirtySeconds() {
        var delay = ReconnectDelay()
        let whole = (0..<7).map { _ in
            delay.next(afterLiving: .zero, draw: 0).seconds
        }
        #expect(zip(whole, [1, 2, 4, 8, 16, 30, 30]).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(whole.count == 7)
        #expect(delay.next(afterLiving: .seconds(29), draw: 0) == .seconds(30))
        #expect(
            delay.next(afterLiving: .seconds(30), draw: 0.5)
                == .milliseconds(875))
        #expect(delay.next(afterLiving: .zero, draw: 1) == .milliseconds(1500))
    }
}
