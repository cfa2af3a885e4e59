import Glibc
import PathTransport
import Testing

@testable import PathNetwork
@testable import PathTelemetry

/// Addresses, stamps, faults and errors of real sockets on loopback.
struct UDPSocketTests {
    @Test func kernelStampsAreRecentAndInOrder() throws {
        var sender = try UDPSocket(local: ipv4Loopback)
        var receiver = try UDPSocket(local: ipv4Loopback)
        var stamps: [Instant] = []
        var batch = try ReceiveBatch()
        for number in 0..<200 {
            let before = MonotonicClock.now()
            #expect(sender.send([UInt8(number), 0], to: receiver.localAddress) == .sent(2))
            try wait(for: receiver) { $0.isReadable }
            #expect(receiver.receive(into: &batch) == .received(1))
            let stamp = batch.message(0).receivedAt
            #expect(stamp <= batch.receivedAt)
            #expect((stamp - before).magnitude < .milliseconds(50))
            stamps.append(stamp)
        }
        // Each new measurement of the clocks may move the stamps a little.
        for (earlier, later) in zip(stamps, stamps.dropFirst()) {
            #expect(later > earlier - .microseconds(5))
        }
    }

    @Test func stampTellsArrivalNotReading() throws {
        var sender = try UDPSocket(local: ipv4Loopback)
        var receiver = try UDPSocket(local: ipv4Loopback)
        var batch = try ReceiveBatch()
        var age = TimeDelta.zero
        // The kernel begins to stamp a little after the host's first socket asks for it.
        for _ in 0..<50 where age < .milliseconds(29) {
            #expect(sender.send([1], to: receiver.localAddress) == .sent(1))
            try wait(for: receiver) { $0.isReadable }
            usleep(30_000)
            #expect(receiver.receive(into: &batch) == .received(1))
            age = batch.receivedAt - batch.message(0).receivedAt
        }
        #expect(age >= .milliseconds(29))
    }

    @Test func stampsThatCannotBeTrueAreNotBelieved() {
        var converter = ReceiveStampConverter()
        let now = MonotonicClock.now()
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let wall = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        #expect(converter.instant(realtime: 0, now: now) == now)
        #expect(converter.instant(realtime: wall + 3_600_000_000_000, now: now) == now)
        #expect(converter.instant(realtime: wall - 3_600_000_000_000, now: now) == now)
        #expect(converter.instant(realtime: .max, now: now) == now)
        let tenth = converter.instant(realtime: wall - 100_000_000, now: now)
        #expect((now - tenth - .milliseconds(100)).magnitude < .milliseconds(50))
    }

    @Test(arguments: BatchTests.loopbacks)
    func closedPortIsAFaultAndNotTheEnd(loopback: SocketAddress) throws {
        let closed = try UDPSocket(local: loopback).localAddress
        var sender = try UDPSocket(local: loopback)
        var receiver = try UDPSocket(local: loopback)
        #expect(sender.send([1, 2, 3], to: closed) == .sent(3))
        try wait(for: sender) { $0.hasFault }
        // The pending error must not fail a send to someone else.
        #expect(sender.send([4, 5], to: receiver.localAddress) == .sent(2))
        #expect(try receive(1, from: &receiver).first?.bytes == [4, 5])
        var faults: [SocketFault] = []
        #expect(sender.drainFaults { faults.append($0) } == 1)
        let fault = try #require(faults.first)
        #expect(fault.kind == .unreachable)
        #expect(fault.destination == closed)
        #expect(fault.code == ECONNREFUSED)
        #expect(fault.reporter?.host == loopback.host)
        #expect(fault.icmpType == (loopback.family == .ipv4 ? 3 : 1))
        #expect(fault.icmpCode == (loopback.family == .ipv4 ? 3 : 4))
        #expect(sender.drainFaults { _ in } == 0)
        #expect(sender.counters.faults == 1)
    }

    @Test func pendingFaultDoesNotHideADatagram() throws {
        let closed = try UDPSocket(local: ipv4Loopback).localAddress
        var sender = try UDPSocket(local: ipv4Loopback)
        var other = try UDPSocket(local: ipv4Loopback)
        #expect(sender.send([1], to: closed) == .sent(1))
        try wait(for: sender) { $0.hasFault }
        #expect(other.send([7], to: sender.localAddress) == .sent(1))
        try wait(for: sender) { $0.isReadable }
        var batch = try ReceiveBatch()
        #expect(sender.receive(into: &batch) == .received(1))
        #expect(batch.message(0).bytes[0] == 7)
        #expect(sender.receive(into: &batch) == .wouldBlock)
    }

