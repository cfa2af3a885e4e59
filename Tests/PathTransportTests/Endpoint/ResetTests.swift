import PathTelemetry
import Testing

@testable import PathTransport

/// A server that was restarted tells the clients of its earlier life at once.
@Suite struct ResetTests {
    private func connected(
        _ bench: inout HandshakeBench, _ key: PrivateKey
    ) throws -> Connection {
        var client = try bench.client(key, stamp: 2_000)
        bench.talk(&client)
        let isEstablished = client.isEstablished
        #expect(isEstablished && bench.server.connectionCount == 1)
        return client
    }

    /// The packet that the client sends some seconds later.
    private func nextPacket(
        _ bench: inout HandshakeBench, _ client: inout Connection
    ) throws -> [UInt8] {
        bench.now = bench.now + .seconds(4)
        client.handleTimeout(now: bench.now)
        return try bench.message(of: &client)
    }

    @Test func aRestartedServerEndsOldConnections() throws {
        let key = try PrivateKey.generate()
        var old = try HandshakeBench(clients: [key.publicKey])
        var client = try connected(&old, key)
        let packet = try nextPacket(&old, &client)
        var new = try HandshakeBench(clients: [key.publicKey], key: old.serverKey)
        new.now = old.now
        let answers = new.give(packet)
        #expect(answers.count == 1 && answers[0].count == ResetPacket.length)
        #expect(answers[0].count < packet.count)
        new.take(answers[0], by: &client)
        let (isClosed, reason) = (client.isClosed, client.reason)
        #expect(isClosed && reason == .forgotten)
        // Nothing was kept of it, and the client can connect anew.
        #expect(new.server.connectionCount == 0)
        var next = try new.client(key, stamp: 3_000)
        new.talk(&next)
        let isEstablished = next.isEstablished
        #expect(isEstablished)
    }

    /// Only the server's own key makes a valid reset, and only for this connection.
    @Test func otherResetsAreIgnored() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var client = try connected(&bench, key)
        let packet = try nextPacket(&bench, &client)
        var stranger = try HandshakeBench(clients: [key.publicKey])
        stranger.now = bench.now
        let foreign = try #require(stranger.give(packet).first)
        var restarted = try HandshakeBench(clients: [key.publicKey], key: bench.serverKey)
        restarted.now = bench.now
        let right = try #require(restarted.give(packet).first)
        var wrong = [foreign, Array(right.dropLast()), right + [0]]
        for index in right.indices where !(1..<4).contains(index) {
            var changed = right
            changed[index] ^= 0x10
            wrong.append(changed)
        }
        for reset in wrong {
            bench.take(reset, by: &client)
            let reason = client.reason
            #expect(reason == nil)
        }
        bench.take(right, by: &client)
        let reason = client.reason
        #expect(reason == .forgotten)
    }

    /// A living connection is never reset: a forged or repeated packet gets no answer.
    @Test func aKnownConnectionIsNotReset() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var client = try connected(&bench, key)
        let packet = try nextPacket(&bench, &client)
        var forged = packet
        forged[packet.count - 1] ^= 1
        #expect(bench.give(forged).isEmpty)
        #expect(bench.give(packet).isEmpty)
        #expect(bench.give(packet).isEmpty)
    }

    /// Strangers cannot make a server send much: short packets get no answer, and there is a limit
    /// each second.
    @Test func answersToStrangersAreBounded() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var packet: [UInt8] = [0x40, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 1]
        packet += [UInt8](repeating: 9, count: ResetPacket.length)
        #expect(bench.give(Array(packet.prefix(ResetPacket.length))).isEmpty)
        var answers = 0
        for index in 0..<1000 {
            packet[5] = UInt8(truncatingIfNeeded: index)
            answers += bench.give(packet).count
        }
        #expect(answers == ServerEndpoint.resetLimit)
    }
}
