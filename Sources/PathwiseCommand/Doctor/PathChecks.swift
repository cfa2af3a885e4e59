import PathNetwork
import PathTransport

/// Checks of interfaces and routes.
enum PathChecks {
    /// Addresses of the internet, to which only routes are looked up.
    static let internet = ["1.1.1.1:443", "[2606:4700:4700::1111]:443"]
        .compactMap { SocketAddress(parsing: $0) }

    /// - Parameter destinations: addresses of the server, or of the internet.
    static func findings(_ facts: HostFacts, to destinations: [SocketAddress]) -> [Finding] {
        var findings = facts.links.flatMap { interface($0) }
        if facts.uplinks.isEmpty {
            findings.append(
                Finding(
                    .interface, .problem, "no interface can carry a path",
                    fix: "ip link set dev NAME up, and configure an address"))
        }
        for link in facts.uplinks { findings += routes(link, facts, destinations) }
        findings.append(ipv6(facts))
        return findings
    }

    // MARK: paths that were asked for

    /// The paths of the command line, each with its interface or why it has none.
    static func findings(
        of planner: PathPlanner, _ interfaces: [NetworkInterface]
    ) -> [Finding] {
        let plans = planner.plans(interfaces)
        return planner.rules.map { rule in
            guard !plans.contains(where: { $0.name == rule.name }) else {
                return Finding(.path, .ok, rule.name, "its interface or address exists")
            }
            let cause = planner.cause(of: rule, interfaces)
            guard !planner.remotes.isEmpty || rule.remote != nil || !cause.isAboutServer else {
                return Finding(.path, .ok, rule.name, "its interface or address exists")
            }
            return Finding(.path, .problem, rule.name, "\(cause)", fix: "ip address")
        }
    }

    // MARK: interfaces

    private static func interface(_ link: HostFacts.Link) -> [Finding] {
        func unusable(_ what: String, _ fix: String) -> [Finding] {
            [Finding(.interface, .note, link.name, what, fix: fix)]
        }
        let name = link.name
        guard link.isUp else { return unusable("it is down", "ip link set dev \(name) up") }
        guard link.hasCarrier else {
            return unusable(
                "it is up, but has no carrier; connect its cable, modem or network",
                "ip link show dev \(name)")
        }
        guard !link.addresses.isEmpty else {
            return unusable(
                "it has no address that is valid beyond the link",
                "ip address add ADDRESS/PREFIX dev \(name), or start its DHCP client")
        }
        let list = link.addresses.map(\.host).joined(separator: ", ")
        var findings = [Finding(.interface, .ok, name, "up, with carrier; \(list)")]
        findings.append(
            link.mtu < 1280
                ? Finding(
                    .mtu, .problem, name, "its MTU is \(link.mtu)",
                    fix: "ip link set dev \(name) mtu 1500")
                : Finding(.mtu, .ok, name, "MTU \(link.mtu)"))
        return findings
    }

    // MARK: routes

    private static func routes(
        _ link: HostFacts.Link, _ facts: HostFacts, _ destinations: [SocketAddress]
    ) -> [Finding] {
        var findings: [Finding] = []
        for family in [SocketAddress.Family.ipv4, .ipv6] {
            // A path needs a route to one of the server's addresses.
            let candidates = destinations.filter { $0.family == family }
            guard let own = link.addresses(of: family).first,
                let destination = candidates.first(where: {
                    facts.route($0, own, link.index) != nil
                }) ?? candidates.first
            else { continue }
            let bound = facts.route(destination, own, link.index)
            let free = facts.route(destination, own, 0)
            let leavesHere = free?.interface == link.index
            guard bound != nil else {
                // A route of IPv6 is often missing on purpose.
                let isOnly = link.addresses(of: .ipv4).isEmpty || family == .ipv4
                findings.append(
                    Finding(
                        .route, isOnly ? .problem : .note, link.name,
                        "no route leads from \(own.host) through it to \(destination.host)",
                        fix: commands(link, own, router: nil, isOnly: facts.uplinks.count == 1)))
                continue
            }
            findings.append(
                Finding(.route, .ok, link.name, "a route leads to \(destination.host)"))
            if facts.uplinks.count > 1 {
                findings.append(sourceRoute(link, own, bound?.gateway, leavesHere, facts))
            }
            if family == .ipv4, facts.uplinks.count > 1 {
                findings.append(reversePath(link, leavesHere, facts))
            }
            if let nat = nat(own, destination) { findings.append(nat) }
        }
        return findings
    }

