import PathTelemetry
import Testing

@testable import PathTransport

/// The set of allowed clients changes while a server runs.
struct ClientChangeTests {
    private let first: PrivateKey
    private let second: PrivateKey

    init() throws {
        first = try PrivateKey.generate()
        second = try PrivateKey.generate()
    }

    /// The first client alone, with a pre-shared key or none.
    private func only(_ key: PresharedKey?) -> [PublicKey: PresharedKey?] {
        var clients: [PublicKey: PresharedKey?] = [:]
        clients.updateValue(key, forKey: first.publicKey)
        return clients
    }

    @Test func anAddedClientConnects() throws {
        var bench = try HandshakeBench(clients: [first.publicKey])
        var early = try bench.client(second, stamp: 2_000)
        bench.talk(&early, for: .seconds(2))
        let reason = early.reason
        #expect(reason == .refused(.unknownClient))
        let closed = bench.server.setClients([first.publicKey: nil, second.publicKey: nil])
        #expect(closed.isEmpty)
        var late = try bench.client(second, stamp: 3_000)
        bench.talk(&late)
        let isEstablished = late.isEstablished
        #expect(isEstablished)
        #expect(bench.server.connectionCount == 1)
    }

    @Test func onlyRemovedClientsAreReturned() throws {
        var bench = try HandshakeBench(clients: [first.publicKey, second.publicKey])
        var kept = try bench.client(first, stamp: 2_000)
        var removed = try bench.client(second, stamp: 2_000)
        bench.talk(&kept)
        bench.talk(&removed)
        #expect(bench.server.connectionCount == 2)
        let closed = bench.server.setClients(only(nil))
        #expect(closed.map { $0.connection.peerKey } == [second.publicKey])
        var again = try bench.client(second, stamp: 4_000)
        bench.talk(&again, for: .seconds(2))
        let reason = again.reason
        #expect(reason == .refused(.unknownClient))
    }

    /// A client that has its answer but has not used it yet is forgotten too.
    @Test func aHalfOpenClientIsForgotten() throws {
        var bench = try HandshakeBench(clients: [first.publicKey])
        var client = try bench.client(first, stamp: 2_000)
        let answer = try bench.answer(to: bench.message(of: &client))
        #expect(bench.server.halfOpen.count == 1)
        #expect(bench.server.setClients([:]).isEmpty)
        #expect(bench.server.halfOpen.count == 0)
        bench.take(answer, by: &client)
        bench.talk(&client)
        #expect(bench.server.connectionCount == 0)
    }

    @Test func anotherPresharedKeyEndsTheConnection() throws {
        var bench = try HandshakeBench(clients: [first.publicKey])
        var client = try bench.client(first, stamp: 2_000)
        bench.talk(&client)
        let key = try PresharedKey.generate()
        #expect(bench.server.setClients(only(nil)).isEmpty)
        #expect(bench.server.setClients(only(key)).count == 1)
        // The same bytes in another value are the same key.
        let copy = try #require(PresharedKey(base64: key.base64))
        #expect(bench.server.setClients(only(copy)).isEmpty)
        #expect(bench.server.setClients(only(nil)).count == 1)
    }

    /// A client that was away cannot be imitated with a message from before.
    @Test func stampsOutliveARemoval() throws {
        var bench = try HandshakeBench(clients: [first.publicKey])
        var client = try bench.client(first, stamp: 2_000)
        let recorded = try bench.message(of: &client)
        bench.give(recorded)
        _ = bench.server.setClients([:])
        _ = bench.server.setClients(only(nil))
        let accepted = bench.server.statistics.accepted
        bench.give(recorded)
        #expect(bench.server.statistics.accepted == accepted)
        #expect(bench.server.statistics.refusedStale == 1)
    }

    /// A driver learns of each connection once.
    @Test func newConnectionsAreTakenOnce() throws {
        var bench = try HandshakeBench(clients: [first.publicKey, second.publicKey])
        for key in [first, second] {
            var client = try bench.client(key, stamp: 2_000)
            bench.talk(&client)
        }
        #expect(bench.server.takeNewConnections().count == 2)
        #expect(bench.server.takeNewConnections().isEmpty)
    }
}
