import PathReport
import PathTelemetry
import PathTrace
import PathWatch
import Pathwise

/// The metrics of a process; docs/watch.md has their table.
enum StatusMetrics {
    /// A family whose values come from rows of one kind.
    private struct Family<Row> {
        var name: String
        var kind: MetricsText.Kind
        var help: String
        var value: (Row) -> Double?

        init(
            _ name: String, _ kind: MetricsText.Kind, _ help: String,
            _ value: @escaping (Row) -> Double?
        ) {
            self.name = name
            self.kind = kind
            self.help = help
            self.value = value
        }
    }

    static func text(_ status: ProcessStatus, _ sums: WatchSums) -> [UInt8] {
        var text = MetricsText()
        addProcess(status, to: &text)
        addPeers(status, sums, to: &text)
        addPaths(status, sums, to: &text)
        addFlows(status, sums, to: &text)
        return text.bytes
    }

    private static func add<Row>(
        _ families: [Family<Row>], _ rows: [(labels: MetricsText.Labels, row: Row)],
        to text: inout MetricsText
    ) {
        for family in families {
            text.begin(family.name, family.kind, family.help)
            for (labels, row) in rows { text.add(labels, family.value(row)) }
        }
    }

    // MARK: process

    private static func addProcess(_ status: ProcessStatus, to text: inout MetricsText) {
        text.begin("pathwise_build_info", .gauge, "The program; the value is 1.")
        text.add(
            MetricsText.Labels([
                ("version", PathwiseVersion.text), ("command", status.command),
                ("name", status.name ?? ""),
            ]), 1)
        ProcessFigures.add(running: status.running.seconds, to: &text)
        text.begin("pathwise_sessions", .gauge, "Sessions with peers that exist now.")
        text.add(.none, Double(status.peers.count))
        guard let link = status.link else { return }
        text.begin(
            "pathwise_connected", .gauge, "Whether there is a session with the server (1 or 0).")
        text.add(.none, link.phase == .connected ? 1 : 0)
        text.begin(
            "pathwise_connections_total", .counter, "Sessions with the server since the start.")
        text.add(.none, Double(link.sessions))
        text.begin(
            "pathwise_connection_attempts", .gauge,
            "Attempts to connect since the latest session.")
        text.add(.none, Double(link.attempts))
    }

    // MARK: peers

    private static func addPeers(
        _ status: ProcessStatus, _ sums: WatchSums, to text: inout MetricsText
    ) {
        // A name with several sessions has one value: of the newest.
        var newest: [String: ProcessStatus.Peer] = [:]
        var counts: [String: Int] = [:]
        for peer in status.peers {
            let name = label(peer, status, sums)
            newest[name] = peer
            counts[name, default: 0] += 1
        }
        let rows = newest.sorted { $0.key < $1.key }.map {
            (labels: MetricsText.Labels([("peer", $0.key)]), row: ($0.value, counts[$0.key] ?? 0))
        }
        add(
            [
                Family("pathwise_peer_sessions", .gauge, "Sessions with the peer.") {
                    Double($0.1)
                },
                Family(
                    "pathwise_peer_works", .gauge,
                    "Whether a path to the peer works (1 or 0); of its newest session."
                ) { $0.0.works ? 1 : 0 },
                Family(
                    "pathwise_peer_silence_seconds", .gauge,
                    "Time since the latest packet of the peer."
                ) { TimeDelta($0.0.status.silence).seconds },
                Family(
                    "pathwise_guard_demoted", .gauge,
                    "Whether the steady rule decides instead of the models (1 or 0)."
                ) { $0.0.status.guardReport.isDemoted ? 1 : 0 },
                Family(
                    "pathwise_propensity_mean", .gauge,
                    "Mean probability of the chosen actions, while decisions are recorded."
                ) { $0.0.status.learning?.meanPropensity },
                Family(
                    "pathwise_propensity_min", .gauge,
                    "Least probability of a chosen action, while decisions are recorded."
                ) { $0.0.status.learning.flatMap { $0.decisions > 0 ? $0.leastPropensity : nil } },
                Family(
                    "pathwise_explored_ratio", .gauge,
                    "Share of decisions whose action was not the most probable one, while recorded."
                ) { $0.0.status.learning?.exploredShare },
            ], rows, to: &text)
        text.begin(
            "pathwise_policy_info", .gauge, "Policy and model of the peer's session; it is 1.")
        for (name, peer) in newest.sorted(by: { $0.key < $1.key }) {
            let hash = peer.status.modelHash
            text.add(
                MetricsText.Labels([
                    ("peer", name), ("policy", peer.status.policy),
                    ("model", hash == 0 ? "" : StableHash.text(hash)),
                ]), 1)
        }
        JudgementMetrics.add(
            newest.sorted { $0.key < $1.key }.map { ($0.key, $0.value.status) }, to: &text)
        add(
            WatchSums.sessionNames.enumerated().map { index, entry in
                Family<[UInt64]>(entry.name, .counter, entry.help) { Double($0[index]) }
            },
            sums.sessions.sums.sorted { $0.key < $1.key }.map {
                (MetricsText.Labels([("peer", $0.key)]), $0.value)
            }, to: &text)
    }

