import Glibc
import PathEmulation
import PathTelemetry
import PathTransport
import Testing

@testable import PathNetwork
@testable import PathSimulation

/// Waits up to five seconds for a datagram.
private func receive(
    _ socket: inout UDPSocket, _ batch: inout ReceiveBatch
) -> (bytes: [UInt8], from: SocketAddress)? {
    let end = MonotonicClock.now() + .seconds(5)
    while MonotonicClock.now() < end {
        if case .received = socket.receive(into: &batch) {
            let message = batch.message(0)
            return (Array(message.bytes), message.remote)
        }
        usleep(200)
    }
    return nil
}

private func send(_ socket: inout UDPSocket, _ bytes: [UInt8], to address: SocketAddress) {
    _ = bytes.withUnsafeBytes { socket.send($0, segmentSize: bytes.count, to: address) }
}

private func localOptions() -> UDPSocket.Options {
    var options = UDPSocket.Options()
    options.usesReceiveOffload = false
    return options
}

/// A port of this host without any link on it.
private func endpoint() throws -> UDPSocket {
    try UDPSocket(local: .loopback(port: 0), options: localOptions())
}

struct EmulationTests {
    @Test func delaysBothWays() throws {
        var server = try endpoint()
        var client = try endpoint()
        var batch = try ReceiveBatch(capacity: 1)
        let link = try LinkSpecification(parsing: "name=dsl,fdelay=30,rdelay=50")
        let emulation = try Emulation(
            Emulation.Options(links: [link], target: server.localAddress))
        #expect(emulation.paths.map(\.name) == ["dsl"])
        let path = emulation.paths[0].address

        let sent = MonotonicClock.now()
        send(&client, [1, 2, 3], to: path)
        let there = try #require(receive(&server, &batch))
        let arrived = MonotonicClock.now()
        #expect(there.bytes == [1, 2, 3])
        #expect(arrived - sent >= .milliseconds(30))

        send(&server, [4, 5], to: there.from)
        let back = try #require(receive(&client, &batch))
        #expect(back.bytes == [4, 5])
        #expect(back.from == path, "the answer comes from where the client sent to")
        #expect(MonotonicClock.now() - arrived >= .milliseconds(50))

        let status = emulation.stop()
        #expect(status.clients == 1)
        #expect(status.paths[0].forward.delivered.packets == 1)
        #expect(status.paths[0].forward.delivered.bytes == 31)
        #expect(status.paths[0].backward.delivered.bytes == 30)
        #expect(emulation.stop() == status, "stopping again changes nothing")
    }

    @Test func keepsClientsApart() throws {
        var server = try endpoint()
        var one = try endpoint()
        var two = try endpoint()
        var batch = try ReceiveBatch(capacity: 1)
        let link = try LinkSpecification(parsing: "rate=0")
        let emulation = try Emulation(
            Emulation.Options(links: [link, link], target: server.localAddress))
        #expect(emulation.paths.map(\.name) == ["p1", "p2"])
        send(&one, [1], to: emulation.paths[0].address)
        let first = try #require(receive(&server, &batch))
        send(&two, [2], to: emulation.paths[1].address)
        let second = try #require(receive(&server, &batch))
        #expect(first.from != second.from)
        send(&server, [12], to: second.from)
        send(&server, [11], to: first.from)
        #expect(try #require(receive(&one, &batch)).bytes == [11])
        #expect(try #require(receive(&two, &batch)).bytes == [12])
        #expect(emulation.stop().clients == 2)
    }

    /// The same seed loses the same packets, and every packet is accounted for.
    @Test func losesWhatTheSeedSays() throws {
        var counts: [Int] = []
        for _ in 0..<2 {
            let server = try endpoint()
            var client = try endpoint()
            let link = try LinkSpecification(parsing: "loss=0.3")
            let emulation = try Emulation(
                Emulation.Options(links: [link], target: server.localAddress, seed: 7))
            for number in 0..<200 {
                send(&client, [UInt8(number)], to: emulation.paths[0].address)
            }
            let end = MonotonicClock.now() + .seconds(5)
            while emulation.status.paths[0].forward.sent.packets < 200, MonotonicClock.now() < end {
                usleep(1_000)
            }
            let forward = emulation.stop().paths[0].forward
            #expect(forward.sent.packets == 200)
            #expect(
                forward.sent.packets
                    == forward.delivered.packets + forward.dropped.packets
                    + forward.queued.packets + forward.inFlight.packets)
            counts.append(forward.droppedLoss.packets)
        }
        #expect(counts[0] == counts[1])
        // Mean 60, standard deviation 6.5.
        #expect((30...90).contains(counts[0]))
    }

    @Test func refusesAPortInUse() throws {
        let taken = try endpoint()
        let link = try LinkSpecification(parsing: "rate=0")
        #expect(throws: NetworkError.self) {
            try Emulation(
                Emulation.Options(
                    links: [link], target: taken.localAddress, listen: taken.localAddress))
        }
    }
}