    private static func sourceRoute(
        _ link: HostFacts.Link, _ own: SocketAddress, _ router: SocketAddress?,
        _ leavesHere: Bool, _ facts: HostFacts
    ) -> Finding {
        guard !leavesHere else {
            return Finding(
                .sourceRoute, .ok, link.name, "packets from \(own.host) leave by it")
        }
        let fix = commands(link, own, router: router, isOnly: false, hasRouter: true)
        guard facts.bindingProblem(link.name) == nil else {
            return Finding(
                .sourceRoute, .problem, link.name,
                "packets from \(own.host) leave by another interface", fix: fix)
        }
        return Finding(
            .sourceRoute, .note, link.name,
            "packets from \(own.host) leave by another interface, unless their socket is bound to "
                + "this one, as 'send' and 'forward' do and 'serve' does not", fix: fix)
    }

    /// The commands that lead packets of an address out of its interface.
    ///
    /// - Parameter hasRouter: whether the router is known, or known not to be needed.
    private static func commands(
        _ link: HostFacts.Link, _ own: SocketAddress, router: SocketAddress?, isOnly: Bool,
        hasRouter: Bool = false
    ) -> String {
        let ip = own.family == .ipv4 ? "ip" : "ip -6"
        let via = hasRouter ? router.map { " via \($0.host)" } ?? "" : " via ROUTER"
        let hint = hasRouter ? "" : " (ROUTER is the address of its router)"
        guard !isOnly else { return "\(ip) route add default\(via) dev \(link.name)\(hint)" }
        let table = 100 + link.index
        return "\(ip) route add default\(via) dev \(link.name) table \(table) && "
            + "\(ip) rule add from \(own.host) table \(table)\(hint)"
    }

    /// The kernel uses the larger one of an interface's value and that of all interfaces.
    private static func reversePath(
        _ link: HostFacts.Link, _ leavesHere: Bool, _ facts: HostFacts
    ) -> Finding {
        let folder = "/proc/sys/net/ipv4/conf/"
        let value = max(
            facts.number("\(folder)all/rp_filter") ?? 0,
            facts.number("\(folder)\(link.name)/rp_filter") ?? 0)
        guard value == 1 else {
            return Finding(.reversePath, .ok, link.name, "rp_filter is \(value)")
        }
        // In this form a name may have dots.
        let fix = "sysctl -w net/ipv4/conf/\(link.name)/rp_filter=2"
        return leavesHere
            ? Finding(
                .reversePath, .note, link.name,
                "rp_filter is 1 (strict), and works only with the present routes", fix: fix)
            : Finding(
                .reversePath, .problem, link.name,
                "rp_filter is 1 (strict), and the route back leads elsewhere", fix: fix)
    }

    // MARK: families

    private static func ipv6(_ facts: HostFacts) -> Finding {
        guard facts.number("/proc/sys/net/ipv6/conf/all/disable_ipv6") == 0 else {
            return Finding(
                .ipv6, .note, "IPv6 is switched off, or not in the kernel",
                fix: "sysctl -w net.ipv6.conf.all.disable_ipv6=0")
        }
        let names = facts.uplinks.filter { !$0.addresses(of: .ipv6).isEmpty }.map(\.name)
        guard let destination = internet.first(where: { $0.family == .ipv6 }), !names.isEmpty
        else {
            return Finding(.ipv6, .note, "no interface has a global IPv6 address")
        }
        guard facts.route(destination, nil, 0) != nil else {
            return Finding(
                .ipv6, .note, "there are IPv6 addresses, but no route to the internet",
                fix: "ip -6 route add default via ROUTER dev \(names[0])")
        }
        return Finding(.ipv6, .ok, "IPv6 on \(names.joined(separator: ", "))")
    }

    /// A private address needs a translator on the way to a public one.
    private static func nat(_ own: SocketAddress, _ destination: SocketAddress) -> Finding? {
        guard own.family == .ipv4, let kind = AddressKind(own), AddressKind(destination) == nil
        else { return nil }
        return Finding(
            .nat, .note, own.host,
            "it is \(kind.rawValue), so a NAT translates it")
    }
}

/// Ranges of IPv4 that are not reached from the internet (RFC 1918, RFC 6598).
enum AddressKind: String {
    case privateNetwork = "a private address"
    case carrierNAT = "an address behind the provider's NAT (CGNAT)"

    init?(_ address: SocketAddress) {
        guard address.family == .ipv4 else { return nil }
        let bytes = address.addressBytes
        switch (bytes[0], bytes[1]) {
        case (10, _), (172, 16...31), (192, 168): self = .privateNetwork
        case (100, 64...127): self = .carrierNAT
        default: return nil
        }
    }
}
