import PathTransport
import Testing

@testable import PathNetwork
@testable import PathTelemetry

extension PathPlan {
    fileprivate var remote: SocketAddress { ways[0].remote }
    fileprivate var local: SocketAddress? { ways[0].local }
}

@Suite struct PathPlannerTests {
    private func address(_ text: String) throws -> SocketAddress {
        try #require(SocketAddress(parsing: text))
    }

    private func interface(
        _ index: UInt32, _ name: String, _ address: String, loopback: Bool = false
    ) throws -> NetworkInterface {
        NetworkInterface(
            index: index, name: name, mtu: 1500, isLoopback: loopback, isPointToPoint: false,
            addresses: [
                InterfaceAddress(
                    address: try self.address(address + ":0"), prefixLength: 24, isTemporary: false)
            ])
    }

    @Test func everyInterfaceIsAPathToTheServerAddressBesideIt() throws {
        let remotes = [try address("10.0.1.2:7000"), try address("10.0.2.2:7000")]
        let planner = PathPlanner(remotes: remotes)
        let wifi = try interface(3, "wlan0", "10.0.2.1")
        let wire = try interface(2, "eth0", "10.0.1.1")
        let both = planner.plans([wire, wifi])
        #expect(both.map(\.name) == ["eth0", "wlan0"])
        #expect(both.map(\.remote) == remotes)
        // One that goes away does not move the other.
        #expect(planner.plans([wifi]) == [both[1]])
    }

    @Test func withoutANearServerTheAssignmentStillStaysWithTheInterface() throws {
        let planner = PathPlanner(
            remotes: [try address("192.0.2.1:7000"), try address("198.51.100.1:7000")])
        let one = try interface(2, "eth0", "10.0.1.1")
        let two = try interface(3, "wwan0", "10.0.2.1")
        let both = planner.plans([one, two])
        #expect(Set(both.map(\.remote)).count == 2)
        #expect(planner.plans([two]) == [both[1]])
        #expect(planner.plans([one]) == [both[0]])
    }

    @Test func rulesNameInterfacesAndAddresses() throws {
        let remote = try address("10.0.1.2:7000")
        let planner = PathPlanner(
            remotes: [remote],
            rules: [
                .init(name: "dsl", source: .interface("eth0")),
                .init(name: "lte", source: .address(try address("10.0.2.1:0"))),
                .init(name: "gone", source: .interface("eth9")),
            ])
        let plans = planner.plans([
            try interface(2, "eth0", "10.0.1.1"), try interface(3, "wwan0", "10.0.2.1"),
        ])
        #expect(plans.map(\.name) == ["dsl", "lte"])
        #expect(plans[0].interface == "eth0")
        #expect(plans[1].interface == nil)
        #expect(plans[1].local?.host == "10.0.2.1")
    }

    @Test func aServerOnThisHostGetsAPathForEachAddress() throws {
        let planner = PathPlanner(
            remotes: [try address("127.0.0.1:7001"), try address("127.0.0.1:7002")])
        let plans = planner.plans([try interface(1, "lo", "127.0.0.1", loopback: true)])
        #expect(plans.map(\.remote.port) == [7001, 7002])
        #expect(plans.allSatisfy { $0.interface == nil })
    }

    @Test func onLinkComparesPrefixes() throws {
        let six = InterfaceAddress(
            address: try address("[2001:db8:1::1]:0"), prefixLength: 48, isTemporary: false)
        #expect(six.isOnLink(try address("[2001:db8:1:ffff::2]:7000")))
        #expect(!six.isOnLink(try address("[2001:db8:2::2]:7000")))
        #expect(!six.isOnLink(try address("10.0.0.1:7000")))
    }

    // MARK: several addresses of the server

    private func dual(_ index: UInt32, _ name: String, _ number: Int) throws -> NetworkInterface {
        var interface = try interface(index, name, "10.0.\(number).1")
        interface.addresses.append(
            InterfaceAddress(
                address: try address("[2001:db8:\(number)::1]:0"), prefixLength: 64,
                isTemporary: false))
        interface.linkLocalAddresses = [
            InterfaceAddress(
                address: try address("[fe80::1%\(index)]:0"), prefixLength: 64, isTemporary: false)
        ]
        return interface
    }

    @Test func bothFamiliesAreTriedInBothOrders() throws {
        let four = try address("192.0.2.1:7000")
        let six = try address("[2001:db8:9::1]:7000")
        let host = [try dual(2, "eth0", 1), try interface(3, "wwan0", "10.0.2.1")]
        for remotes in [[four, six], [six, four]] {
            let plans = PathPlanner(remotes: remotes).plans(host)
            #expect(plans.map(\.name) == ["eth0", "wwan0"])
            #expect(Set(plans[0].ways.map(\.remote)) == [four, six])
            #expect(plans[0].ways.allSatisfy { $0.local?.family == $0.remote.family })
            // This interface has no IPv6.
            #expect(plans[1].ways.map(\.remote) == [four])
        }
    }

