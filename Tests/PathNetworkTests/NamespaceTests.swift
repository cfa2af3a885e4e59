import Glibc
import PathTransport
import Testing

@testable import PathNetwork
@testable import PathTelemetry

/// Tests that need their own network: each makes an empty namespace that ends with it.
@Suite(.enabled(if: Host.hasVeth, "needs root, network namespaces, veth and iproute2"))
struct NamespaceTests {
    private static let setUpPair = """
        ip link set lo up && ip link add v0 type veth peer name v1 && \
        ip addr add 10.77.0.1/24 dev v0 && ip -6 addr add fd77::1/64 dev v0 nodad && \
        ip link set v0 up && ip link set v1 up && \
        ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev v0 && \
        ip -6 neigh add fd77::2 lladdr 02:00:00:00:00:02 dev v0
        """

    /// Runs a throwing body in a namespace and rethrows on the test's thread.
    private func namespace<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        let result = try #require(inNamespace { Result { try body() } })
        return try result.get()
    }

    @Test func networkWithoutRouteIsUnreachableUntilThereIsOne() throws {
        let results = try namespace { () -> [SendResult] in
            var sender = try UDPSocket(local: nil)
            let bytes = numberedDatagrams(count: 10, size: 1_000, tail: 10)
            let four = SocketAddress(ipv4: 0x0a4d_0002, port: 9)
            let six = SocketAddress(ipv6High: 0xfd77_0000_0000_0000, low: 2, port: 9)
            var results = [
                sender.send(bytes, segmentSize: 1_000, to: four),
                sender.send([1], to: four), sender.send([1], to: six),
            ]
            shell(NamespaceTests.setUpPair)
            results.append(sender.send(bytes, segmentSize: 1_000, to: four))
            results.append(sender.send([1], to: six))
            return results
        }
        #expect(results[0] == .unreachable(ENETUNREACH))
        #expect(results[1] == .unreachable(ENETUNREACH))
        // IPv6 may say first that it has no address to send from.
        #expect([.unreachable(ENETUNREACH), .unreachable(EADDRNOTAVAIL)].contains(results[2]))
        #expect(results[3...] == [.sent(9_010), .sent(1)])
    }

    @Test func addressThatLeavesTheHostIsNotTheEnd() throws {
        let results = try namespace { () -> [SendResult] in
            shell(NamespaceTests.setUpPair)
            var sender = try UDPSocket(local: SocketAddress(ipv4: 0x0a4d_0001, port: 0))
            let destination = SocketAddress(ipv4: 0x0a4d_0002, port: 9)
            var results = [sender.send([1], to: destination)]
            shell("ip addr del 10.77.0.1/24 dev v0")
            results.append(sender.send([1], to: destination))
            shell("ip addr add 10.77.0.1/24 dev v0")
            results.append(sender.send([1], to: destination))
            return results
        }
        #expect(results[0] == .sent(1))
        guard case .unreachable = results[1] else {
            Issue.record("\(results[1])")
            return
        }
        #expect(results[2] == .sent(1))
    }

    @Test func datagramAboveTheMTUIsTooBig() throws {
        let found = try namespace { () -> (results: [SendResult], mtu: [Int?], usesGSO: Bool) in
            shell(NamespaceTests.setUpPair + " && ip link set v0 mtu 1400")
            var sender = try UDPSocket(local: nil)
            let four = SocketAddress(ipv4: 0x0a4d_0002, port: 9)
            let six = SocketAddress(ipv6High: 0xfd77_0000_0000_0000, low: 2, port: 9)
            let long = numberedDatagrams(count: 3, size: 1_373, tail: 1_373)
            let results = [
                sender.send([UInt8](repeating: 1, count: 1_372), to: four),
                sender.send([UInt8](repeating: 1, count: 1_373), to: four),
                sender.send([UInt8](repeating: 1, count: 1_352), to: six),
                sender.send([UInt8](repeating: 1, count: 1_353), to: six),
                sender.send(long, segmentSize: 1_373, to: four),
                sender.send([1], to: four),
            ]
            return (
                results, [sender.routeMTU(to: four), sender.routeMTU(to: six)],
                sender.usesSegmentation
            )
        }
        #expect(
            found.results == [
                .sent(1_372), .tooBig(mtu: 1_400), .sent(1_352), .tooBig(mtu: 1_400),
                .tooBig(mtu: 1_400), .sent(1),
            ])
        #expect(found.mtu == [1_400, 1_400])
        #expect(found.usesGSO)
    }

    /// A second namespace is a router with a narrow link behind it and a network it cannot reach.
    @Test func routersThatComplainAreHeard() throws {
        let router = "pathwise-router-\(getpid())"
        defer { shell("ip netns del \(router)") }
        let found = try namespace {
            () -> (isSetUp: Bool, faults: [SocketFault], after: SendResult) in
            let isSetUp =
                shell(
                    """
                    ip link set lo up && ip netns add \(router) && \
                    ip link add v0 type veth peer name v1 && ip link set v1 netns \(router) && \
                    ip addr add 10.77.0.1/24 dev v0 && ip link set v0 up && \
                    ip -n \(router) addr add 10.77.0.2/24 dev v1 && ip -n \(router) link set v1 up && \
                    ip -n \(router) link add o0 mtu 1280 type veth peer name o1 && \
                    ip -n \(router) addr add 10.78.0.1/24 dev o0 && \
                    ip -n \(router) link set o0 up && ip -n \(router) link set o1 up && \
                    ip -n \(router) route add unreachable 10.79.0.0/16 && \
                    ip netns exec \(router) sysctl -w net.ipv4.ip_forward=1 && \
                    ip route add default via 10.77.0.2
                    """) == 0
            var sender = try UDPSocket(local: nil)
            let poller = try Poller()
            try poller.add(sender.descriptor, token: 1)
            var events = Poller.Events()
            var faults: [SocketFault] = []
            let narrow = SocketAddress(ipv4: 0x0a4e_0009, port: 9)
            let unreachable = SocketAddress(ipv4: 0x0a4f_0009, port: 9)
            _ = sender.send([UInt8](repeating: 1, count: 1_400), to: narrow)
            try poller.wait(until: MonotonicClock.now() + .seconds(5), into: &events)
            sender.drainFaults { faults.append($0) }
            _ = sender.send([1, 2], to: unreachable)
            try poller.wait(until: MonotonicClock.now() + .seconds(5), into: &events)
            sender.drainFaults { faults.append($0) }
            return (isSetUp, faults, sender.send([1, 2], to: narrow))
        }
        try #require(found.isSetUp)
        try #require(found.faults.count == 2)
        let reporter = SocketAddress(ipv4: 0x0a4d_0002, port: 0)
        #expect(found.faults[0].kind == .tooBig(mtu: 1_280))
        #expect(found.faults[0].destination == SocketAddress(ipv4: 0x0a4e_0009, port: 9))
        #expect(found.faults[0].reporter == reporter)
        #expect(found.faults[1].kind == .unreachable)
        #expect(found.faults[1].destination == SocketAddress(ipv4: 0x0a4f_0009, port: 9))
        #expect(found.faults[1].reporter == reporter)
        #expect(found.after == .sent(2))
    }

    @Test func prohibitedRouteIsUnreachable() throws {
        let results = try namespace { () -> [SendResult] in
            shell(NamespaceTests.setUpPair + " && ip route add prohibit 10.88.0.0/16")
            var sender = try UDPSocket(local: nil)
            return [
                sender.send([1], to: SocketAddress(ipv4: 0x0a58_0001, port: 9)),
                sender.send([1], to: SocketAddress(ipv4: 0x0a4d_0002, port: 9)),
            ]
        }
        #expect(results == [.unreachable(EACCES), .sent(1)])
    }

    @Test(.enabled(if: Host.hasTrafficControl, "needs tc with the tbf queue"))
    func fullSendBufferBlocksUntilItIsWritable() throws {
        let found = try namespace { () -> (result: SendResult, writable: Bool, after: SendResult) in
            shell(
                NamespaceTests.setUpPair
                    + " && tc qdisc add dev v0 root tbf rate 4mbit burst 5000 limit 1000000")
            var options = UDPSocket.Options()
            options.sendBufferBytes = 50_000
            var sender = try UDPSocket(local: nil, options: options)
            let destination = SocketAddress(ipv4: 0x0a4d_0002, port: 9)
            let bytes = numberedDatagrams(count: 10, size: 1_200, tail: 1_200)
            var result = SendResult.sent(0)
            for _ in 0..<1_000 {
                result = sender.send(bytes, segmentSize: 1_200, to: destination)
                if result == .wouldBlock { break }
            }
            let poller = try Poller()
            try poller.add(sender.descriptor, token: 1, interest: .writable)
            var events = Poller.Events()
            try poller.wait(until: MonotonicClock.now() + .seconds(20), into: &events)
            let writable = events.count == 1 && events[0].isWritable
            return (
                result, writable, sender.send(bytes, segmentSize: 1_200, to: destination)
            )
        }
        #expect(found.result == .wouldBlock)
        #expect(found.writable)
        #expect(found.after == .sent(12_000))
    }

    @Test(.enabled(if: Host.hasTrafficControl, "needs tc with the tbf queue"))
    func fullLocalQueueIsCongested() throws {
        let results = try namespace { () -> [SendResult] in
            shell(
                NamespaceTests.setUpPair
                    + " && tc qdisc add dev v0 root tbf rate 8kbit burst 3000 limit 3000")
            var sender = try UDPSocket(local: nil)
            let destination = SocketAddress(ipv4: 0x0a4d_0002, port: 9)
            let bytes = [UInt8](repeating: 1, count: 1_200)
            return (0..<20).map { _ in sender.send(bytes, to: destination) }
        }
        #expect(results.first == .sent(1_200))
        #expect(results.last == .congested(ENOBUFS))
    }

    // MARK: Watching interfaces

    /// Applies a command and waits for the changes that it causes.
    private static func changes(
        after command: String, _ watcher: inout InterfaceWatcher, _ poller: borrowing Poller,
        until isComplete: ([InterfaceChange]) -> Bool
    ) throws -> [InterfaceChange] {
        guard shell(command) == 0 else { return [] }
        var changes: [InterfaceChange] = []
        var events = Poller.Events()
        let deadline = MonotonicClock.now() + .seconds(10)
        while !isComplete(changes), MonotonicClock.now() < deadline {
            try poller.wait(until: deadline, into: &events)
            for change in try watcher.readChanges() where change != .routesChanged {
                changes.append(change)
            }
        }
        return changes
    }

    @Test func addressesAndInterfacesThatComeAndGoAreReported() throws {
        let steps = try namespace { () -> [[InterfaceChange]] in
            // Without link-local addresses, which come by themselves and at their own time.
            shell(
                """
                ip link add v0 type veth peer name v1 && ip link set v0 addrgenmode none && \
                ip link set v1 addrgenmode none && ip link set v1 up
                """)
            var watcher = try InterfaceWatcher()
            let poller = try Poller()
            try poller.add(watcher.descriptor, token: 1)
            var steps: [[InterfaceChange]] = []
            for command in [
                "ip link set v0 up && ip addr add 10.77.0.1/24 dev v0",
                "ip -6 addr add fd77::1/64 dev v0 nodad",
                "ip addr del 10.77.0.1/24 dev v0",
                "ip link set v0 mtu 1280",
                "ip link set v1 down",
                "ip link set v1 up",
                "ip link del v0",
            ] {
                steps.append(
                    try NamespaceTests.changes(after: command, &watcher, poller) { !$0.isEmpty })
            }
            return steps
        }
        try #require(steps.count == 7 && steps.allSatisfy { !$0.isEmpty })
        let four = SocketAddress(ipv4: 0x0a4d_0001, port: 0)
        let six = SocketAddress(ipv6High: 0xfd77_0000_0000_0000, low: 1, port: 0)
        guard case .added(let added) = steps[0][0], case .changed(_, let both) = steps[1][0],
            case .changed(_, let sixOnly) = steps[2][0], case .changed(_, let small) = steps[3][0],
            case .removed(let downed) = steps[4][0], case .added(let again) = steps[5][0],
            case .removed(let gone) = steps[6][0]
        else {
            Issue.record("\(steps)")
            return
        }
        #expect(added.name == "v0")
        #expect(added.addresses.map(\.address) == [four])
        #expect(added.addresses.first?.prefixLength == 24)
        #expect(added.mtu == 1_500)
        #expect(!added.isLoopback)
        #expect(both.addresses.map(\.address) == [four, six])
        #expect(sixOnly.addresses.map(\.address) == [six])
        #expect(small.mtu == 1_280)
        #expect(downed == small)
        #expect(again.name == "v0")
        #expect(gone.index == added.index)
    }

    @Test func loopbackIsListedOnlyWhenAsked() throws {
        let found = try namespace { () -> ([NetworkInterface], [NetworkInterface]) in
            shell("ip link set lo up")
            return (
                try InterfaceWatcher.list(), try InterfaceWatcher.list(includingLoopback: true)
            )
        }
        #expect(found.0.isEmpty)
        #expect(found.1.map(\.name) == ["lo"])
        #expect(found.1.first?.addresses.contains { $0.address == ipv4Loopback } == true)
        #expect(found.1.first?.isLoopback == true)
    }

    @Test func routeChangesAreReported() throws {
        let changes = try namespace { () -> [InterfaceChange] in
            shell(NamespaceTests.setUpPair)
            var watcher = try InterfaceWatcher()
            _ = try watcher.readChanges()
            shell("ip route add 10.99.0.0/16 via 10.77.0.2")
            return try watcher.readChanges()
        }
        #expect(changes == [.routesChanged])
    }
}
