import Glibc
import Testing

/// `pathwise doctor` on a host whose faults are real, before and after its commands.
@Suite(
    .serialized,
    .enabled(if: TwoHosts.isPossible, "needs root, network namespaces, veth and iproute2"))
struct NamespaceDoctorTests {
    private func findings(
        _ hosts: TwoHosts, _ more: String...
    ) throws -> [(id: String, level: String, subject: String?, fix: String?)] {
        let run = try Pathwise(["doctor", "--json"] + more, namespace: hosts.client).wait()
        let json = try JSONReading(list: run)
        return try (0..<json.count()).map {
            (
                try json.text($0, "id"), try json.text($0, "level"),
                json.optionalText($0, "subject"), json.optionalText($0, "fix")
            )
        }
    }

    private func apply(_ command: String, _ hosts: TwoHosts) {
        #expect(
            TwoHosts.shell("ip netns exec \(hosts.client) sh -c '\(command)'"), "\(command)")
    }

    /// The wrong source route, rp_filter and MTU of the second interface are found; the commands of
    /// the findings repair them.
    @Test func faultsAreFoundAndRepaired() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        apply("ip route add default via 192.0.2.2 dev dsl", hosts)
        apply("sysctl -w net/ipv4/conf/lte/rp_filter=1", hosts)
        apply("ip link set dev lte mtu 1000", hosts)
        func levels(_ id: String) throws -> [String] {
            try findings(hosts).filter { $0.id == id && $0.subject == "lte" }.map(\.level)
        }
        #expect(try levels("route.default") == ["problem"])
        #expect(try levels("interface.mtu") == ["problem"])
        for id in ["route.default", "interface.mtu"] {
            let fix = try findings(hosts).first { $0.id == id && $0.subject == "lte" }?.fix
            let command = try #require(fix).split(separator: "(")[0]
                .split(separator: "ROUTER").joined(separator: "192.0.2.66")
            apply(command, hosts)
        }
        #expect(try levels("route.default") == ["ok"])
        #expect(try levels("route.source") == ["ok"])
        #expect(try levels("interface.mtu") == ["ok"])
        // With a route back over the same interface the strict filter drops nothing.
        #expect(try levels("route.rp_filter") == ["note"])
        apply("ip rule del from 192.0.2.65", hosts)
        apply("ip route add default via 192.0.2.66 dev lte metric 500", hosts)
        #expect(try levels("route.source") == ["note"])
        #expect(try levels("route.rp_filter") == ["problem"])
        for id in ["route.source", "route.rp_filter"] {
            let all = try findings(hosts)
            let fix = all.first { $0.id == id && $0.subject == "lte" }?.fix
            if id == "route.source" {
                apply(try #require(fix).split(separator: "&&").last.map(String.init) ?? "", hosts)
            } else {
                apply(try #require(fix), hosts)
            }
        }
        #expect(try levels("route.source") == ["ok"])
        #expect(try levels("route.rp_filter") == ["ok"])
        let left = try findings(hosts).filter { $0.level == "problem" && $0.subject == "lte" }
        #expect(left.isEmpty, "\(left)")
    }

    /// A silent server: packets to it are dropped, as a firewall does.
    @Test func aServerBehindAFirewall() throws {
        let hosts = try TwoHosts(["dsl"])
        #expect(TwoHosts.shell(hosts.command(0, .client, reachesItsPeer: false)))
        let found = try findings(hosts, "--to", hosts.addresses[0])
        #expect(found.filter { $0.id == "server.answer" }.map(\.level) == ["problem"])
    }
}
