import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTransport

/// Refusals, floods, replays and forgeries.
@Suite struct HandshakeScenarioTests {
    private func expectRefusal(
        _ credentials: WorldCredentials, _ reason: CloseReason
    ) throws {
        var world = try Bench.world(Bench.equal, total: 1000) { $0.credentials = credentials }
        world.run(for: .seconds(10))
        #expect(world.stall == nil)
        #expect(world.application.bulk.clientReason == reason)
        #expect(world.application.clientClosedAt.map { $0 <= .seconds(5) } == true)
        #expect(world.server.connectionCount == 0)
        #expect(world.server.statistics.accepted == 0)
        #expect(world.serverBytes.sent <= 3 * world.serverBytes.received)
    }

    @Test func wrongServerKeyIsRefused() throws {
        var credentials = try WorldCredentials()
        credentials.expectedServer = try PrivateKey.generate().publicKey
        try expectRefusal(credentials, .refused(.wrongServerKey))
    }

    @Test func unknownClientKeyIsRefused() throws {
        var credentials = try WorldCredentials()
        credentials.clientKey = try PrivateKey.generate()
        try expectRefusal(credentials, .refused(.unknownClient))
    }

    @Test func wrongPresharedKeyIsRefused() throws {
        var credentials = try WorldCredentials()
        credentials.clients = [
            credentials.clientKey.publicKey: PresharedKey([UInt8](repeating: 7, count: 32))
        ]
        credentials.presharedKey = PresharedKey([UInt8](repeating: 8, count: 32))
        try expectRefusal(credentials, .refused(.presharedKey))
    }

    @Test func missingPresharedKeyIsRefused() throws {
        var credentials = try WorldCredentials()
        credentials.clients = [
            credentials.clientKey.publicKey: PresharedKey([UInt8](repeating: 7, count: 32))
        ]
        try expectRefusal(credentials, .refused(.presharedKey))
    }

    @Test func aPresharedKeyOfBothSidesConnects() throws {
        var credentials = try WorldCredentials()
        let key = PresharedKey([UInt8](repeating: 7, count: 32))
        credentials.clients = [credentials.clientKey.publicKey: key]
        credentials.presharedKey = key
        var world = try Bench.world(Bench.equal, total: 100_000) { $0.credentials = credentials }
        world.run(for: .seconds(10))
        Bench.expectSound(world)
    }

    @Test func nobodyThereEndsInATimeOut() throws {
        var script = Script()
        script.passes = { _, direction, _, _ in direction == .forward }
        var world = try Bench.world(Bench.equal, total: 1000, script: script)
        world.application.runsOn = true
        world.run(for: .seconds(12))
        #expect(world.stall == nil)
        #expect(world.application.bulk.clientReason == .handshakeTimeout)
        #expect(world.application.clientClosedAt.map { $0 <= .milliseconds(5100) } == true)
        // The half-open connection is dropped too, and was answered with at most three times the
        // received bytes.
        #expect(world.server.connectionCount == 0)
        #expect(world.serverBytes.sent <= 3 * world.serverBytes.received)
    }

    /// A late repetition of a first message makes no second connection.
    @Test func aRepeatedInitiationMakesNoSecondConnection() throws {
        var script = Script()
        script.recordsForward = true
        var world = try Bench.world(Bench.equal, total: 4_000_000, script: script)
        world.run(for: .milliseconds(200))
        let first = try #require(world.application.forward.first)
        for _ in 0..<50 { world.injectToServer(first.bytes, path: 0) }
        #expect(world.server.connectionCount == 1)
        #expect(world.server.statistics.accepted == 1)
        world.run(for: .seconds(5))
        Bench.expectSound(world)
    }

