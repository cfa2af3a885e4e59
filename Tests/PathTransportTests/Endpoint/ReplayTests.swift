import PathTelemetry
import Testing

@testable import PathTransport

/// Replayed first messages, from any address and any number of times.
@Suite struct ReplayTests {
    private let replayers = (2...4).map { SocketAddress(ipv4: 0x7f00_0000 + UInt32($0), port: 9) }

    /// First messages of one client, each of a connection that came about and ended.
    private func record(_ count: Int, _ bench: inout HandshakeBench, _ key: PrivateKey) throws
        -> [[UInt8]]
    {
        var messages: [[UInt8]] = []
        for number in 0..<count {
            bench.now = bench.now + .milliseconds(100)
            var client = try bench.client(key, stamp: 2_000 + UInt64(number))
            let message = try bench.message(of: &client)
            messages.append(message)
            for answer in bench.give(message) { bench.take(answer, by: &client) }
            bench.talk(&client)
            #expect(client.isEstablished == true)
            bench.removeAll()
        }
        return messages
    }

    /// A stale message is answered with 32 bytes, and no state is kept.
    @Test func recordedMessagesHoldNothing() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        let messages = try record(90, &bench, key)
        bench.now = bench.now + .seconds(10)
        let before = bench.server.statistics
        for (number, message) in messages.enumerated() {
            // Slow enough that no cookie is required, as this tests the stamps.
            bench.now = bench.now + .milliseconds(50)
            for answer in bench.give(message, from: replayers[number % 3]) {
                #expect(answer.count == StalePacket.length && answer[0] == HandshakeKind.stale)
            }
        }
        let after = bench.server.statistics
        #expect(after.refusedStale - before.refusedStale == 90)
        #expect(after.accepted == before.accepted)
        #expect(bench.server.halfOpen.count == 0 && bench.server.connectionCount == 0)
        #expect(bench.server.initiations.isEmpty == true)
    }

    /// A server that starts again knows no stamps; messages recorded before are older than its
    /// start.
    @Test func aServerThatStartsAgainTakesNothingFromBefore() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        let messages = try record(20, &bench, key)
        var restarted = try HandshakeBench(
            clients: [key.publicKey], key: bench.serverKey, startedAt: 3_000)
        for message in messages { restarted.give(message) }
        #expect(restarted.server.statistics.refusedStale == 20)
        #expect(restarted.server.halfOpen.count == 0)
        var client = try restarted.client(key, stamp: 3_001)
        let sent = restarted.talk(&client)
        #expect(sent == 1)
        #expect(client.isEstablished == true)
    }

    /// 1,000 replays a second, cookies included: an honest client needs one more round trip.
    @Test func replaysDelayNobody() throws {
        let key = try PrivateKey.generate()
        let honest = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey, honest.publicKey])
        var messages = try record(90, &bench, key)
        bench.now = bench.now + .seconds(10)
        for number in 0..<1_000 {
            bench.now = bench.now + .milliseconds(1)
            let index = number % messages.count
            for answer in bench.give(messages[index], from: replayers[number % 3])
            where answer[0] == HandshakeKind.retry {
                messages[index].replaceSubrange(1184..., with: answer[8...])
                bench.give(messages[index], from: replayers[number % 3])
            }
            guard number == 500 else { continue }
            var client = try bench.client(honest, stamp: 9_000)
            let sent = bench.talk(&client)
            #expect(sent == 2, "one first message, and once more with the cookie")
            #expect(client.isEstablished == true)
        }
        #expect(bench.server.halfOpen.count == 0 && bench.server.connectionCount == 1)
        // Work is bounded too: three addresses have their handshakes per second, and no more.
        let statistics = bench.server.statistics
        #expect(statistics.refusedStale <= 32 + 3 * 256 * 2)
        #expect(statistics.retries + statistics.refusedBusy + statistics.refusedStale >= 1_000)
    }

    /// While a connection lives, its first message coming again by other paths or from elsewhere
    /// makes no second one, and proves no address.
    @Test func oneMessageIsOneConnection() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var client = try bench.client(key, stamp: 2_000)
        let message = try bench.message(of: &client)
        let first = bench.give(message)
        bench.now = bench.now + HalfOpen.answerTime
        let second = bench.give(message, from: .loopback(port: 4001))
        #expect(first == second && first.count == 1)
        #expect(bench.server.halfOpen.count == 1)
        bench.take(first[0], by: &client)
        bench.talk(&client)
        let boxes = bench.server.boxes
        let box = try #require(boxes.first)
        #expect(bench.server.connectionCount == 1 && bench.server.halfOpen.count == 0)
        let late = bench.give(message)
        #expect(late.isEmpty, "the client has its answer")
        let proved = box.with { $0.handshakeRemote }
        #expect(proved == nil)
    }

    // MARK: clocks

    /// A clock that was set back, and a host whose clock is behind another's with the same key:
    /// they are told which stamp to exceed, and retry.
    @Test func aClockThatIsBehindCostsOneRoundTrip() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        let year: UInt64 = 365 * 86_400 * 1_000_000_000
        for (stamp, messages) in [(90 * year, 1), (30 * year, 2), (90 * year, 2), (1, 2)] {
            bench.now = bench.now + .seconds(1)
            var client = try bench.client(key, stamp: stamp)
            let sent = bench.talk(&client)
            #expect(sent == messages)
            #expect(client.isEstablished == true)
        }
        #expect(bench.server.statistics.refusedStale == 3)
    }

    /// Processes that start together with one key: those that are overtaken retry.
    @Test func manyClientsOfOneKeyInOneTick() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var newest: InitiationStamp?
        for number in 0..<40 {
            var client = try bench.client(key, stamp: 2_000, seed: UInt64(number))
            bench.talk(&client)
            #expect(client.isEstablished == true, "client \(number)")
            let stamp = bench.server.stamps.newest(of: key.publicKey)
            #expect(newest.map { $0 < stamp } ?? true)
            newest = stamp
        }
        #expect(bench.server.connectionCount == 40)
    }

    /// Only the server can advance a client's stamps: its answer is bound to the message.
    @Test func aForgedStampMovesNothing() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey], startedAt: 5_000)
        var client = try bench.client(key, stamp: 4_000)
        let message = try bench.message(of: &client)
        let answer = try bench.answer(to: message)
        #expect(answer.count == StalePacket.length)
        var other = try bench.client(key, stamp: 4_000)
        let otherMessage = try bench.message(of: &other)
        let otherAnswer = try bench.answer(to: otherMessage)
        for position in 4..<answer.count {
            for bit in 0..<8 {
                var forged = answer
                forged[position] ^= 1 << UInt8(bit)
                bench.take(forged, by: &client)
            }
        }
        // The answer to another message, under this client's index.
        bench.take(Array(answer[..<8]) + Array(otherAnswer[8...]), by: &client)
        let due = bench.poll(&client)
        #expect(due == nil, "nothing has changed, so nothing is due")
        bench.take(answer, by: &client)
        let sent = bench.talk(&client)
        #expect(sent == 1)
        #expect(client.isEstablished == true)
        #expect(bench.server.stamps.newest(of: key.publicKey).nanoseconds == 5_001)
    }

    /// An attacker's observations of one run reveal nothing about the next with the same seed.
    @Test func whatMustNotBeGuessedDoesNotComeFromTheSeed() throws {
        var indexes: Set<UInt32> = []
        var tokens: Set<UInt64> = []
        for _ in 0..<20 {
            let key = try PrivateKey.generate()
            var bench = try HandshakeBench(clients: [key.publicKey])
            var client = try bench.client(key, stamp: 2_000, seed: 1)
            bench.talk(&client)
            let boxes = bench.server.boxes
            let box = try #require(boxes.first)
            indexes.insert(client.localIndex)
            indexes.insert(box.connection.localIndex)
            client.addPath(
                socket: 1, remote: .loopback(port: 5001), datagramLimit: 1472, now: bench.now)
            _ = bench.poll(&client)
            let token = client.paths[1].validation.token
            tokens.insert(try #require(token))
        }
        #expect(indexes.count == 40 && tokens.count == 20)
    }
}
