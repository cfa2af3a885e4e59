import Glibc
import PathTelemetry
import PathTransport
import Testing

@testable import PathNetwork

/// Batches of datagrams over real loopback sockets.
struct BatchTests {
    static let loopbacks = Host.hasIPv6 ? [ipv4Loopback, ipv6Loopback] : [ipv4Loopback]

    struct Way: CustomStringConvertible {
        var segmentation: Bool
        var receiveOffload: Bool
        var description: String { "GSO \(segmentation), GRO \(receiveOffload)" }
    }
    static let ways = [
        Way(segmentation: true, receiveOffload: true),
        Way(segmentation: true, receiveOffload: false),
        Way(segmentation: false, receiveOffload: true),
        Way(segmentation: false, receiveOffload: false),
    ]

    @Test(arguments: loopbacks, ways)
    func batchArrivesAsTheSameDatagrams(loopback: SocketAddress, way: Way) throws {
        var options = UDPSocket.Options()
        options.usesSegmentation = way.segmentation
        options.usesReceiveOffload = way.receiveOffload
        var sender = try UDPSocket(local: loopback, options: options)
        var receiver = try UDPSocket(local: loopback, options: options)
        let bytes = numberedDatagrams(count: 46, size: 1_400, tail: 333)
        let result = sender.send(bytes, segmentSize: 1_400, to: receiver.localAddress)
        #expect(result == .sent(bytes.count))
        #expect(sender.counters.sendCalls == 1)
        #expect(sender.usesSegmentation == way.segmentation)

        let datagrams = try receive(46, from: &receiver)
        #expect(datagrams.count == 46)
        #expect(datagrams.dropLast().allSatisfy { $0.bytes.count == 1_400 })
        #expect(datagrams.last?.bytes.count == 333)
        #expect(datagrams.flatMap(\.bytes) == bytes)
        #expect(datagrams.allSatisfy { $0.remote == sender.localAddress })
        #expect(datagrams.allSatisfy { $0.local == receiver.localAddress })
        let joined = datagrams.map(\.joined).max()
        #expect(way.segmentation && way.receiveOffload ? joined == 46 : joined == 1)
        #expect(receiver.counters.bytesReceived == bytes.count)
    }