    /// The name that a peer has in labels.
    private static func label(
        _ peer: ProcessStatus.Peer, _ status: ProcessStatus, _ sums: WatchSums
    ) -> String {
        let name = peer.name ?? status.name ?? ""
        return sums.sessions.sums[name] == nil ? WatchSums.others : name
    }

    // MARK: paths

    private static func addPaths(
        _ status: ProcessStatus, _ sums: WatchSums, to text: inout MetricsText
    ) {
        var newest: [WatchSums.PathKey: PathRow] = [:]
        for peer in status.peers {
            let name = label(peer, status, sums)
            for row in peer.paths {
                let key = WatchSums.PathKey(peer: name, path: row.name)
                // A path that exists goes before one of the same name that does not.
                if newest[key] == nil || row.report != nil { newest[key] = row }
            }
        }
        // Paths of peers, and of the sums, are limited; those that do not fit are only counted.
        let known = newest.filter { sums.paths.sums[$0.key] != nil || $0.value.report == nil }
            .sorted { $0.key < $1.key }.prefix(WatchSums.peers * 4)
        let rows = known.map { (labels: labels($0.key), row: $0.value) }
        add(
            [
                Family<PathRow>(
                    "pathwise_path_up", .gauge, "Whether the path can carry data (1 or 0)."
                ) { $0.state == "active" || $0.state == "standby" ? 1 : 0 },
                Family(
                    "pathwise_path_round_trip_seconds", .gauge, "Smoothed round trip."
                ) { $0.report.map { $0.snapshot.smoothedRTT.seconds } },
                Family(
                    "pathwise_path_loss_ratio", .gauge,
                    "Share of the packets of the session that were lost on the path."
                ) { $0.report.map { SessionSummary.lossShare($0) } },
                Family(
                    "pathwise_path_price", .gauge, "Price of 10^9 bytes, as configured."
                ) { $0.report?.snapshot.traits.pricePerGB },
                Family(
                    "pathwise_path_cap_bytes", .gauge, "Cap of the path in its period."
                ) { $0.use.map { Double($0.cap.bytes) } },
                Family(
                    "pathwise_path_cap_used_bytes", .gauge, "Bytes of the cap that are used."
                ) { $0.use.map { Double($0.used) } },
            ], rows, to: &text)
        text.begin(
            "pathwise_path_state_info", .gauge, "The state of the path as a label; it is 1.")
        for (key, row) in known {
            text.add(
                MetricsText.Labels([
                    ("peer", key.peer), ("path", key.path), ("state", row.state),
                ]), 1)
        }
        add(
            WatchSums.pathNames.enumerated().map { index, entry in
                Family<[UInt64]>(entry.name, .counter, entry.help) { Double($0[index]) }
            }, sums.paths.sums.sorted { $0.key < $1.key }.map { (labels($0.key), $0.value) },
            to: &text)
    }

    private static func labels(_ key: WatchSums.PathKey) -> MetricsText.Labels {
        MetricsText.Labels([("peer", key.peer), ("path", key.path)])
    }

    // MARK: forwards

    private static func addFlows(
        _ status: ProcessStatus, _ sums: WatchSums, to text: inout MetricsText
    ) {
        let isServer = status.command == "serve"
        var open: [WatchSums.FlowKey: Double] = [:]
        for (report, _) in status.flows where !isServer || report.kind == "forwards" {
            let key = WatchSums.FlowKey(
                report, isServer: isServer, name: status.name ?? "")
            open[sums.flows.sums[key] == nil ? WatchSums.otherFlows : key, default: 0] +=
                Double(report.open)
        }
        let rows = sums.flows.sums.sorted { $0.key < $1.key }
        text.begin("pathwise_forward_open_flows", .gauge, "Flows that are open now.")
        for (key, _) in rows { text.add(labels(key), open[key] ?? 0) }
        add(
            WatchSums.flowNames.enumerated().map { index, entry in
                Family<[UInt64]>(entry.name, .counter, entry.help) { Double($0[index]) }
            }, rows.map { (labels($0.key), $0.value) }, to: &text)
    }

    private static func labels(_ key: WatchSums.FlowKey) -> MetricsText.Labels {
        MetricsText.Labels([
            ("peer", key.peer), ("kind", key.kind), ("target", key.target),
        ])
    }
}
