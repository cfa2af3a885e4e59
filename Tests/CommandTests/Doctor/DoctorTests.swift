import Glibc
import PathNetwork
import PathTransport
import Testing

@testable import PathwiseCommand

/// The checks of `pathwise doctor` with facts of invented hosts.
struct DoctorTests {
    private let root = Scratch()

    private func put(_ path: String, _ text: String) {
        var folder = root.path
        for part in path.split(separator: "/").dropLast() {
            folder += "/" + part
            mkdir(folder, 0o755)
        }
        write(Array((text + "\n").utf8), to: root.path + path)
    }

    private func link(
        _ name: String, _ index: Int, flags: String = "0x1003", carrier: String? = "1",
        mtu: Int = 1500
    ) {
        let folder = "/sys/class/net/\(name)"
        put("\(folder)/flags", flags)
        put("\(folder)/ifindex", "\(index)")
        put("\(folder)/mtu", "\(mtu)")
        if let carrier { put("\(folder)/carrier", carrier) }
    }

    private func address(_ text: String) -> SocketAddress {
        SocketAddress(parsing: text, defaultPort: 0) ?? .loopback(port: 0)
    }

    /// The facts of a host on which every interface has a route, and packets leave by `free`.
    private func facts(
        _ addresses: [String: [String]], free: UInt32 = 2, bound: [UInt32] = [2, 3],
        bindingProblem: NetworkError? = nil
    ) -> HostFacts {
        let router = address("192.0.2.1")
        return HostFacts(
            links: HostFacts.links(
                root: root.path, addresses: addresses.mapValues { $0.map(address) }),
            root: root.path,
            route: { _, _, through in
                through == 0
                    ? HostInquiry.Route(interface: free, gateway: router)
                    : bound.contains(through)
                        ? HostInquiry.Route(interface: through, gateway: router) : nil
            },
            bindingProblem: { _ in bindingProblem },
            buffers: (8 << 20, 4 << 20), wantedBuffers: (8 << 20, 4 << 20),
            offloads: (true, true), isClockSynchronised: true, monotonic: [1, 1, 2],
            openFiles: 65_536, lockedMemory: 1 << 20, processors: 4)
    }

    private func findings(_ facts: HostFacts) -> [Finding] {
        PathChecks.findings(facts, to: PathChecks.internet) + SystemChecks.findings(facts)
    }

    private func only(_ check: Finding.Check, _ facts: HostFacts) throws -> Finding {
        let found = findings(facts).filter { $0.id == check }
        #expect(found.count == 1, "\(found)")
        return try #require(found.first)
    }

    private func healthyHost() {
        link("eth0", 2)
        link("lo", 1, flags: "0x49")
        link("docker0", 9)
        put("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0")
        put("/proc/sys/net/ipv4/conf/all/rp_filter", "0")
        put("/proc/loadavg", "0.10 0.20 0.30 1/100 5")
    }