    @Test(arguments: [true, false])
    func runLongerThanOneCallIsSplit(segmentation: Bool) throws {
        var options = UDPSocket.Options()
        options.usesSegmentation = segmentation
        var sender = try UDPSocket(local: ipv4Loopback, options: options)
        var receiver = try UDPSocket(local: ipv4Loopback, options: options)
        // By count: 150 datagrams need three calls of at most 64.
        var bytes = numberedDatagrams(count: 150, size: 100, tail: 7)
        #expect(
            sender.send(bytes, segmentSize: 100, to: receiver.localAddress) == .sent(bytes.count))
        #expect(sender.counters.sendCalls == 3)
        #expect(try receive(150, from: &receiver).flatMap(\.bytes) == bytes)
        // By size: seven datagrams of 9,000 are 63,000 bytes, and eight would be too many.
        bytes = numberedDatagrams(count: 15, size: 9_000, tail: 9_000)
        #expect(
            sender.send(bytes, segmentSize: 9_000, to: receiver.localAddress) == .sent(bytes.count))
        #expect(sender.counters.sendCalls == (segmentation ? 6 : 4))
        let datagrams = try receive(15, from: &receiver)
        #expect(datagrams.map(\.bytes.count) == [Int](repeating: 9_000, count: 15))
        #expect(datagrams.flatMap(\.bytes) == bytes)
    }

    @Test func refusedSegmentationFallsBackAndIsRemembered() throws {
        var sender = try UDPSocket(local: ipv4Loopback)
        var receiver = try UDPSocket(local: ipv4Loopback)
        // Without checksums of its own a socket may not use UDP_SEGMENT: EINVAL.
        var on: Int32 = 1
        try #require(
            setsockopt(sender.descriptor, SOL_SOCKET, SO_NO_CHECK, &on, socklen_t(4)) == 0)
        let bytes = numberedDatagrams(count: 20, size: 1_200, tail: 50)
        #expect(
            sender.send(bytes, segmentSize: 1_200, to: receiver.localAddress) == .sent(bytes.count))
        #expect(sender.usesSegmentation == false)
        let callsWhileLearning = sender.counters.sendCalls
        #expect(
            sender.send(bytes, segmentSize: 1_200, to: receiver.localAddress) == .sent(bytes.count))
        #expect(sender.counters.sendCalls == callsWhileLearning + 1)
        #expect(try receive(40, from: &receiver).flatMap(\.bytes) == bytes + bytes)
    }

    @Test func badDestinationDoesNotTurnSegmentationOff() throws {
        var sender = try UDPSocket(local: ipv4Loopback)
        let bytes = numberedDatagrams(count: 4, size: 1_000, tail: 10)
        let nowhere = SocketAddress(ipv4: 0x7f00_0001, port: 0)
        #expect(sender.send(bytes, segmentSize: 1_000, to: nowhere) == .unreachable(EINVAL))
        #expect(sender.usesSegmentation == true)
    }

    @Test func oneCallTakesNoMoreThanTheBatchHolds() throws {
        var sender = try UDPSocket(local: ipv4Loopback)
        var receiver = try UDPSocket(local: ipv4Loopback)
        for number in 0..<10 {
            #expect(sender.send([UInt8(number), 1], to: receiver.localAddress) == .sent(2))
        }
        var batch = try ReceiveBatch(capacity: 4)
        var seen: [UInt8] = []
        while seen.count < 10 {
            try wait(for: receiver) { $0.isReadable }
            guard case .received(let count) = receiver.receive(into: &batch) else { break }
            #expect((1...4).contains(count))
            batch.forEachDatagram { bytes, _ in seen.append(bytes[0]) }
        }
        #expect(seen == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(receiver.counters.receiveCalls >= 3)
        #expect(receiver.receive(into: &batch) == .wouldBlock)
        #expect(batch.count == 0)
    }

    @Test func bytesCanBeChangedInPlace() throws {
        var sender = try UDPSocket(local: ipv4Loopback)
        var receiver = try UDPSocket(local: ipv4Loopback)
        let bytes = numberedDatagrams(count: 5, size: 300, tail: 300)
        _ = sender.send(bytes, segmentSize: 300, to: receiver.localAddress)
        var batch = try ReceiveBatch()
        try wait(for: receiver) { $0.isReadable }
        #expect(receiver.receive(into: &batch) == .received(1))
        batch.forEachDatagram { bytes, _ in
            for index in bytes.indices { bytes[index] ^= 0xff }
        }
        let message = batch.message(0)
        #expect(message.segmentCount == 5)
        #expect(Array(message.bytes) == bytes.map { $0 ^ 0xff })
        #expect(Array(message.segment(4)) == bytes.suffix(300).map { $0 ^ 0xff })
    }

    @Test func datagramsOfNoBytesAndOfTooManyAreSeen() throws {
        var sender = try UDPSocket(local: ipv4Loopback)
        var receiver = try UDPSocket(local: ipv4Loopback)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = receiver.localAddress.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let sent = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    sender.descriptor, "", 0, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(sent == 0)
        var batch = try ReceiveBatch(capacity: 4, messageBytes: 128)
        try wait(for: receiver) { $0.isReadable }
        #expect(receiver.receive(into: &batch) == .received(1))
        #expect(batch.message(0).segmentCount == 1)
        #expect(batch.message(0).segment(0).count == 0)
        #expect(!batch.message(0).isTruncated)
        let long = [UInt8](repeating: 9, count: 200)
        #expect(sender.send(long, to: receiver.localAddress) == .sent(200))
        try wait(for: receiver) { $0.isReadable }
        #expect(receiver.receive(into: &batch) == .received(1))
        #expect(batch.message(0).bytes.count == 128)
        #expect(batch.message(0).isTruncated)
    }
}
