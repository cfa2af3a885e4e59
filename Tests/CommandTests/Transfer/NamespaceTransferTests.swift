import Glibc
import Testing

/// `send` and `receive` on two hosts while interfaces vanish and return.
@Suite(
    .serialized,
    .enabled(if: TwoHosts.isPossible, "needs root, network namespaces, veth and iproute2"))
struct NamespaceTransferTests {
    private struct Transfer {
        let hosts: TwoHosts
        let folder = Scratch()
        let receiver: Pathwise
        let sender: Pathwise
        let bytes: [UInt8]

        /// - Parameters:
        ///   - listen: addresses of the receiver besides those of the hosts, or instead.
        ///   - options: of the sender.
        init(
            _ hosts: TwoHosts, megabytes: Int, paths: [String], listen: [String]? = nil,
            to: [String]? = nil, options: [String] = []
        ) throws {
            self.hosts = hosts
            let keys = try ["server.key", "client.key"].map { [folder] name in
                let run = try Pathwise.run("keygen", folder.file(name))
                return run.output.split(separator: "\n").first.map(String.init) ?? ""
            }
            var state: UInt64 = 9
            bytes = (0..<megabytes * 1_000_000).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            write(bytes, to: folder.file("data"))
            let receiver = try Pathwise(
                ["receive"] + (listen ?? hosts.addresses).flatMap { ["--listen", $0] } + [
                    "--key", folder.file("server.key"), "--allow", keys[1],
                    "--output", folder.file("arrived"), "--once",
                ], namespace: hosts.server)
            for _ in 0..<500 where !receiver.errorText.contains("listening") { usleep(20_000) }
            self.receiver = receiver
            sender = try Pathwise(
                ["send", folder.file("data")] + (to ?? hosts.addresses).flatMap { ["--to", $0] }
                    + options + [
                        "--key", folder.file("client.key"), "--peer", keys[0], "--json",
                    ] + paths.flatMap { ["--path", $0] }, namespace: hosts.client)
        }

        /// Waits for both ends; returns the sender's report.
        func finish() throws -> JSONReading {
            let sent = sender.wait()
            #expect(sent.status == 0, "\(sent.errors)")
            #expect(receiver.wait().status == 0)
            #expect(CommandTests.bytes(of: folder.file("arrived")) == bytes)
            return try JSONReading(sent)
        }
    }

    /// Causes of the changes of a path, in their order.
    private func causes(_ json: JSONReading, path: Int) throws -> [String] {
        try (0..<json.count("path_changes")).filter {
            try Int(json.number("path_changes", $0, "path")) == path
        }.map { try json.text("path_changes", $0, "cause") }
    }

    /// A path vanishes and returns with its interface while the transfer runs.
    @Test func interfaceThatGoesAndComes() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        // 15 MB at 25 Mbit/s: five seconds.
        let transfer = try Transfer(
            hosts, megabytes: 15, paths: ["dsl=dsl,limit=15mbit", "lte=lte,limit=10mbit"])
        usleep(1_000_000)
        hosts.set("dsl", "down")
        usleep(1_500_000)
        hosts.set("dsl", "up")
        let json = try transfer.finish()
        let dsl = try causes(json, path: 0)
        #expect(dsl.contains("removed"), "\(dsl)")
        #expect(dsl.filter { $0 == "added" }.count == 2, "\(dsl)")
        #expect(try json.count("paths") == 2)
        for index in 0..<2 {
            #expect(try json.text("paths", index, "state") == "active")
            #expect(try json.number("paths", index, "bytes_sent") > 1_000_000)
        }
    }

    /// Without `--path` every interface is a path, also one that is plugged in later.
    @Test func interfaceThatComesLater() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        hosts.set("lte", "down")
        // Slow enough to see the second path come.
        #expect(
            TwoHosts.shell(
                "ip netns exec \(hosts.client) tc qdisc add dev dsl root tbf rate 20mbit "
                    + "burst 20000 limit 100000"))
        let transfer = try Transfer(hosts, megabytes: 10, paths: [])
        usleep(1_000_000)
        hosts.set("lte", "up")
        let json = try transfer.finish()
        #expect(try json.count("paths") == 2)
        #expect(try json.text("paths", 1, "name") == "lte")
        #expect(try json.number("paths", 1, "bytes_sent") > 500_000)
        #expect(try causes(json, path: 1).first == "added")
    }

    /// The server answers only on IPv6; the path finds it in either order of the addresses.
    @Test(arguments: [true, false])
    func twoFamiliesOnOneInterface(isIPv4First: Bool) throws {
        let hosts = try TwoHosts(["dsl"])
        for (host, device, number) in [(hosts.client, "dsl", 1), (hosts.server, "w0", 2)] {
            #expect(
                TwoHosts.shell("ip -n \(host) -6 addr add fd00:9::\(number)/64 dev \(device) nodad")
            )
        }
        let six = "[fd00:9::2]:7000"
        let to = isIPv4First ? [hosts.addresses[0], six] : [six, hosts.addresses[0]]
        let json = try Transfer(hosts, megabytes: 1, paths: [], listen: [six], to: to).finish()
        #expect(try json.count("paths") == 1)
        #expect(try json.text("paths", 0, "remote") == six)
        #expect(try json.text("paths", 0, "name") == "dsl")
    }

    /// A packet filter drops packets to the first address, so that no error reports it.
    @Test func aSilentAddressIsLeftAfterASecond() throws {
        let hosts = try TwoHosts(["dsl"])
        #expect(TwoHosts.shell("ip -n \(hosts.server) addr add 192.0.2.9/26 dev w0"))
        // Proxied neighbours accept the packets, but no host exists.
        #expect(
            TwoHosts.shell(
                "ip -n \(hosts.client) neigh add 192.0.2.10 lladdr 02:00:00:00:00:77 dev dsl"))
        let json = try Transfer(
            hosts, megabytes: 1, paths: [], to: ["192.0.2.10:7000", hosts.addresses[0]]
        ).finish()
        #expect(try json.count("paths") == 1)
        #expect(try json.text("paths", 0, "remote") == hosts.addresses[0])
        #expect(try json.number("seconds") < 5)
    }

    @Test func linkLocalServerWithScope() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        for (host, device, number) in [(hosts.client, "lte", 1), (hosts.server, "w1", 2)] {
            #expect(
                TwoHosts.shell("ip -n \(host) -6 addr add fe80::\(number)/64 dev \(device) nodad"))
        }
        let json = try Transfer(
            hosts, megabytes: 1, paths: [], listen: ["[fe80::2%w1]:7000"],
            to: ["[fe80::2%lte]:7000"]
        ).finish()
        #expect(try json.count("paths") == 1)
        #expect(try json.text("paths", 0, "name") == "lte")
    }

    @Test func interfacesOfContainersAndExcludedOnesAreNoPaths() throws {
        let hosts = try TwoHosts(["dsl", "docker0", "tun7"])
        let json = try Transfer(
            hosts, megabytes: 1, paths: [], options: ["--exclude-interface", "tun*"]
        ).finish()
        #expect(try json.count("paths") == 1)
        #expect(try json.text("paths", 0, "name") == "dsl")
        // Unless they are named.
        let named = try Transfer(hosts, megabytes: 1, paths: ["d=docker0", "t=tun7"]).finish()
        #expect(try named.count("paths") == 2)
    }
}
