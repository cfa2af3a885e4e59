import PathTelemetry
import PathWatch
import Pathwise

/// What a process has counted since it began, also in sessions that have ended: for metrics, whose
/// counters must not fall, and for the history.
struct WatchSums {
    /// A path of all sessions with a peer.
    struct PathKey: Hashable, Comparable {
        var peer: String
        var path: String

        static func < (one: PathKey, two: PathKey) -> Bool {
            (one.peer, one.path) < (two.peer, two.path)
        }
    }

    /// A path of one session.
    struct PathSource: Hashable {
        var session: Int
        var path: PathID
    }

    /// The forwards that metrics tell apart.
    struct FlowKey: Hashable, Comparable {
        var peer: String
        var kind: String
        var target: String

        static func < (one: FlowKey, two: FlowKey) -> Bool {
            (one.peer, one.kind, one.target) < (two.peer, two.kind, two.target)
        }
    }

    /// Peers that metrics tell apart; `WatchSums.others` stands for further ones.
    static let peers = 256
    static let others = "(others)"

    private(set) var paths = CounterLedger<PathSource, PathKey>(
        limit: WatchSums.peers * 4, rest: PathKey(peer: others, path: others), corrected: 4)
    private var seen: Set<PathSource> = []
    private(set) var sessions = CounterLedger<Int, String>(limit: peers, rest: others)
    private(set) var flows = CounterLedger<String, FlowKey>(
        limit: peers * 2, rest: otherFlows)
    static let otherFlows = FlowKey(peer: others, kind: others, target: others)

    /// Takes the counters of a session's paths; returns what each did since the last time.
    ///
    /// The first look at a path counts nothing, and the next one everything: a client tells the name
    /// of a path a moment after its first packet.
    ///
    /// - Parameter isLast: whether there is no next one.
    mutating func take(
        _ counters: [PathCounters], session: Int, peer: String, isLast: Bool = false
    ) -> [(name: String, value: HistoryValue)] {
        counters.compactMap { path in
            let source = PathSource(session: session, path: path.path)
            guard !seen.insert(source).inserted || isLast else { return nil }
            let more = paths.take(
                source,
                PathKey(peer: peer, path: path.name),
                [
                    path.wireBytesSent, path.wireBytesReceived, path.packetsSent,
                    path.packetsReceived, path.packetsLost, path.outcomes, path.lateOutcomes,
                ])
            var value = HistoryValue()
            value.sent = Float(more[0])
            value.received = Float(more[1])
            value.packets = Float(more[2])
            value.lost = Float(more[4])
            value.outcomes = Float(more[5])
            value.late = Float(more[6])
            value.roundTrip = Float(path.smoothedRTT?.milliseconds ?? 0)
            value.state =
                switch path.state {
                case .active: .working
                case .standby: .standby
                case .closed: .absent
                case .validating, .suspect, .failed, .probing: .troubled
                }
            return (path.name, value)
        }
    }

    /// Takes the counters of a session.
    mutating func take(_ status: SessionStatus, session: Int, peer: String) {
        let counts = status.statistics
        let guardReport = status.guardReport
        sessions.take(
            session, peer,
            [
                counts.decisions, counts.forcedDecisions, counts.lateOutcomes, counts.failovers,
                counts.messagesSent, counts.messagesReceived, counts.messagesExpired,
                counts.messagesCopied, counts.messagesSaved, counts.bytesDuplicated,
                counts.streamBytesRetransmitted, guardReport.demotions, guardReport.restorations,
                guardReport.relearnings,
                UInt64(status.modelChanges.count { $0.modelHash != nil && $0.policy == nil }),
                UInt64(status.modelChanges.count { $0.refusal != nil }),
            ])
    }

    /// Takes the counters of forwards.
    ///
    /// - Parameter name: of the server, for a client.
    mutating func take(_ reports: [FlowReport], isServer: Bool, name: String) {
        // A server's forwards are summed up by client; its lines of single targets are in the status.
        for report in reports where !isServer || report.kind == "forwards" {
            flows.take(
                report.key,
                FlowKey(report, isServer: isServer, name: name),
                [
                    report.bytesSent, report.bytesReceived, report.flows, report.failed,
                    report.messages, report.lateMessages,
                ])
        }
    }

