internal import PathNetwork
package import PathTransport

/// What a peer may have this side connect to, and listen on.
public struct ForwardRules: Hashable, Sendable {
    /// Targets of connections and datagrams.
    public var connecting: [AllowRule]
    /// Addresses that the peer may have this side listen on.
    public var listening: [AllowRule]
    /// Addresses of this process that no rule allows, as that of a page without a token, which is for
    /// users of this host.
    package var withheld: Set<SocketAddress> = []

    /// By default a peer reaches this host's loopback only, and listens there from port 1024 on.
    public init(
        connecting: [AllowRule] = AllowRule.loopback(0...65_535),
        listening: [AllowRule] = AllowRule.loopback(1024...65_535)
    ) {
        self.connecting = connecting
        self.listening = listening
    }

    /// The port that has to be allowed where the system chooses one.
    private static let listenerOfSystem: UInt16 = 32_768

    /// Rules that allow nothing.
    public static let none = ForwardRules(connecting: [], listening: [])

    /// Whether a check may have to look a name up.
    var hasNames: Bool {
        connecting.contains(where: \.hasName) || listening.contains(where: \.hasName)
    }

    /// Whether a connection or datagrams to this address are allowed; may look up the names of
    /// rules, so it can block.
    func allowConnecting(to address: SocketAddress) -> Bool {
        address.port != 0 && !withheld.contains(address) && ForwardRules.allow(address, connecting)
    }

    /// Whether a listener on this address is allowed; it can block, as `allowConnecting`.
    ///
    /// Port 0, which the system chooses, needs the port `listenerOfSystem`.
    func allowListening(on address: SocketAddress) -> Bool {
        let wanted =
            address.port == 0 ? address.with(port: ForwardRules.listenerOfSystem) : address
        // An unspecified address listens on all others, so only a rule for all hosts allows it.
        if wanted.isUnspecified {
            return listening.contains {
                $0.coversAllHosts(of: wanted.family) && $0.ports.contains(wanted.port)
            }
        }
        return ForwardRules.allow(wanted, listening)
    }

    /// Why a target is denied, and what permits it.
    ///
    /// - Parameters:
    ///   - target: as it was asked for.
    ///   - addresses: that it has.
    ///   - text: what the rules do not allow.
    func denial(
        of target: ForwardTarget, at addresses: [SocketAddress], _ text: String
    ) -> ForwardResult {
        if addresses.contains(where: withheld.contains) {
            return ForwardResult(
                .denied,
                "\(target) is this server's page, which clients reach only with a token; "
                    + "start it with --http-token")
        }
        // Some texts, as 0, are no address and have one nevertheless.
        let known = addresses.isEmpty ? target.address.map { [$0] } ?? [] : addresses
        let isNever =
            target.port == 0
            || !known.isEmpty && known.allSatisfy { $0.isUnspecified || $0.isMulticast }
        let way =
            isNever
            ? "no rule can, as it is no address of one host and port"
            : "to permit it: serve --forward-allow \(target), or allow=\(target) in the client's line"
        return ForwardResult(.denied, "the rules do not allow \(text); \(way)")
    }

    /// Why a listener is denied, and what permits it.
    static func denial(ofListeningOn address: SocketAddress) -> ForwardResult {
        let port = address.port == 0 ? listenerOfSystem : address.port
        let rule = address.isUnspecified ? "*:\(port)" : "\(address.with(port: port))"
        return ForwardResult(
            .denied,
            "the rules do not allow to listen on \(address); to permit it: serve --reverse-allow "
                + "\(rule), or listen=\(rule) in the client's line")
    }

    private static func allow(_ address: SocketAddress, _ rules: [AllowRule]) -> Bool {
        rules.contains { rule in
            rule.allows(address) { (try? Resolver.resolve(host: $0, port: address.port)) ?? [] }
        }
    }
}

extension AllowRule {
    /// Rules for the loopback addresses of both families.
    public static func loopback(_ ports: ClosedRange<UInt16>) -> [AllowRule] {
        [
            AllowRule(.network(SocketAddress(ipv4: 0x7f00_0000, port: 0), bits: 8), ports),
            AllowRule(
                .network(SocketAddress(ipv6High: 0, low: 1, port: 0), bits: 128), ports),
        ]
    }

    /// Whether every address of the family is allowed.
    func coversAllHosts(of family: SocketAddress.Family) -> Bool {
        switch hosts {
        case .all: true
        case .network(let network, let bits): bits == 0 && network.family == family
        case .name: false
        }
    }
}
