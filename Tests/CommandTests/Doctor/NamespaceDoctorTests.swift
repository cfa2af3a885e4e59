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

    /// What a finding of a check says about a path.
    private func text(_ id: String, _ path: String, _ run: Finished) throws -> String {
        let json = try JSONReading(list: run)
        for index in 0..<(try json.count())
        where try json.text(index, "id") == id && json.optionalText(index, "subject") == path {
            return try json.text(index, "level") + ": " + json.text(index, "what")
        }
        return ""
    }

    /// A server with two ports on one address and another address, and a doctor who asks all three.
    private func asked(_ hosts: TwoHosts, _ more: [String] = []) throws -> Finished {
        try Pathwise(
            [
                "doctor", "--json", "--to", hosts.addresses[0], "--to", "192.0.2.2:7001", "--to",
                hosts.addresses[1],
            ] + more, namespace: hosts.client
        ).wait()
    }

    /// Translators of three kinds, and marks that are cleared or dropped, made by nftables.
    @Test(.enabled(if: NamespaceDoctorTests.hasTranslators, "needs nftables with NAT"))
    func translatorsAndMarks() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        apply("ip route add default via 192.0.2.2 dev dsl", hosts)
        let folder = Scratch()
        let server = try Pathwise(
            [
                "serve", "--state", folder.file("server"), "--listen", hosts.addresses[0],
                "--listen", "192.0.2.2:7001", "--listen", hosts.addresses[1],
            ],
            namespace: hosts.server)
        defer {
            server.interrupt()
            _ = server.wait()
        }
        #expect(eventually { server.output.contains("pathwise1-") })
        let plain = try asked(hosts)
        #expect(
            try text("server.nat", "dsl", plain).hasPrefix("ok: no NAT: the server sees 192.0.2.1:")
        )
        #expect(
            try text("server.ecn", "dsl", plain)
                == "ok: ECN marks arrive: of 5 with ECT(0) arrived 5 "
                + "as ECT(0); of 5 with CE arrived 5 as CE")
        #expect(
            TwoHosts.shell(
                "ip netns exec \(hosts.server) ip route add 192.0.2.1 dev w0 src 192.0.2.2 || true")
        )
        let nft = "ip netns exec \(hosts.client) nft"
        func rules(_ translation: String, _ marks: String) {
            for command in [
                "flush ruleset", "add table ip t",
                "add chain ip t n '{ type nat hook postrouting priority 100 ; }'",
                "add chain ip t m '{ type filter hook postrouting priority 0 ; }'",
                "add rule ip t n udp dport 7000-7001 \(translation)", "add rule ip t m \(marks)",
            ] {
                #expect(TwoHosts.shell("\(nft) \(command)"), "\(command)")
            }
        }
        // The same port for all destinations, though not the socket's own.
        rules("masquerade to :20000-20999", "ip ecn set not-ect")
        let kept = try asked(hosts)
        let same = try text("server.nat", "dsl", kept)
        #expect(same.hasPrefix("note: a NAT shows 192.0.2.1:"), "\(same)")
        #expect(same.contains(" as 192.0.2.1:20"), "\(same)")
        #expect(
            same.hasSuffix(
                ", the same for all addresses of the server (endpoint-independent mapping); it changes "
                    + "the port"), "\(same)")
        #expect(
            try text("server.ecn", "dsl", kept)
                == "note: ECN marks are cleared on the way (bleached): "
                + "of 5 with ECT(0) arrived 5 as no mark; of 5 with CE arrived 5 as no mark")
        // Another port for each destination.
        rules("masquerade to :20000-39999 fully-random", "ip ecn ce drop")
        let random = try asked(hosts)
        let other = try text("server.nat", "dsl", random)
        #expect(
            other.contains("another one for each port of the server (address- and port-dependent"),
            "\(other)")
        #expect(
            try text("server.ecn", "dsl", random).hasPrefix(
                "note: datagrams with one of the ECN marks do not arrive: "))
        // Another port for one of the addresses only.
        rules("ip daddr 192.0.2.66 masquerade to :20000-20999", "ip ecn ect0 ip ecn set ce")
        let byAddress = try asked(hosts)
        #expect(
            try text("server.nat", "dsl", byAddress).contains("address-dependent mapping"),
            "\(byAddress.output)")
        #expect(
            try text("server.ecn", "dsl", byAddress).hasPrefix(
                "ok: ECN marks arrive: of 5 with ECT(0) arrived 5 as CE;"))
    }

    private static let hasTranslators: Bool = {
        guard TwoHosts.isPossible else { return false }
        let name = "pwt\(getpid())n"
        defer { TwoHosts.shell("ip netns del \(name)") }
        return TwoHosts.shell("ip netns add \(name)")
            && TwoHosts.shell("ip netns exec \(name) nft add table ip t")
            && TwoHosts.shell(
                "ip netns exec \(name) nft add chain ip t n '{ type nat hook postrouting priority 100 "
                    + "; }'")
            && TwoHosts.shell("ip netns exec \(name) nft add rule ip t n masquerade fully-random")
    }()

    /// Each path reaches one address of the server: that is no problem of the other path, and an
    /// address that none reaches is a note.
    @Test func everyAddressIsAsked() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        let folder = Scratch()
        let server = try Pathwise(
            [
                "serve", "--state", folder.file("server"), "--listen", hosts.addresses[0],
                "--listen",
                hosts.addresses[1],
            ], namespace: hosts.server)
        defer {
            server.interrupt()
            _ = server.wait()
        }
        #expect(eventually { server.output.contains("pathwise1-") })
        // Over each link only the server's address of that link is reached.
        for (own, other) in [(0, 1), (1, 0)] {
            let address = hosts.addresses[other].split(separator: ":")[0]
            #expect(
                TwoHosts.shell(
                    "ip -n \(hosts.client) neigh replace \(address) lladdr 02:00:00:00:ee:ee dev "
                        + "\(hosts.links[own]) nud permanent"))
        }
        let run = try Pathwise(
            [
                "doctor", "--json", "--to", hosts.addresses[0], "--to", hosts.addresses[1], "--to",
                "192.0.2.3:7000", "--path", "dsl=dsl", "--path", "lte=lte", "--path", "usb=usb9",
            ],
            namespace: hosts.client
        ).wait()
        let json = try JSONReading(list: run)
        var found: [String] = []
        for index in 0..<(try json.count()) {
            let id = try json.text(index, "id")
            guard id == "server.answer" || id == "path" || id == "route.default" else { continue }
            found.append(
                "\(id) \(json.optionalText(index, "subject") ?? "-") \(try json.text(index, "level"))"
            )
        }
        #expect(
            found.sorted() == [
                "path dsl ok", "path lte ok", "path usb problem", "route.default dsl ok",
                "route.default lte ok", "server.answer 192.0.2.3:7000 note", "server.answer dsl ok",
                "server.answer dsl ok", "server.answer lte ok", "server.answer lte ok",
            ], "\(run.output)")
        #expect(run.output.contains("it does not reach \(hosts.addresses[1]), which lte reaches"))
        #expect(run.output.contains("there is no interface 'usb9'; this host has lo, dsl, lte"))
    }
}
