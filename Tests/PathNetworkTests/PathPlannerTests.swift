import PathTransport
import Testing

@testable import PathNetwork
@testable import PathTelemetry

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
}
