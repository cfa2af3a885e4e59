import Glibc
import PathTransport
import Testing

@testable import PathNetwork
@testable import PathTelemetry

/// Sockets for the datagrams of other programs.
struct DatagramSocketTests {
    /// Waits until a datagram is there, and takes it.
    private func take(
        _ socket: borrowing DatagramSocket, _ batch: inout ReceiveBatch
    ) throws -> Int {
        let poller = try Poller()
        try poller.add(socket.descriptor, token: 1)
        var events = Poller.Events()
        try poller.wait(until: MonotonicClock.now() + .seconds(5), into: &events)
        guard case .received(let count) = socket.receive(into: &batch) else { return 0 }
        return count
    }

    @Test(arguments: BatchTests.loopbacks)
    func carriesEverySizeAndTrafficClass(loopback: SocketAddress) throws {
        let receiver = try DatagramSocket(local: loopback)
        let sender = try DatagramSocket(local: loopback)
        var batch = try ReceiveBatch(capacity: 4, headroom: 32)
        let cases: [(Int, UInt8)] = [
            (0, 0), (1, 0x03), (1_400, 0xb8), (9_000, 0x02), (65_507, 0x01), (0, 0xff),
        ]
        for (size, trafficClass) in cases {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let failure = bytes.withUnsafeBytes {
                sender.send($0, to: receiver.localAddress, trafficClass: trafficClass)
            }
            #expect(failure == nil)
            try #require(try take(receiver, &batch) == 1)
            let message = batch.message(0)
            #expect(Array(message.bytes) == bytes)
            #expect(message.trafficClass == trafficClass)
            #expect(message.remote == sender.localAddress && !message.isTruncated)
            // The bytes before a datagram are the caller's.
            let whole = message.bytes(withHeader: 32)
            for index in 0..<32 { whole[index] = 0xee }
            #expect(Array(whole[32...]) == bytes)
        }
        #expect(
            [UInt8](repeating: 0, count: 65_536).withUnsafeBytes {
                sender.send($0, to: receiver.localAddress)
            } == EMSGSIZE)
    }

    @Test func connectedSocketHearsItsPeerOnly() throws {
        let target = try DatagramSocket(local: ipv4Loopback)
        let socket = try DatagramSocket(remote: target.localAddress)
        let stranger = try DatagramSocket(local: ipv4Loopback)
        #expect(socket.remoteAddress == target.localAddress)
        #expect([7].withUnsafeBytes { socket.send($0) } == nil)
        var batch = try ReceiveBatch(capacity: 4)
        try #require(try take(target, &batch) == 1)
        #expect(batch.message(0).remote == socket.localAddress)
        #expect([8].withUnsafeBytes { stranger.send($0, to: socket.localAddress) } == nil)
        let answer: [UInt8] = [9]
        #expect(answer.withUnsafeBytes { target.send($0, to: socket.localAddress) } == nil)
        try #require(try take(socket, &batch) == 1)
        #expect(Array(batch.message(0).bytes) == [9])
        #expect(socket.receive(into: &batch) == .wouldBlock)
    }

    @Test func closedTargetIsCountedAndTheSocketGoesOn() throws {
        let target = try DatagramSocket(local: ipv4Loopback).localAddress
        let socket = try DatagramSocket(remote: target)
        #expect([1].withUnsafeBytes { socket.send($0) } == nil)
        var batch = try ReceiveBatch(capacity: 4)
        #expect(try take(socket, &batch) == 0)
        #expect(socket.drainFaults() == 1)
        #expect(socket.drainFaults() == 0)
        let reopened = try DatagramSocket(local: target)
        #expect(([2] as [UInt8]).withUnsafeBytes { socket.send($0) } == nil)
        try #require(try take(reopened, &batch) == 1)
        #expect(Array(batch.message(0).bytes) == [2])
    }

    @Test func portInUseIsAnErrorWithTheRemedy() throws {
        let socket = try DatagramSocket(local: ipv4Loopback)
        let address = socket.localAddress
        do {
            _ = try DatagramSocket(local: address)
            Issue.record("bound twice")
        } catch {
            #expect(error.code == EADDRINUSE)
            #expect("\(error)".hasPrefix("cannot bind to \(address): "))
            #expect("\(error)".contains("choose another port"))
        }
    }

    /// A link with a small MTU carries the largest datagram in fragments.
    @Test(.enabled(if: Host.canMakeNamespaces, "needs root and network namespaces"))
    func largeDatagramsAreFragmented() throws {
        let length = inNamespace { () -> Int in
            guard shell("ip link set lo mtu 1500 && ip link set lo up") == 0,
                let receiver = try? DatagramSocket(local: ipv4Loopback),
                let sender = try? DatagramSocket(remote: receiver.localAddress),
                var batch = try? ReceiveBatch(capacity: 2)
            else { return -1 }
            let bytes = [UInt8](repeating: 5, count: 65_507)
            guard bytes.withUnsafeBytes({ sender.send($0, trafficClass: 2) }) == nil else {
                return -2
            }
            guard (try? take(receiver, &batch)) == 1 else { return -3 }
            return batch.message(0).trafficClass == 2 ? batch.message(0).bytes.count : -4
        }
        #expect(length == 65_507)
    }
}
