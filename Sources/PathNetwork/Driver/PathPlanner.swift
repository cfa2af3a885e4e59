internal import Glibc
public import PathTelemetry
public import PathTransport

/// Derives paths from the user's rules and the host's interfaces, now and after every change of the
/// interfaces.
public struct PathPlanner: Sendable {
    /// The interface or address from which a path leaves the host.
    public enum Source: Hashable, Sendable {
        case interface(String)
        case address(SocketAddress)
        /// The system chooses.
        case any
    }

    /// One path as the user asked for it.
    public struct Rule: Hashable, Sendable {
        public var name: String
        public var source: Source
        /// The server's address for this path; nil means the servers in turn.
        public var remote: SocketAddress?
        public var traits: PathTraits

        public init(
            name: String, source: Source, remote: SocketAddress? = nil,
            traits: PathTraits = PathTraits()
        ) {
            self.name = name
            self.source = source
            self.remote = remote
            self.traits = traits
        }
    }

    /// Addresses of the server, in the order given.
    public var remotes: [SocketAddress]
    /// Requested paths; if there are none, every usable interface becomes one.
    public var rules: [Rule]

    /// Name patterns of interfaces that do not become paths automatically, with `*` and `?` as in
    /// file names.
    public var excluded: [String]

    /// Bridges and virtual interfaces of containers and virtual machines, which lead to other
    /// programs on this host and not into a network.
    public static let containerInterfaces = [
        "docker*", "br-*", "veth*", "virbr*", "vnet*", "cni*", "podman*", "flannel*", "cali*",
        "lxc*", "lxdbr*",
    ]

    /// Tunnels, which may carry what this program forwards: as a path, a tunnel would carry itself.
    public static let tunnelInterfaces = ["wg*", "tun*", "tap*", "tailscale*", "zt*"]

    /// - Parameters:
    ///   - remotes: a duplicate address counts once.
    ///   - excluded: patterns besides `containerInterfaces` and `tunnelInterfaces`.
    public init(remotes: [SocketAddress], rules: [Rule] = [], excluded: [String] = []) {
        self.remotes = []
        for remote in remotes where !self.remotes.contains(remote) { self.remotes.append(remote) }
        self.rules = rules
        self.excluded =
            excluded + PathPlanner.containerInterfaces + PathPlanner.tunnelInterfaces
    }

    /// The interfaces that would become paths if their names were not excluded.
    public func leftOut(_ interfaces: [NetworkInterface]) -> [String] {
        interfaces.filter {
            !$0.isLoopback && isExcluded($0) && plan(automaticRule($0), number: 0, [$0]) != nil
        }.map(\.name)
    }

    /// Whether an interface leads to containers or virtual machines of this host, by its name.
    public static func leadsToContainers(_ interface: NetworkInterface) -> Bool {
        containerInterfaces.contains { unsafe fnmatch($0, interface.name, 0) == 0 }
    }

    private func isExcluded(_ interface: NetworkInterface) -> Bool { excludes(interface.name) }

    /// Whether an interface of this name does not become a path by itself.
    public func excludes(_ name: String) -> Bool {
        excluded.contains { unsafe fnmatch($0, name, 0) == 0 }
    }

    private func automaticRule(_ interface: NetworkInterface) -> Rule {
        Rule(name: interface.name, source: .interface(interface.name))
    }

    /// The possible paths with the given interfaces, at most `PathID.limit`.
    public func plans(_ interfaces: [NetworkInterface]) -> [PathPlan] {
        guard !remotes.isEmpty else { return [] }
        let all =
            rules.isEmpty
            ? automatic(interfaces)
            : rules.indices.compactMap { plan(rules[$0], number: $0, interfaces) }
        return Array(all.prefix(PathID.limit))
    }

    /// Makes one path per usable interface that is not excluded; for a server on this host, one
    /// path per server address.
    private func automatic(_ interfaces: [NetworkInterface]) -> [PathPlan] {
        if remotes.allSatisfy(\.isLoopback) {
            return remotes.enumerated().map {
                PathPlan(name: "path\($0 + 1)", remote: $1)
            }
        }
        var plans: [PathPlan] = []
        for interface in interfaces where !interface.isLoopback && !isExcluded(interface) {
            let rule = automaticRule(interface)
            // The interface's own number is used, so that a path does not change because another
            // one vanished.
            if let plan = plan(rule, number: Int(interface.index), interfaces) {
                plans.append(plan)
            }
        }
        return plans
    }

    private func plan(
        _ rule: Rule, number: Int, _ interfaces: [NetworkInterface]
    ) -> PathPlan? {
        let choices = rule.remote.map { [$0] } ?? rotated(by: number)
        let ways: [PathPlan.Way]
        var name: String?
        switch rule.source {
        case .any: ways = choices.map { PathPlan.Way(remote: $0) }
        case .interface(let wanted):
            guard let interface = interfaces.first(where: { $0.name == wanted }) else { return nil }
            name = wanted
            // Addresses that need no router come first.
            let near = choices.filter { remote in
                interface.addresses.contains { $0.isOnLink(remote) }
            }
            ways = (near + choices.filter { !near.contains($0) }).compactMap(interface.way(to:))
        case .address(let local):
            let isThere = interfaces.contains { interface in
                (interface.addresses + interface.linkLocalAddresses).contains {
                    $0.address.host == local.host
                }
            }
            // All of 127.0.0.0/8 exists without being listed.
            guard isThere || local.isLoopback else { return nil }
            ways = choices.filter { $0.family == local.family }.map {
                PathPlan.Way(local: local, remote: $0)
            }
        }
        guard !ways.isEmpty else { return nil }
        return PathPlan(name: rule.name, interface: name, ways: ways, traits: rule.traits)
    }

    private func rotated(by number: Int) -> [SocketAddress] {
        let start = number % remotes.count
        return Array(remotes[start...] + remotes[..<start])
    }
}

extension InterfaceAddress {
    /// Whether another address is in the same network, so that it is reached without a router.
    func isOnLink(_ other: SocketAddress) -> Bool {
        guard other.family == address.family, prefixLength > 0 else { return false }
        let one = address.addressBytes
        let two = other.addressBytes
        let length = address.family == .ipv4 ? 32 : 128
        for bit in 0..<min(prefixLength, length) {
            let mask: UInt8 = 0x80 >> UInt8(bit % 8)
            if (one[bit / 8] ^ two[bit / 8]) & mask != 0 { return false }
        }
        return true
    }
}