    /// Forgets a session that has ended, after its counters were taken for the last time.
    mutating func forget(session: Int) {
        paths.forget { $0.session == session }
        seen = seen.filter { $0.session != session }
        sessions.forget { $0 == session }
    }

    /// Forgets forwards that do not exist any more.
    mutating func forgetFlows(except reports: [FlowReport]) {
        let keys = Set(reports.map(\.key))
        flows.forget { !keys.contains($0) }
    }
}

extension WatchSums.FlowKey {
    /// - Parameters:
    ///   - isServer: whether it stands for all forwards of a client.
    ///   - name: of the server, for a client.
    init(_ report: FlowReport, isServer: Bool, name: String) {
        self.init(
            peer: report.client ?? name, kind: isServer ? "" : report.kind,
            target: isServer ? "" : report.target)
    }
}

/// The names of the sums in metrics, in the order in which they are taken.
extension WatchSums {
    static let pathNames = [
        (name: "pathwise_path_sent_bytes_total", help: "Bytes sent, with IP and UDP headers."),
        (
            name: "pathwise_path_received_bytes_total",
            help: "Bytes received, with IP and UDP headers."
        ),
        (name: "pathwise_path_sent_packets_total", help: "Packets sent."),
        (name: "pathwise_path_received_packets_total", help: "Packets received."),
        (
            name: "pathwise_path_lost_packets_total",
            help: "Packets sent that the peer did not receive."
        ),
        (
            name: "pathwise_path_outcomes_total",
            help: "Bursts sent first on the path whose end is known."
        ),
        (
            name: "pathwise_path_late_outcomes_total",
            help: "Those of them that missed their deadline."
        ),
    ]

    static let sessionNames = [
        (name: "pathwise_decisions_total", help: "Decisions of the policy."),
        (
            name: "pathwise_forced_decisions_total",
            help: "Decisions with one candidate, where the policy had no choice."
        ),
        (name: "pathwise_late_outcomes_total", help: "Bursts that missed their deadline."),
        (name: "pathwise_failovers_total", help: "Failures of a path while another one worked."),
        (name: "pathwise_messages_sent_total", help: "Messages (datagrams) sent."),
        (name: "pathwise_messages_received_total", help: "Messages received."),
        (name: "pathwise_messages_expired_total", help: "Messages that passed their deadline."),
        (
            name: "pathwise_messages_copied_total",
            help: "Messages also sent on another path because theirs paused."
        ),
        (name: "pathwise_messages_saved_total", help: "Messages whose copy arrived first."),
        (name: "pathwise_duplicated_bytes_total", help: "Bytes of copies on further paths."),
        (name: "pathwise_retransmitted_bytes_total", help: "Bytes of streams sent again."),
        (
            name: "pathwise_guard_demotions_total",
            help: "How often the steady rule took the decisions from the models."
        ),
        (
            name: "pathwise_guard_restorations_total",
            help: "How often the models decided again."
        ),
        (
            name: "pathwise_guard_relearnings_total",
            help: "How often the models dropped what they had learned."
        ),
        (name: "pathwise_models_accepted_total", help: "Models that were offered and used."),
        (name: "pathwise_models_refused_total", help: "Models that were offered and not used."),
    ]

    static let flowNames = [
        (name: "pathwise_forward_sent_bytes_total", help: "Bytes into the session."),
        (name: "pathwise_forward_received_bytes_total", help: "Bytes out of the session."),
        (name: "pathwise_forward_flows_total", help: "Flows that were opened."),
        (name: "pathwise_forward_failed_flows_total", help: "Flows that failed before any byte."),
        (name: "pathwise_forward_messages_total", help: "Datagrams with a deadline."),
        (name: "pathwise_forward_late_messages_total", help: "Those that were late or lost."),
    ]
}