    @Test func pollerReportsTheFault() throws {
        let closed = try UDPSocket(local: ipv4Loopback).localAddress
        var sender = try UDPSocket(local: ipv4Loopback)
        let poller = try Poller()
        try poller.add(sender.descriptor, token: 5)
        #expect(sender.send([1], to: closed) == .sent(1))
        var events = Poller.Events()
        try poller.wait(until: MonotonicClock.now() + .seconds(5), into: &events)
        try #require(events.count == 1)
        #expect(events[0].token == 5)
        #expect(events[0].hasFault)
        #expect(sender.drainFaults { _ in } == 1)
        try poller.wait(until: MonotonicClock.now(), into: &events)
        #expect(events.count == 0)
    }

    @Test func sourceCanBeChosenAndDestinationIsSeen() throws {
        var sender = try UDPSocket(local: .any(.ipv4, port: 0))
        var receiver = try UDPSocket(local: .any(.ipv4, port: 0))
        let destination = SocketAddress(ipv4: 0x7f00_0009, port: receiver.localAddress.port)
        let source = SocketAddress(ipv4: 0x7f00_0005, port: 0)
        let bytes = numberedDatagrams(count: 3, size: 500, tail: 20)
        #expect(
            sender.send(bytes, segmentSize: 500, to: destination, from: source)
                == .sent(bytes.count))
        let datagrams = try receive(3, from: &receiver)
        #expect(datagrams.map(\.bytes.count) == [500, 500, 20])
        #expect(datagrams.allSatisfy { $0.remote == source.with(port: sender.localAddress.port) })
        #expect(datagrams.allSatisfy { $0.local == destination })
        #expect(datagrams.allSatisfy { $0.interface == if_nametoindex("lo") })
    }

    @Test func sourceThatIsNotOursIsUnreachable() throws {
        var sender = try UDPSocket(local: .any(.ipv4, port: 0))
        // 198.51.100.0/24 is for documentation (RFC 5737).
        let foreign = SocketAddress(ipv4: 0xc633_6407, port: 0)
        let result = sender.send([1], to: .loopback(port: 9), from: foreign)
        guard case .unreachable = result else {
            Issue.record("\(result)")
            return
        }
        #expect(sender.send([1], to: .loopback(port: 9)) == .sent(1))
    }

    @Test(.enabled(if: Host.hasIPv6, "needs IPv6 on loopback"))
    func unboundSocketCarriesBothFamilies() throws {
        var client = try UDPSocket(local: nil)
        for loopback in [ipv4Loopback, ipv6Loopback] {
            var server = try UDPSocket(local: loopback)
            let bytes = numberedDatagrams(count: 4, size: 700, tail: 70)
            #expect(
                client.send(bytes, segmentSize: 700, to: server.localAddress, from: loopback)
                    == .sent(bytes.count))
            let there = try receive(4, from: &server)
            #expect(there.flatMap(\.bytes) == bytes)
            #expect(there.first?.remote == loopback.with(port: client.localAddress.port))
            let remote = try #require(there.first?.remote)
            #expect(server.send([9], to: remote) == .sent(1))
            let back = try receive(1, from: &client)
            #expect(back.first?.remote == server.localAddress)
            #expect(back.first?.local == loopback.with(port: client.localAddress.port))
        }
        // Faults of both families come through the one queue.
        for loopback in [ipv4Loopback, ipv6Loopback] {
            let closed = try UDPSocket(local: loopback).localAddress
            #expect(client.send([1], to: closed) == .sent(1))
            try wait(for: client) { $0.hasFault }
            var destinations: [SocketAddress?] = []
            client.drainFaults { destinations.append($0.destination) }
            #expect(destinations == [closed])
        }
    }

    @Test(.enabled(if: Host.hasIPv6, "needs IPv6 on loopback"))
    func socketOfOneFamilyDoesNotReachTheOther() throws {
        var four = try UDPSocket(local: ipv4Loopback)
        var six = try UDPSocket(local: ipv6Loopback)
        #expect(four.send([1], to: six.localAddress) == .unreachable(EAFNOSUPPORT))
        #expect(six.send([1], to: four.localAddress) == .unreachable(EAFNOSUPPORT))
    }

    @Test func boundToAnInterface() throws {
        let probe: UDPSocket
        do {
            probe = try UDPSocket(local: ipv4Loopback, interface: "lo")
        } catch {
            // Kernels before 5.7 want a privilege for this.
            #expect(error.code == EPERM && !Host.isRoot)
            return
        }
        var sender = probe
        #expect(sender.interfaceIndex == if_nametoindex("lo"))
        var receiver = try UDPSocket(local: nil, interface: "lo")
        let destination = SocketAddress.loopback(port: receiver.localAddress.port)
        #expect(sender.send([3], to: destination) == .sent(1))
        #expect(try receive(1, from: &receiver).first?.interface == sender.interfaceIndex)
        #expect((sender.routeMTU(to: destination) ?? 0) >= 65_535)
        // 192.0.2.0/24 is for documentation: loopback has no route there.
        let result = sender.send([3], to: SocketAddress(ipv4: 0xc000_0207, port: 9))
        #expect(result != .wouldBlock)
        #expect(sender.send([3], to: destination) == .sent(1))
    }

    @Test func buffersAndDropsAreReported() throws {
        var options = UDPSocket.Options()
        options.receiveBufferBytes = 100_000
        options.sendBufferBytes = 60_000
        options.usesReceiveOffload = false
        var receiver = try UDPSocket(local: ipv4Loopback, options: options)
        #expect(receiver.receiveBufferBytes == 100_000)
        #expect(receiver.sendBufferBytes == 60_000)
        #expect(receiver.receiveBufferDrops == 0)
        var sender = try UDPSocket(local: ipv4Loopback)
        let bytes = numberedDatagrams(count: 64, size: 1_000, tail: 1_000)
        for _ in 0..<10 { _ = sender.send(bytes, segmentSize: 1_000, to: receiver.localAddress) }
        let kept = try receive(640, from: &receiver, patience: .milliseconds(50)).count
        #expect(kept > 0)
        #expect(receiver.receiveBufferDrops == 640 - kept)
        #expect(kept < 640)
    }

    @Test func errorsSayWhatAndHowToMend() throws {
        let taken = try UDPSocket(local: ipv4Loopback)
        let address = taken.localAddress
        let inUse = #expect(throws: NetworkError.self) { _ = try UDPSocket(local: address) }
        #expect(
            inUse?.description
                == "cannot bind to \(address): Address already in use; choose another port, "
                + "or stop the program that uses it ('ss -ulpn' names it)")
        let foreign = SocketAddress(ipv4: 0xc633_6407, port: 7)
        let absent = #expect(throws: NetworkError.self) { _ = try UDPSocket(local: foreign) }
        #expect(absent == .system(.bind, target: "198.51.100.7:7", code: EADDRNOTAVAIL))
        #expect(absent?.description.contains("'ip address' lists") == true)
        let missing = #expect(throws: NetworkError.self) {
            _ = try UDPSocket(local: nil, interface: "nosuch0")
        }
        #expect(missing == .system(.bindToInterface, target: "nosuch0", code: ENODEV))
        for name in ["", "much-too-long-name", "a b", "a/b"] {
            #expect(throws: NetworkError.malformedInterface(name)) {
                _ = try UDPSocket(local: nil, interface: name)
            }
        }
        let denied = NetworkError.system(.bindToInterface, target: "eth0", code: EPERM)
        #expect(denied.description.contains("CAP_NET_RAW"))
        let low = NetworkError.system(.bind, target: "0.0.0.0:80", code: EACCES)
        #expect(low.description.contains("choose a higher port"))
    }

    @Test func portCanBeSharedOnlyWhenAsked() throws {
        var options = UDPSocket.Options()
        options.reusesPort = true
        let first = try UDPSocket(local: ipv4Loopback, options: options)
        let second = try UDPSocket(local: first.localAddress, options: options)
        #expect(first.localAddress == second.localAddress)
        #expect(first.localAddress.port != 0)
    }
}