    @Test func linkLocalServersAreReachedByTheInterfaceOfTheirScope() throws {
        let host = [try dual(2, "eth0", 1), try dual(3, "eth1", 2)]
        let scoped = PathPlanner(remotes: [try address("[fe80::2%3]:7000")]).plans(host)
        #expect(scoped.map(\.name) == ["eth1"])
        #expect(scoped.first?.local?.description == "[fe80::1%3]:0")
        let anywhere = PathPlanner(remotes: [try address("[fe80::2]:7000")]).plans(host)
        #expect(anywhere.map(\.remote.scope) == [2, 3])
        // An address of global scope is not reached from a link-local one.
        var only = try dual(2, "eth0", 1)
        only.addresses = []
        #expect(PathPlanner(remotes: [try address("[2001:db8::9]:7000")]).plans([only]).isEmpty)
    }

    @Test func containersTunnelsAndExcludedInterfacesAreNoPaths() throws {
        let remotes = [try address("192.0.2.1:7000")]
        let names = [
            "eth0", "docker0", "br-1a2b3c", "veth01", "virbr0", "cni0", "podman1", "wwan0", "tun3",
            "br0", "wg0", "tailscale0",
        ]
        let host = try names.enumerated().map {
            try interface(UInt32($0 + 2), $1, "10.0.\($0).1")
        }
        #expect(
            PathPlanner(remotes: remotes).plans(host).map(\.name)
                == ["eth0", "wwan0", "br0"])
        let planner = PathPlanner(remotes: remotes, excluded: ["wwan?"])
        #expect(planner.plans(host).map(\.name) == ["eth0", "br0"])
        #expect(planner.leftOut(Array(host[1...2])) == ["docker0", "br-1a2b3c"])
        // A rule names what it wants.
        let named = PathPlanner(
            remotes: remotes, rules: [PathPlanner.Rule(name: "d", source: .interface("docker0"))],
            excluded: ["*"])
        #expect(named.plans(host).map(\.interface) == ["docker0"])
    }
}

@Suite struct PathAttemptTests {
    private func attempt(_ ways: Int, at now: Instant) -> PathAttempt {
        PathAttempt(
            PathPlan(
                name: "a",
                ways: (0..<ways).map {
                    PathPlan.Way(remote: SocketAddress(ipv4: 0xc000_0201 + UInt32($0), port: 7))
                }), now: now)
    }

    /// The ways taken and when, over some seconds in which none answers.
    private func schedule(_ attempt: PathAttempt, faulty: Set<Int>) -> [(Int, Double)] {
        var attempt = attempt
        var taken: [(Int, Double)] = []
        var now = Instant.zero
        while now < .zero + .seconds(20), taken.count < 100 {
            let index = attempt.plan.ways.firstIndex(of: attempt.way) ?? -1
            taken.append((index, (now - .zero).seconds))
            attempt.note(.validating, now: now)
            if faulty.contains(index) {
                attempt.noteFault()
                attempt.noteFault()
            }
            now = max(now, attempt.nextWayAt)
            attempt.advance(now: now)
        }
        return taken
    }

    @Test func silentWaysTakeTurnsEverMoreSlowly() {
        let taken = schedule(attempt(2, at: .zero), faulty: [])
        #expect(taken.map(\.0).prefix(6) == [0, 1, 0, 1, 0, 1])
        #expect(taken.map(\.1).prefix(6) == [0, 1, 2, 4, 6, 10])
    }

    @Test func anUnreachableWayIsLeftAtOnceAndNeverSpun() {
        #expect(schedule(attempt(2, at: .zero), faulty: [0])[1].1 == 0)
        let both = schedule(attempt(2, at: .zero), faulty: [0, 1])
        #expect(both.count < 25, "\(both)")
        #expect(both[1].1 == 0)
    }

    @Test func oneWayStays() {
        var only = attempt(1, at: .zero)
        only.noteFault()
        #expect(only.nextWayAt == .distantFuture)
    }

    @Test func aWayThatWorkedIsWaitedFor() {
        var attempt = attempt(2, at: .zero)
        let start = Instant.zero + .seconds(100)
        attempt.note(.active, now: start)
        #expect(attempt.nextWayAt == .distantFuture)
        attempt.note(.failed, now: start)
        #expect(attempt.nextWayAt == start + .seconds(5))
        // What ICMP says of a way that has worked may be forged.
        attempt.noteFault()
        #expect(attempt.nextWayAt == start + .seconds(5))
        attempt.advance(now: start + .seconds(5))
        #expect(attempt.nextWayAt == start + .seconds(6))
        attempt.advance(now: start + .seconds(6))
        #expect(attempt.nextWayAt == start + .seconds(11))
    }

    @Test func aPathGoesOnWhenOnlyItsOtherWaysChange() {
        var first = attempt(2, at: .zero)
        first.note(.active, now: .zero)
        var other = first.plan
        other.ways.removeLast()
        #expect(first.fits(other))
        first.adopt(other)
        #expect(first.plan == other)
        other.ways = [PathPlan.Way(remote: SocketAddress(ipv4: 1, port: 7))]
        #expect(!first.fits(other))
    }
}
