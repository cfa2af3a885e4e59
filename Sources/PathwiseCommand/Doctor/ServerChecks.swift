import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

/// Checks of the paths to a server.
enum ServerChecks {
    /// Asks the server over each path, without a key.
    static func findings(
        _ plans: [PathPlan], _ links: [HostFacts.Link]
    ) throws -> [Finding] {
        var findings: [Finding] = []
        for plan in plans {
            let link = links.first { $0.name == plan.interface }
            let probe: ReachProbe?
            do throws(NetworkError) {
                probe = try ReachProbe(plan, mtu: link?.mtu ?? 1500)
            } catch {
                findings.append(Finding(.answer, .problem, plan.name, "\(error)"))
                continue
            }
            guard let probe else { continue }
            findings.append(answer(probe, plan.name))
            if case .server = probe.answer { findings.append(mtu(probe, link, plan.name)) }
        }
        return findings + [ecn]
    }

    private static func answer(_ probe: ReachProbe, _ name: String) -> Finding {
        let to = probe.remote.description
        let port = to.split(separator: ":").last ?? ""
        switch probe.answer {
        case .server(let time):
            return Finding(
                .answer, .ok, name,
                "a pathwise server answers at \(to) after \(NumberText.time(time.seconds))")
        case .unreachable(let code):
            return Finding(
                .answer, .problem, name, "\(to) is unreachable: \(systemText(code))",
                fix: "start 'pathwise serve' or 'pathwise receive' there on UDP port \(port), and "
                    + "check the route with: ip route get \(probe.remote.host)")
        case .silence:
            return Finding(
                .answer, .problem, name,
                "no pathwise server answers at \(to): it is not running, or UDP is blocked in one "
                    + "direction",
                fix: "on the server: ss -ulpn, and allow UDP port \(port) in its firewall")
        }
    }

    private static func mtu(
        _ probe: ReachProbe, _ link: HostFacts.Link?, _ name: String
    ) -> Finding {
        if let limit = probe.reportedMTU {
            return Finding(
                .pathMTU, limit < 1280 ? .problem : .note, name,
                "the network reports an MTU of \(limit), below the interface's",
                fix: link.map { "ip link set dev \($0.name) mtu \(limit)" })
        }
        return Finding(
            .pathMTU, .ok, name,
            "1,200 bytes arrive, and no router reports a lower MTU; larger sizes are not checked "
                + "without --key and --peer")
    }

    private static let ecn = Finding(
        .ecn, .note, "",
        "not checked: servers do not report the ECN marks of what they receive, and pathwise does "
            + "not set any")

    // MARK: with a key

    /// Connects over all paths, and reports what the session measured.
    static func session(_ options: ClientOptions) async -> [Finding] {
        let session: Session
        do {
            session = try await Session.connect(options)
        } catch {
            return [
                Finding(
                    .session, .problem, "", "no session: \(CommandFailure(error).message)",
                    fix: "on the server: pathwise receive --allow THIS_KEY, or pathwise serve")
            ]
        }
        // The search for the MTU takes some round trips.
        let end = MonotonicClock.now() + .seconds(3)
        while MonotonicClock.now() < end {
            try? await Task.sleep(for: .milliseconds(100))
            if session.closeReason != nil { break }
        }
        let status = session.status()
        await session.close()
        return options.plans.flatMap { plan in
            measured(plan.name, status.paths.first { $0.name == plan.name })
        }
    }

    private static func measured(_ name: String, _ path: PathStatusReport?) -> [Finding] {
        guard let path, path.snapshot.state == .active || path.snapshot.state == .standby else {
            let state = path?.snapshot.state.name ?? "gone"
            return [
                Finding(
                    .session, .problem, name, "in a session the path is \(state)",
                    fix: "see the findings of this path above")
            ]
        }
        let round = SessionSummary.milliseconds(path.snapshot.smoothedRTT)
        let headers = path.remote.hasPrefix("[") ? 48 : 28
        return [
            Finding(.session, .ok, name, "in a session the path works, RTT \(round)"),
            Finding(
                .pathMTU, .ok, name,
                "packets of \(path.maximumDatagram + headers) bytes pass in a session"),
        ]
    }
}
