import PathTelemetry
import Testing

@testable import PathTransport

/// A handshake over several paths at once.
@Suite struct AllPathsTests {
    private func client(
        _ bench: borrowing HandshakeBench, _ key: PrivateKey, reserve: Bool = false
    ) throws -> Connection {
        var client = try bench.client(key, stamp: 2_000)
        var traits = PathTraits()
        traits.isBackup = reserve
        client.addPath(
            traits: traits, socket: 1, remote: .loopback(port: 5001), datagramLimit: 1472,
            now: bench.now)
        return client
    }

    /// The numbers of the paths on which a client sends now.
    private func paths(_ bench: borrowing HandshakeBench, _ client: inout Connection) -> [UInt8] {
        var paths: [UInt8] = []
        while let datagram = bench.poll(&client) { paths.append(datagram[2]) }
        return paths
    }

    @Test func theFirstMessageLeavesOnAllPathsAtOnce() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var client = try client(bench, key)
        #expect(paths(bench, &client) == [0, 1])
        #expect(client.pollTimeout(now: bench.now) == bench.now + .milliseconds(200))
        // 200, 400, 800 and 1,600 ms.
        for wait in [200, 400, 800, 1_600] as [Int64] {
            bench.now = bench.now + .milliseconds(wait)
            #expect(paths(bench, &client) == [0, 1])
        }
    }

    @Test func aPathInReserveIsSparedAtFirst() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var client = try client(bench, key, reserve: true)
        #expect(paths(bench, &client) == [0])
        bench.now = bench.now + .milliseconds(200)
        #expect(paths(bench, &client) == [0, 1])
    }

    /// The same message from a second address gets the answer only when the first seems lost: using
    /// the keys then proves the one address that has it.
    @Test func oneAddressGetsTheAnswer() throws {
        let key = try PrivateKey.generate()
        for isLate in [false, true] {
            var bench = try HandshakeBench(clients: [key.publicKey])
            var client = try client(bench, key)
            let first = try bench.message(of: &client)
            let second = try bench.message(of: &client)
            let answer = try bench.answer(to: first)
            #expect(bench.give(first).count == 1, "the same address is answered again")
            bench.now = bench.now + .milliseconds(isLate ? 150 : 149)
            let others = bench.give(second, from: .loopback(port: 4001))
            #expect(others == (isLate ? [answer] : []))
            bench.take(answer, by: &client)
            #expect(client.isEstablished == true)
            bench.give(try bench.message(of: &client))
            let box = try #require(bench.server.boxes.first)
            let isValidated = box.with { $0.state(of: PathID(0)) != .validating }
            #expect(isValidated == !isLate)
            #expect(bench.server.statistics.accepted == 1)
            #expect(bench.server.statistics.repeated == 2)
        }
    }

    /// A retry makes the client repeat the message on the path of the retry alone.
    @Test func aRetryIsAnsweredOnItsPath() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey]) { $0.handshakesBeforeCookies = 0 }
        var client = try client(bench, key)
        let first = try bench.message(of: &client)
        _ = try bench.message(of: &client)
        bench.take(try bench.answer(to: first), by: &client)
        #expect(paths(bench, &client) == [0])
        #expect(bench.server.statistics.retries == 1)
    }
}
