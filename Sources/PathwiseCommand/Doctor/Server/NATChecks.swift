import PathNetwork
import PathTransport

/// Whether a translator (NAT) is on the way of a path, and how it maps addresses: RFC 4787, section
/// 4, by the comparison of RFC 5780, section 4.3.
enum NATChecks {
    /// How the address that a server sees depends on which address of the server is asked.
    enum Mapping: Equatable {
        /// One address for all, of which some differ in more than the port.
        case endpointIndependent
        /// One address for several ports of one address; other addresses were not compared.
        case sameForPorts
        /// Another one for each address of the server; ports were not compared.
        case addressDependent
        /// Another one for each port of an address.
        case addressAndPortDependent
        /// Only one address of the server could be asked.
        case unknown

        var text: String {
            switch self {
            case .endpointIndependent:
                "the same for all addresses of the server (endpoint-independent mapping)"
            case .sameForPorts: "the same for several ports of the server"
            case .addressDependent:
                "another one for each address of the server (address-dependent "
                    + "mapping)"
            case .addressAndPortDependent:
                "another one for each port of the server (address- and port-dependent mapping)"
            case .unknown:
                "whether it depends on the server's address is not checked, as one address answers"
            }
        }
    }

    /// One finding for each socket of the path that a server has seen.
    static func findings(_ path: ProbedPath) -> [Finding] {
        guard !path.answering.isEmpty else { return [] }
        var sockets: [SocketAddress] = []
        for way in path.ways where way.report != nil && !sockets.contains(way.local) {
            sockets.append(way.local)
        }
        guard !sockets.isEmpty else {
            return [
                Finding(
                    .serverNAT, .note, path.name,
                    "not checked: the server is older and does not tell the address that it sees")
            ]
        }
        return sockets.map { local in
            finding(local, path.ways.filter { $0.local == local && $0.report != nil }, path)
        }
    }

    private static func finding(
        _ local: SocketAddress, _ ways: [ReachProbe.Way], _ path: ProbedPath
    ) -> Finding {
        let seen = ways.compactMap(\.report?.source)
        guard let first = seen.first, !seen.allSatisfy({ isSame($0, local) }) else {
            return Finding(
                .serverNAT, .ok, path.name,
                "no NAT: the server sees \(seen.first?.description ?? "it") as this host does")
        }
        var text =
            "a NAT shows \(local.isUnspecified ? "port \(local.port)" : "\(local)") as \(first), "
            + mapping(ways).text
        text +=
            seen.allSatisfy { $0.port == local.port }
            ? "; it keeps the port" : "; it changes the port"
        if let other = path.second, other.local.family == local.family,
            let source = other.report?.source, source.host != first.host
        {
            text += "; another socket leaves from another address of it, \(source.host)"
        }
        return Finding(.serverNAT, .note, path.name, text)
    }

    /// Whether what the server saw is the socket's own address; an unspecified one has only a port.
    private static func isSame(_ seen: SocketAddress, _ local: SocketAddress) -> Bool {
        local.isUnspecified ? seen.port == local.port : seen == local.with(scope: 0)
    }

    /// - Parameter ways: from one socket, each with a report.
    static func mapping(_ ways: [ReachProbe.Way]) -> Mapping {
        var result = Mapping.unknown
        for (index, one) in ways.enumerated() {
            for other in ways[..<index] {
                let isPort = one.remote.host == other.remote.host
                guard one.report?.source != other.report?.source else {
                    if !isPort, result != .addressDependent { result = .endpointIndependent }
                    if isPort, result == .unknown { result = .sameForPorts }
                    continue
                }
                if isPort { return .addressAndPortDependent }
                result = .addressDependent
            }
        }
        return result
    }
}
