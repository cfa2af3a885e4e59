import Glibc
import Testing

@testable import PathNetwork
@testable import PathTransport
@testable import PathwiseCommand

/// The addresses in tokens.
struct AddressTests {
    private func interface(_ name: String, _ addresses: [String]) throws -> NetworkInterface {
        NetworkInterface(
            index: 2, name: name, mtu: 1500, isLoopback: false, isPointToPoint: false,
            addresses: try addresses.map {
                InterfaceAddress(
                    address: try #require(SocketAddress(parsing: $0, defaultPort: 0)),
                    prefixLength: 24, isTemporary: false)
            })
    }

    /// A wildcard stands for what the host has at that moment; other addresses stay.
    @Test func wildcardsAreExpandedLate() throws {
        let places = PublicAddresses(
            listening: [.any(.ipv4, port: 7000), .any(.ipv6, port: 7000)])
        #expect(places.list == ["0.0.0.0:7000", "[::]:7000"])
        let none = places.expanded([])
        #expect(none.list == ["127.0.0.1:7000"])
        #expect(none.warning?.contains("cannot join with this token") == true)
        let up = places.expanded([try interface("eth0", ["192.0.2.7", "2001:db8::7"])])
        #expect(up.list == ["192.0.2.7:7000", "[2001:db8::7]:7000"])
        #expect(up.warning == nil)
        let container = places.expanded([try interface("docker0", ["172.17.0.1"])])
        #expect(container.list == ["127.0.0.1:7000"] && container.warning != nil)
        let fixed = PublicAddresses(listening: [.loopback(port: 7000)])
        #expect(fixed.expanded([]).list == ["127.0.0.1:7000"] && fixed.expanded([]).warning == nil)
    }

    /// Before the network is up `serve` and `invite` warn; a token of afterwards has its address.
    @Test(.enabled(if: TwoHosts.isPossible, "needs root, network namespaces, veth and iproute2"))
    func aTokenHasTheAddressesOfItsMoment() throws {
        let hosts = try TwoHosts(["dsl"])
        let scratch = Scratch()
        let own = try #require(hosts.addresses.first?.split(separator: ":").first)
        #expect(TwoHosts.shell("ip -n \(hosts.server) link set w0 down"))
        let server = try Pathwise(
            ["serve", "--state", scratch.file("s"), "--listen", "0.0.0.0:7000"],
            namespace: hosts.server)
        #expect(eventually { server.output.contains("pathwise1-") }, "\(server.errorText)")
        let warning = "this host has no address beyond its loopback now"
        #expect(eventually { server.output.contains("problem: \(warning)") }, "\(server.output)")
        let early = try Pathwise(
            ["invite", "--state", scratch.file("s")], namespace: hosts.server
        ).wait()
        #expect(early.output.contains("warning: \(warning)"), "\(early.output)")
        #expect(TwoHosts.shell("ip -n \(hosts.server) link set w0 up"))
        var late = early
        #expect(
            eventually {
                let run = try? Pathwise(
                    ["invite", "--state", scratch.file("s")], namespace: hosts.server
                ).wait()
                late = run ?? late
                return late.output.contains("\(own):7000")
            }, "\(late.output)")
        #expect(!late.output.contains("warning"), "\(late.output)")
        kill(server.process, SIGTERM)
        #expect(server.wait().status == 143)
    }
}