    /// 10,000 first messages per second of unknown clients cost retries, not work or state.
    @Test func aFloodOfInitiationsLeavesTheTransferAlone() throws {
        // Real first messages of clients with unknown keys, each from its own address.
        var credentials = try WorldCredentials()
        var stranger = credentials
        stranger.clientKey = try PrivateKey.generate()
        var messages: [[UInt8]] = []
        for _ in 0..<20 {
            var script = Script()
            script.recordsForward = true
            var world = try Bench.world(["rate=20,rtt=20"], total: 1000, script: script) {
                $0.credentials = stranger
            }
            world.run(for: .milliseconds(15))
            messages.append(try #require(world.application.forward.first).bytes)
        }
        credentials.clients = [credentials.clientKey.publicKey: nil]
        var world = try Bench.world(Bench.equal) { $0.credentials = credentials }
        world.run(for: .seconds(1))
        let before = world.serverBytes.sent
        var injected = 0
        for step in 0..<1000 {
            for _ in 0..<10 {
                let address = SocketAddress.loopback(port: UInt16(10_000 + injected % 40_000))
                world.injectToServer(messages[injected % 20], path: 0, from: address)
                injected += 1
            }
            world.run(for: .seconds(1) + .milliseconds(Int64(step) + 1))
        }
        Bench.expectSound(world, finished: false)
        let statistics = world.server.statistics
        #expect(statistics.refusedUnknownClient <= 64)
        #expect(statistics.retries + statistics.dropped >= 9_900)
        #expect(world.server.connectionCount == 1)
        #expect(world.serverBytes.sent - before <= 3 * injected * 1200)
        let rate = world.application.bulk.rate(from: .seconds(1), to: .seconds(2)) / 1e6
        #expect(rate >= 38.2 * 0.9, "\(rate)")
    }

    /// Under load a client with a valid key proves its address and connects.
    @Test func aClientGetsThroughTheFlood() throws {
        var world = try Bench.world(Bench.equal, total: 100_000)
        var generator = SeededGenerator(seed: 3)
        for index in 0..<200 {
            var bytes = (0..<1200).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            bytes[0] = 1
            bytes[1] = 2
            world.injectToServer(bytes, path: 0, from: .loopback(port: UInt16(20_000 + index)))
        }
        world.run(for: .seconds(5))
        Bench.expectSound(world)
    }

    /// Replayed datagrams and datagrams with flipped bits are counted and change nothing.
    @Test func replayedAndForgedDatagramsAreDropped() throws {
        var script = Script()
        script.recordsForward = true
        script.recordsBackward = true
        var world = try Bench.world(Bench.equal, total: 4_000_000, script: script)
        world.run(for: .milliseconds(500))
        let received = world.application.bulk.received
        let forward = world.application.forward.dropFirst(3)
        let backward = world.application.backward.dropFirst(3)
        let clientBefore = world.client.statistics
        let serverBefore = try #require(world.application.serverStatistics)
        for datagram in forward.suffix(500) {
            world.injectToServer(datagram.bytes, path: datagram.path)
        }
        for datagram in backward.suffix(100) {
            world.injectToClient(datagram.bytes, path: datagram.path)
        }
        var generator = SeededGenerator(seed: 9)
        for datagram in forward.suffix(500) {
            var bytes = datagram.bytes
            // A number not seen yet, so that it is opened and not taken for a replay.
            bytes[7] ^= 1
            let bit = Int(truncatingIfNeeded: generator.next() % UInt64((bytes.count - 12) * 8))
            bytes[12 + bit / 8] ^= 1 << UInt8(bit % 8)
            world.injectToServer(bytes, path: datagram.path)
        }
        world.run(for: .milliseconds(501))
        let serverAfter = try #require(world.application.serverStatistics)
        #expect(serverAfter.replayedPackets - serverBefore.replayedPackets >= 500)
        #expect(serverAfter.forgedPackets - serverBefore.forgedPackets == 500)
        let replayed = world.client.statistics.replayedPackets - clientBefore.replayedPackets
        #expect(replayed >= 100 || backward.count < 100)
        #expect(world.application.bulk.received - received <= 20_000)
        world.run(for: .seconds(5))
        Bench.expectSound(world)
    }

    /// Every packet of both directions comes twice, the second time after a second.
    @Test func theWholeTransferReplayedChangesNothing() throws {
        var script = Script()
        script.recordsForward = true
        script.recordsBackward = true
        var world = try Bench.world(Bench.equal, total: 2_000_000, script: script)
        world.run(for: .seconds(5))
        Bench.expectSound(world)
        let finished = world.application.bulk.finishedAt
        let received = world.application.bulk.received
        for datagram in world.application.forward {
            world.injectToServer(datagram.bytes, path: datagram.path)
        }
        for datagram in world.application.backward {
            world.injectToClient(datagram.bytes, path: datagram.path)
        }
        world.application.runsOn = true
        world.run(for: .seconds(8))
        #expect(world.application.bulk.finishedAt == finished)
        #expect(world.application.bulk.received == received)
        #expect(world.application.bulk.clientReason == nil)
        #expect(world.server.connectionCount == 1)
    }

    /// Until the client has used the keys, the server sends at most three times the bytes it got.
    @Test func theServerAmplifiesNothing() throws {
        var script = Script()
        // The client never says more than its first messages.
        script.passes = { _, direction, _, length in direction == .backward || length == 1200 }
        var world = try Bench.world(["rate=20,rtt=20"], total: 1000, script: script)
        world.application.runsOn = true
        var step = Int64(0)
        while step < 60 {
            step += 1
            world.run(for: .milliseconds(step * 100))
            #expect(world.serverBytes.sent <= 3 * world.serverBytes.received)
        }
        #expect(world.stall == nil)
    }
}
