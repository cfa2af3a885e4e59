internal import PathNetwork
internal import PathTransport

/// One rule of what may be connected to, or listened on: `HOST:PORT` or `CIDR:PORTS`.
///
///     10.0.0.5:443   192.168.0.0/16:80-90   [2001:db8::/32]:*   studio:10080   *:443
///
/// A rule with a name means the addresses that the name has when it is used.
public struct AllowRule: Hashable, Sendable {
    /// The hosts of a rule.
    enum Hosts: Hashable, Sendable {
        case all
        /// The address has the network's family and its first bits.
        case network(SocketAddress, bits: Int)
        case name(String)
    }

    let hosts: Hosts
    let ports: ClosedRange<UInt16>

    init(_ hosts: Hosts, _ ports: ClosedRange<UInt16>) {
        self.hosts = hosts
        self.ports = ports
    }

    /// Whether a check may have to look a name up.
    var hasName: Bool { if case .name = hosts { true } else { false } }

    /// Reads what an option or a line allows: one rule, or `none` for no rule at all.
    ///
    /// - Throws: `malformedRule`, with what to write instead.
    public static func rules(parsing text: String) throws(ForwardError) -> [AllowRule] {
        text == "none" ? [] : [try AllowRule(parsing: text)]
    }

    /// Reads one rule.
    ///
    /// - Throws: `malformedRule`, with what to write instead.
    public init(parsing text: String) throws(ForwardError) {
        let form =
            "write HOST:PORT or NETWORK:PORTS, for example 10.0.0.0/8:443, "
            + "[2001:db8::/32]:80-90, studio:* or *:443, or 'none'"
        guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("]"),
            let ports = AllowRule.ports(text[text.index(after: colon)...])
        else { throw .malformedRule(text, form) }
        self.ports = ports
        var host = text[..<colon]
        if host == "*" {
            hosts = .all
            return
        }
        let isBracketed = host.first == "[" && host.last == "]"
        if isBracketed { host = host.dropFirst().dropLast() }
        let parts = host.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let network = SocketAddress(parsing: name, defaultPort: 0), network.port == 0,
            isBracketed == name.contains(":")
        else {
            let isName = parts.count == 1 && !isBracketed && Resolver.isHost(name)
            guard isName, !name.contains(where: { ":[]*".contains($0) }) else {
                throw .malformedRule(text, form)
            }
            hosts = .name(name)
            return
        }
        let width = network.family == .ipv4 ? 32 : 128
        var bits = width
        if parts.count == 2 {
            guard let given = AllowRule.number(parts[1]), Int(given) <= width else {
                throw .malformedRule(text, "a network has 0 to \(width) bits")
            }
            bits = Int(given)
        }
        guard AllowRule.hasOnly(network, bits: bits) else {
            throw .malformedRule(
                text, "the address has bits beyond the /\(bits) of its network; set them to zero")
        }
        hosts = .network(network, bits: bits)
    }

    /// Whether the rule allows an address.
    ///
    /// - Parameter addresses: looks a rule's name up; it may block.
    func allows(_ address: SocketAddress, addresses: (String) -> [SocketAddress]) -> Bool {
        guard ports.contains(address.port), !address.isUnspecified, !address.isMulticast else {
            return false
        }
        switch hosts {
        case .all: return true
        case .network(let network, let bits):
            return AllowRule.contains(network, bits: bits, address)
        case .name(let name):
            return addresses(name).contains { $0.with(port: address.port) == address }
        }
    }

    private static func contains(
        _ network: SocketAddress, bits: Int, _ address: SocketAddress
    ) -> Bool {
        guard network.family == address.family else { return false }
        let (high, low) = mask(bits, family: network.family)
        return (network.high ^ address.high) & high == 0 && (network.low ^ address.low) & low == 0
    }

    private static func hasOnly(_ network: SocketAddress, bits: Int) -> Bool {
        let (high, low) = mask(bits, family: network.family)
        return network.high & ~high == 0 && network.low & ~low == 0
    }

    /// Ones in the first bits of an address.
    private static func mask(
        _ bits: Int, family: SocketAddress.Family
    ) -> (high: UInt64, low: UInt64) {
        switch family {
        case .ipv4: (0, ones(bits) &>> 32)
        case .ipv6: (ones(bits), ones(bits - 64))
        }
    }

    private static func ones(_ count: Int) -> UInt64 {
        switch count {
        case ...0: 0
        case 64...: .max
        default: ~(UInt64.max &>> UInt64(count))
        }
    }

    private static func ports(_ text: Substring) -> ClosedRange<UInt16>? {
        if text == "*" { return 0...UInt16.max }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = number(ends[0]), let last = number(ends[ends.count - 1]), first <= last,
            first > 0
        else { return nil }
        return first...last
    }

    private static func number(_ text: Substring) -> UInt16? {
        text.utf8.allSatisfy { (48...57).contains($0) } ? UInt16(text) : nil
    }
}

extension AllowRule: CustomStringConvertible {
    /// The rule as it is written; parsing it gives the same value.
    public var description: String {
        let range =
            ports == 0...UInt16.max
            ? "*"
            : ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
        switch hosts {
        case .all: return "*:\(range)"
        case .name(let name): return "\(name):\(range)"
        case .network(let network, let bits):
            let width = network.family == .ipv4 ? 32 : 128
            let text = bits == width ? network.host : "\(network.host)/\(bits)"
            return network.family == .ipv4 ? "\(text):\(range)" : "[\(text)]:\(range)"
        }
    }
}
