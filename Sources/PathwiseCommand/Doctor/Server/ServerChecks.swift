import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

/// Checks of the paths to a server.
enum ServerChecks {
    /// Asks all addresses of the server over each path, without a key.
    ///
    /// - Parameter remotes: of the server.
    static func findings(
        _ plans: [PathPlan], to remotes: [SocketAddress], _ links: [HostFacts.Link]
    ) -> [Finding] {
        var findings: [Finding] = []
        var probed: [ProbedPath] = []
        for plan in plans {
            let link = links.first { $0.name == plan.interface }
            do throws(NetworkError) {
                let probe = try ReachProbe(plan, mtu: link?.mtu ?? 1500)
                probed.append(
                    ProbedPath(
                        name: plan.name, interface: link?.name, ways: probe.ways,
                        second: probe.second))
            } catch {
                findings.append(Finding(.answer, .problem, plan.name, "\(error)"))
            }
        }
        findings += WayChecks.findings(probed)
        findings += WayChecks.unreached(remotes, by: probed)
        return findings + probed.flatMap { NATChecks.findings($0) + ECNChecks.findings($0) }
    }

    // MARK: with a key

    /// Connects over all paths, and reports what the session measured.
    ///
    /// - Parameters:
    ///   - options: of the session.
    ///   - hasJoined: whether the keys are those of `join`.
    static func session(_ options: ClientOptions, hasJoined: Bool) async -> [Finding] {
        let session: Session
        do {
            session = try await Session.connect(options)
        } catch {
            return [
                Finding(
                    .session, .problem, "", "no session: \(error)",
                    fix: fix(of: error, options.identity, hasJoined: hasJoined))
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

    private static func fix(
        of error: any Error, _ identity: ClientIdentity, hasJoined: Bool
    ) -> String {
        let key = identity.key.publicKey.base64
        switch error {
        case SessionError.ended(.refused(.unknownClient)) where hasJoined:
            return
                "on the server, write the line 'NAME \(key)' into the file 'clients' of 'pathwise "
                + "serve'; or run 'pathwise invite' there, and 'pathwise join TOKEN --force' here"
        case SessionError.ended(.refused(.unknownClient)):
            return "on the server: pathwise receive --allow \(key), or write it into the file "
                + "'clients' of 'pathwise serve'"
        case SessionError.ended(.refused(.presharedKey)), SessionError.ended(.handshakeFailed):
            return "give both sides the same pre-shared key and each the other's public key"
        case SessionError.ended(.refused(.wrongServerKey)):
            return hasJoined
                ? "on the server: pathwise invite; here: pathwise join TOKEN --force"
                : "on the server: pathwise pubkey; here: --peer with what it prints"
        default: return "see the findings of the paths above"
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
