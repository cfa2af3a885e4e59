import PathTelemetry
import Testing

@testable import PathTransport

/// More clients than a server takes at once.
@Suite struct LoadTests {
    /// A client that is refused for load is told so, waits, and connects when there is room.
    @Test func aBusyServerIsTriedAgain() throws {
        let keys = try (0..<2).map { _ in try PrivateKey.generate() }
        var bench = try HandshakeBench(clients: keys.map(\.publicKey)) { $0.connectionLimit = 1 }
        var first = try bench.client(keys[0], stamp: 2_000)
        bench.talk(&first)
        #expect(first.isEstablished == true)
        var second = try bench.client(keys[1], stamp: 2_000)
        bench.talk(&second, for: .seconds(3))
        #expect(second.isHandshaking == true, "no verdict while there is time")
        #expect(bench.server.statistics.refusedBusy >= 4)
        let pause = second.pollTimeout(now: bench.now) - bench.now
        #expect(pause > .zero && pause <= .milliseconds(1_600))
        bench.removeAll()
        bench.talk(&second, for: .seconds(2))
        #expect(second.isEstablished == true)
    }

    /// A client that never finds room gets the reason at its time-out.
    @Test func aServerThatStaysBusyIsTheReason() throws {
        let keys = try (0..<2).map { _ in try PrivateKey.generate() }
        var bench = try HandshakeBench(clients: keys.map(\.publicKey)) { $0.connectionLimit = 1 }
        var first = try bench.client(keys[0], stamp: 2_000)
        bench.talk(&first)
        let start = bench.now
        var second = try bench.client(keys[1], stamp: 2_000)
        bench.talk(&second, for: .seconds(10))
        #expect(second.reason == .refused(.busy))
        #expect(bench.now - start == .seconds(5))
        // Not hurried, not silent: 0.1 to 0.8 s apart.
        #expect((6...16).contains(bench.server.statistics.refusedBusy))
    }

    /// 200 clients of one host within a moment, all with one key: each connects within its
    /// time-out.
    @Test func twoHundredClientsOfOneHost() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        let end = bench.now + .seconds(5)
        var waiting = try (0..<200).map { number in
            let seed = UInt64(number)
            return ConnectionBox(
                try bench.client(key, stamp: 2_000 + seed, seed: seed),
                initiation: InitiationIdentity(index: 0, ephemeral: []))
        }
        while !waiting.isEmpty, bench.now < end {
            for box in waiting {
                box.with { client in
                    if client.pollTimeout(now: bench.now) <= bench.now {
                        client.handleTimeout(now: bench.now)
                    }
                    bench.talk(&client)
                }
            }
            waiting.removeAll { $0.with { $0.isEstablished } }
            bench.now = bench.now + .milliseconds(1)
        }
        #expect(waiting.isEmpty)
        #expect(bench.server.connectionCount == 200)
        #expect(bench.server.statistics.retries > 0, "flood protection was at work")
    }

    /// Clients that never use their keys have no connection, and make room for others.
    @Test func halfOpenClientsAreCheapAndGiveWay() throws {
        let keys = try (0..<300).map { _ in try PrivateKey.generate() }
        var bench = try HandshakeBench(clients: keys.map(\.publicKey)) {
            $0.handshakesBeforeCookies = 1_000
            $0.halfOpenLimit = 1_000
        }
        var messages: [[UInt8]] = []
        for key in keys {
            var client = try bench.client(key, stamp: 2_000)
            messages.append(try bench.message(of: &client))
        }
        for message in messages.prefix(256) {
            let count = bench.give(message).count
            #expect(count == 1)
        }
        #expect(bench.server.halfOpen.count == 256)
        // There is no connection, which takes some 400 kB, but only the state to make one.
        #expect(bench.server.connectionCount == 0)
        // They are young, so a new client has to wait.
        let refusal = try bench.answer(to: messages[256])
        #expect(refusal == RefusalPacket.encode(receiver: sender(messages[256]), reason: .busy))
        bench.now = bench.now + .milliseconds(1_001)
        for message in messages[256..<300] {
            let answer = try bench.answer(to: message)
            #expect(answer[0] == HandshakeKind.response)
        }
        #expect(bench.server.halfOpen.count == 256)
        // At the end of their time nothing is left.
        bench.now = bench.now + .seconds(5)
        #expect(bench.server.pollTimeout() <= bench.now)
        bench.server.handleTimeout(now: bench.now)
        #expect(bench.server.halfOpen.count == 0 && bench.server.initiations.isEmpty == true)
        #expect(bench.server.pollTimeout() == .distantFuture)
    }

    /// An attacker who saw the answer can neither begin the connection nor end the handshake.
    @Test func onlyTheKeysMakeAConnection() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var client = try bench.client(key, stamp: 2_000)
        let message = try bench.message(of: &client)
        let answer = try bench.answer(to: message)
        bench.take(answer, by: &client)
        let data = try bench.message(of: &client)
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<1_000 {
            var forged = data
            let bit = Int(generator.next() % UInt64(data.count * 8))
            // The receiver's index stays, so that it is found.
            guard !(2..<6).contains(bit / 8), bit / 8 != 0 else { continue }
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            bench.give(forged)
        }
        #expect(bench.server.connectionCount == 0 && bench.server.halfOpen.count == 1)
        bench.give(data)
        #expect(bench.server.connectionCount == 1 && bench.server.halfOpen.count == 0)
    }

    private func sender(_ message: [UInt8]) -> UInt32 {
        message[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