    @Test func aHealthyHostHasNoProblems() {
        healthyHost()
        let found = findings(facts(["eth0": ["198.51.100.7", "2001:db8::7"]]))
        #expect(found.allSatisfy { $0.level == .ok }, "\(found.filter { $0.level != .ok })")
        #expect(!found.contains { $0.subject == "docker0" || $0.subject == "lo" })
        let report = DoctorReport(findings: found)
        #expect(
            report.text.hasPrefix("ok       eth0: up, with carrier; 198.51.100.7, 2001:db8::7\n"))
        #expect(report.text.hasSuffix("\n0 problems, 0 notes\n"))
    }

    @Test func interfacesThatCannotCarryPaths() throws {
        healthyHost()
        link("eth1", 3, flags: "0x1002")
        link("eth2", 4, carrier: "0")
        link("eth3", 5)
        let found = findings(facts(["eth0": ["198.51.100.7"]])).filter { $0.id == .interface }
        #expect(found.map(\.subject) == ["eth0", "eth1", "eth2", "eth3"])
        #expect(found.map(\.level) == [.ok, .note, .note, .note])
        #expect(found[1].what == "it is down" && found[1].fix == "ip link set dev eth1 up")
        #expect(found[2].what.contains("no carrier"))
        #expect(found[3].what.contains("no address"))
        let none = findings(facts([:])).filter { $0.id == .interface && $0.subject.isEmpty }
        #expect(none.map(\.level) == [.problem])
        #expect(try only(.binding, facts([:])).what == "not checked: no interface is usable")
    }

    @Test(arguments: [(1279, Finding.Level.problem), (1280, .ok), (9000, .ok)])
    func interfaceMTU(mtu: Int, level: Finding.Level) throws {
        healthyHost()
        link("eth0", 2, mtu: mtu)
        let finding = try only(.mtu, facts(["eth0": ["198.51.100.7"]]))
        #expect(finding.level == level)
        #expect(finding.fix == (level == .ok ? nil : "ip link set dev eth0 mtu 1500"))
    }

    /// The second interface has no route, or one that only a bound socket takes.
    @Test func routesOfTwoInterfaces() throws {
        healthyHost()
        link("lte0", 3)
        let addresses = ["eth0": ["198.51.100.7"], "lte0": ["203.0.113.9"]]
        let missing = findings(facts(addresses, bound: [2])).filter { $0.subject == "lte0" }
        let route = try #require(missing.first { $0.id == .route })
        #expect(route.level == .problem)
        #expect(route.what == "no route leads from 203.0.113.9 through it to 1.1.1.1")
        #expect(
            route.fix == "ip route add default via ROUTER dev lte0 table 103 && "
                + "ip rule add from 203.0.113.9 table 103 (ROUTER is the address of its router)")
        #expect(!missing.contains { $0.id == .sourceRoute })
        let fix =
            "ip route add default via 192.0.2.1 dev lte0 table 103 && "
            + "ip rule add from 203.0.113.9 table 103"
        for (problem, level) in [
            (nil, Finding.Level.note),
            (NetworkError.system(.bindToInterface, target: "lte0", code: EPERM), .problem),
        ] {
            let found = findings(facts(addresses, bindingProblem: problem))
            let source = found.filter { $0.id == .sourceRoute }
            #expect(source.map(\.subject) == ["eth0", "lte0"])
            #expect(source.map(\.level) == [.ok, level])
            #expect(source[1].fix == fix)
            let binding = try #require(found.first { $0.id == .binding })
            #expect(binding.level == (problem == nil ? .ok : .problem))
        }
    }

    @Test(arguments: [
        ("0", "0", Finding.Level.ok), ("2", "1", .ok), ("0", "2", .ok), ("1", "0", .problem),
        ("0", "1", .problem), ("1", "1", .problem), ("1", "2", .ok),
    ])
    func reversePathFilter(all: String, own: String, level: Finding.Level) throws {
        healthyHost()
        link("lte0", 3)
        put("/proc/sys/net/ipv4/conf/all/rp_filter", all)
        put("/proc/sys/net/ipv4/conf/lte0/rp_filter", own)
        let found = findings(facts(["eth0": ["198.51.100.7"], "lte0": ["203.0.113.9"]]))
            .filter { $0.id == .reversePath && $0.subject == "lte0" }
        #expect(found.map(\.level) == [level])
        #expect(
            found.first?.fix
                == (level == .ok ? nil : "sysctl -w net/ipv4/conf/lte0/rp_filter=2"))
        // With one interface the value does not matter.
        #expect(!findings(facts(["eth0": ["198.51.100.7"]])).contains { $0.id == .reversePath })
    }

    @Test(arguments: [
        ("10.1.2.3", "a private address"), ("172.16.0.1", "a private address"),
        ("192.168.1.2", "a private address"), ("100.64.0.1", "CGNAT"), ("100.128.0.1", ""),
        ("172.32.0.1", ""), ("198.51.100.7", ""),
    ])
    func addressesBehindNAT(own: String, kind: String) {
        healthyHost()
        let found = findings(facts(["eth0": [own]])).filter { $0.id == .nat }
        #expect(found.isEmpty == kind.isEmpty)
        #expect(found.allSatisfy { $0.level == .note && $0.what.contains(kind) })
    }

    @Test func ipv6() throws {
        healthyHost()
        #expect(
            try only(.ipv6, facts(["eth0": ["198.51.100.7"]])).what
                == "no interface has a global IPv6 address")
        put("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1")
        let off = try only(.ipv6, facts(["eth0": ["2001:db8::7"]]))
        #expect(off.level == .note && off.fix == "sysctl -w net.ipv6.conf.all.disable_ipv6=0")
    }

    @Test func systemLimits() throws {
        healthyHost()
        var poor = facts(["eth0": ["198.51.100.7"]])
        poor.buffers = (212_992, 212_992)
        poor.offloads = (false, false)
        poor.isClockSynchronised = false
        poor.monotonic = [3, 2]
        poor.openFiles = 1024
        poor.lockedMemory = 0
        poor.processors = 1
        put("/proc/loadavg", "7.00 1 1 1/1 1")
        #expect(try only(.receiveBuffer, poor).fix == "sysctl -w net.core.rmem_max=8388608")
        #expect(try only(.sendBuffer, poor).fix == "sysctl -w net.core.wmem_max=4194304")
        #expect(try only(.segmentation, poor).level == .note)
        #expect(try only(.joining, poor).level == .note)
        #expect(try only(.monotonic, poor).level == .problem)
        #expect(try only(.synchronised, poor).fix == "timedatectl set-ntp true")
        #expect(try only(.openFiles, poor).fix == "ulimit -n 65536")
        #expect(try only(.lockedMemory, poor).level == .note)
        #expect(try only(.processors, poor).what == "1 processor, load 7.00")
        poor.monotonic = [2, 2, 2]
        #expect(try only(.monotonic, poor).level == .problem)
        poor.buffers = nil
        #expect(try only(.receiveBuffer, poor).level == .problem)
    }

    /// A finding with a reason and a remedy has one line for each.
    @Test func threeLines() {
        let finding = Finding(.mtu, .problem, "eth0", "its MTU is 900", fix: "do this")
        #expect(
            finding.lines == [
                "problem  eth0: its MTU is 900",
                "         why: the first packets have 1,200 bytes; with headers they need an MTU "
                    + "of 1,280",
                "         fix: do this",
            ])
        #expect(Set(Finding.Check.allCases.map(\.rawValue)).count == Finding.Check.allCases.count)
    }

    @Test func wrongArguments() throws {
        let together =
            "pathwise: give --to, --key and --peer together, or only --to; "
            + "see 'pathwise doctor --help'"
        for arguments in [
            ["doctor", "--key", "k"], ["doctor", "--to", "127.0.0.1:1", "--peer", "p"],
            ["doctor", "--key", "k", "--peer", "p"],
        ] {
            let run = try Pathwise(arguments).wait()
            #expect(run.status == 64)
            #expect(run.errorLine == together)
        }
        let run = try Pathwise.run("doctor", "--to", "nonsense")
        #expect(run.status == 64)
        #expect(run.errorLine?.hasPrefix("pathwise: --to 'nonsense': ") == true)
    }

    /// Without options the only server that was joined is asked; of two, none.
    @Test func theOnlyServerIsAsked() throws {
        let server = try RunningServer.joined()
        func checks() throws -> [String] {
            let run = try Pathwise(
                ["doctor", "--json", "--state", server.folder.file("van")]
            ).wait()
            let json = try JSONReading(list: run)
            return try (0..<json.count()).map { try json.text($0, "id") }
        }
        #expect(try checks().contains("server.session"))
        let token = try server.invite()
        #expect(try server.join(token, host: "van", "--name", "other").status == 0)
        #expect(try !checks().contains { $0.hasPrefix("server.") })
    }

    /// A receiver on this host answers the question without a key, and one that ended does not.
    @Test func aServerIsAsked() throws {
        let keys = try KeyPairs()
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("out"))
        func answers(_ more: [String]) throws -> [String] {
            let run = try Pathwise(
                ["doctor", "--json", "--to", receiver.ports[0]] + more
            ).wait()
            #expect(run.errors.isEmpty, "\(run.errors)")
            let json = try JSONReading(list: run)
            return try (0..<json.count()).filter {
                try json.text($0, "id").hasPrefix("server.")
            }.map {
                "\(try json.text($0, "id")) \(try json.text($0, "level"))"
            }
        }
        let reached = ["server.answer ok", "server.mtu ok", "server.nat ok", "server.ecn ok"]
        #expect(try answers([]) == reached)
        #expect(
            try answers(["--key", keys.clientFile, "--peer", keys.server])
                == reached + ["server.session ok", "server.mtu ok"])
        // Another key is refused.
        #expect(
            try answers(["--key", keys.serverFile, "--peer", keys.server]).contains(
                "server.session problem"))
        receiver.process.interrupt()
        _ = receiver.process.wait()
        #expect(try answers([]) == ["server.answer problem"])
        let run = try Pathwise.run("doctor", "--to", receiver.ports[0])
        #expect(run.status == 69)
        #expect(run.output.contains("problem  path1: \(receiver.ports[0]) is unreachable: "))
    }
}
