import PathNetwork
import PathTelemetry
import PathTransport

/// What a path found out about the addresses of a server.
struct ProbedPath: Sendable {
    var name: String
    /// Nil if the system chooses it.
    var interface: String?
    var ways: [ReachProbe.Way]
    /// The first address that reports, as seen from another socket.
    var second: ReachProbe.Way?

    /// The addresses at which a server answers.
    var answering: [ReachProbe.Way] {
        ways.filter { if case .server = $0.answer { true } else { false } }
    }
}

/// Which addresses of a server answer over which paths.
enum WayChecks {
    /// For each path: the addresses that answer, and a problem if none does.
    ///
    /// An address that another path reaches is no problem: each path needs one.
    static func findings(_ paths: [ProbedPath]) -> [Finding] {
        paths.flatMap { path -> [Finding] in
            guard !path.answering.isEmpty else {
                // The first one is the best of the plan.
                return path.ways.first.map { [failure($0, path.name)] } ?? []
            }
            return path.ways.flatMap { way -> [Finding] in
                guard case .server(let time) = way.answer else {
                    return elsewhere(way, path, paths)
                }
                return [
                    Finding(
                        .answer, .ok, path.name,
                        "a pathwise server answers at \(way.remote) after "
                            + NumberText.time(time.seconds)),
                    mtu(way, path),
                ]
            }
        }
    }

    /// The addresses that no path reaches, though each path reaches another one.
    static func unreached(_ remotes: [SocketAddress], by paths: [ProbedPath]) -> [Finding] {
        let answering = paths.flatMap(\.answering).map(\.remote)
        guard !answering.isEmpty else { return [] }
        return remotes.filter { remote in
            // A path knows a link-local address with its scope.
            !answering.contains { $0.with(scope: 0) == remote.with(scope: 0) }
        }.map { remote in
            let wasAsked = paths.contains { path in
                path.ways.contains { $0.remote.with(scope: 0) == remote.with(scope: 0) }
            }
            return Finding(
                .answer, .note, "\(remote)",
                wasAsked
                    ? "no path reaches this address of the server; the others are enough"
                    : "not asked: no path has an address of this family")
        }
    }

    /// An address that does not answer over a path on which another one does.
    private static func elsewhere(
        _ way: ReachProbe.Way, _ path: ProbedPath, _ paths: [ProbedPath]
    ) -> [Finding] {
        let others = paths.filter { $0.answering.contains { $0.remote == way.remote } }
        guard !others.isEmpty else { return [] }
        return [
            Finding(
                .answer, .ok, path.name,
                "it does not reach \(way.remote), which \(others.map(\.name).joined(separator: ", ")) "
                    + (others.count == 1 ? "reaches" : "reach"))
        ]
    }

    private static func failure(_ way: ReachProbe.Way, _ name: String) -> Finding {
        let to = way.remote.description
        let port = way.remote.port
        guard case .unreachable(let code) = way.answer else {
            return Finding(
                .answer, .problem, name,
                "no pathwise server answers at \(to): it is not running, or UDP is blocked in one "
                    + "direction",
                fix: "on the server: ss -ulpn, and allow UDP port \(port) in its firewall")
        }
        return Finding(
            .answer, .problem, name, "\(to) is unreachable: \(systemText(code))",
            fix: "start 'pathwise serve' or 'pathwise receive' there on UDP port \(port), and "
                + "check the route with: ip route get \(way.remote.host)")
    }

    private static func mtu(_ way: ReachProbe.Way, _ path: ProbedPath) -> Finding {
        if let limit = way.reportedMTU {
            return Finding(
                .pathMTU, limit < 1280 ? .problem : .note, path.name,
                "the network reports an MTU of \(limit), below the interface's",
                fix: path.interface.map { "ip link set dev \($0) mtu \(limit)" })
        }
        return Finding(
            .pathMTU, .ok, path.name,
            "1,200 bytes arrive, and no router reports a lower MTU; a session checks larger sizes "
                + "(--server, or --key and --peer)")
    }
}
