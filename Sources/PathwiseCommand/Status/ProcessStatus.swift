import Glibc
import PathReport
import PathTelemetry
import PathTrace
import Pathwise

/// What a process answers to `pathwise status`.
///
/// Rates and bytes of paths have the headers of IP and UDP, unless a name says payload.
struct ProcessStatus: Sendable {
    /// A session with one peer.
    struct Peer: Sendable {
        /// The name of the client, or of the server's profile.
        var name: String?
        /// Its public key.
        var key: String
        var status: SessionStatus
        var paths: [PathRow]
        /// Of the session in this process.
        var number = 0

        var works: Bool { status.health.works }

        /// What holds while no path works; nil if one does.
        var trouble: String? {
            guard !works else { return nil }
            return "no path works since \(ProcessStatus.seconds(TimeDelta(status.silence))); flows "
                + "are held for \(ProcessStatus.seconds(TimeDelta(status.health.rest))) more"
        }

        /// The share of decisions with an outcome after their deadline.
        var lateShare: Double? {
            let statistics = status.statistics
            return statistics.decisions == 0
                ? nil : Double(statistics.lateOutcomes) / Double(statistics.decisions)
        }
    }

    var command: String
    var name: String?
    /// Since its start.
    var running: TimeDelta
    /// The connection that a client keeps; nil for others.
    var link: PersistentStatus?
    var peers: [Peer]
    var flows: [(FlowReport, Rates?)]
    /// The latest requests to change the process, oldest first.
    var requests: [Request] = []

    /// A request to change the process, and what became of it.
    struct Request: Sendable {
        var time: String
        var answer: ControlAnswer

        var json: JSONValue { .object([("time", .string(time))] + answer.members) }
    }

    // MARK: JSON

    var json: JSONValue {
        .object([
            ("version", .string(PathwiseVersion.text)),
            ("command", .string(command)),
            ("name", name.map { .string($0) } ?? .null),
            ("process", .int(Int64(getpid()))),
            ("running_seconds", .number(running.seconds)),
            ("connection", link.map { json($0) } ?? .null),
            ("sessions", .array(peers.map(ProcessStatus.json))),
            ("flows", .array(flows.map { $0.0.json($0.1) })),
            ("requests", .array(requests.map(\.json))),
        ])
    }

    /// Whether there is a session, and none of its paths works.
    private var isHeld: Bool { !peers.isEmpty && peers.allSatisfy { !$0.works } }

    private func json(_ link: PersistentStatus) -> JSONValue {
        let isHeld = link.phase == .connected && isHeld
        return .object([
            ("state", .string(isHeld ? "no_path" : ProcessStatus.name(of: link.phase))),
            ("seconds", .number(ProcessStatus.age(of: link).seconds)),
            ("attempts", .count(link.attempts)),
            ("sessions", .count(link.sessions)),
            ("refused", .bool(link.isRefused)),
            ("last_error", link.lastError.map { .string("\($0)") } ?? .null),
        ])
    }

    private static func name(of phase: PersistentStatus.Phase) -> String {
        switch phase {
        case .connecting: "connecting"
        case .waiting: "waiting"
        case .connected: "connected"
        case .closed: "closed"
        }
    }

    /// How long there has been a session, or none.
    private static func age(of link: PersistentStatus) -> TimeDelta {
        TimeDelta(link.since.duration(to: .now))
    }

    private static func json(_ peer: Peer) -> JSONValue {
        let statistics = peer.status.statistics
        return .object(
            [
                ("name", peer.name.map { .string($0) } ?? .null),
                ("key", .string(peer.key)),
                ("seconds", .number(TimeDelta(peer.status.elapsed).seconds)),
                ("idle_timeout_seconds", .number(TimeDelta(peer.status.idleTimeout).seconds)),
                ("silent_seconds", .number(TimeDelta(peer.status.silence).seconds)),
                ("works", .bool(peer.works)),
                ("policy", .string(peer.status.policy)),
                (
                    "model_hash",
                    peer.status.modelHash == 0
                        ? .null : .string(StableHash.text(peer.status.modelHash))
                ),
                ("guard", peer.status.guardReport.json),
                ("learning", peer.status.learning.map(\.json) ?? .null),
            ] + peer.status.judgementMembers + [
                ("decisions", .int(Int64(clamping: statistics.decisions))),
                ("forced_decisions", .int(Int64(clamping: statistics.forcedDecisions))),
                ("failovers", .int(Int64(clamping: statistics.failovers))),
                ("late_outcomes", .int(Int64(clamping: statistics.lateOutcomes))),
                ("late_share", .optional(peer.lateShare)),
                ("messages_sent", .int(Int64(clamping: statistics.messagesSent))),
                ("messages_received", .int(Int64(clamping: statistics.messagesReceived))),
                ("messages_expired", .int(Int64(clamping: statistics.messagesExpired))),
                ("messages_copied", .int(Int64(clamping: statistics.messagesCopied))),
                ("messages_saved", .int(Int64(clamping: statistics.messagesSaved))),
                ("bytes_duplicated", .int(Int64(clamping: statistics.bytesDuplicated))),
                ("paths", .array(peer.paths.map(\.json))),
            ])
    }

    // MARK: text

    /// Tables, with lines that end with a newline.
    var text: String {
        let title = [command, name].compactMap { $0 }.joined(separator: " ")
        var text =
            "\(title) (process \(getpid())), running for \(NumberText.time(running.seconds))\n"
        if let link { text += self.text(link) }
        for peer in peers { text += ProcessStatus.text(peer, peer.name ?? name ?? "peer") }
        if peers.isEmpty, link == nil { text += "no session\n" }
        if !flows.isEmpty { text += "\n" + flowTable }
        if let last = requests.last { text += "\n\(last.time)  \(last.answer.text)\n" }
        return text
    }

    private func text(_ link: PersistentStatus) -> String {
        if link.phase == .connected, isHeld, let trouble = peers.first?.trouble {
            return trouble + "\n"
        }
        let age = NumberText.time(ProcessStatus.age(of: link).seconds)
        var text = "\(ProcessStatus.name(of: link.phase)) for \(age)"
        if link.phase != .connected {
            text = "\(text), " + NumberText.counted(link.attempts, "attempt")
            if let error = link.lastError { text += "; the latest problem: \(error)" }
        }
        return text + "\n"
    }

    private static func text(_ peer: Peer, _ label: String) -> String {
        let age = NumberText.time(TimeDelta(peer.status.elapsed).seconds)
        var text =
            "\n\(label) \(peer.key.prefix(8)): session of \(age), policy "
            + peer.status.policy
        if let late = peer.lateShare { text += ", \(SessionSummary.percent(late)) late" }
        if let trouble = peer.trouble { text += "; \(trouble)" }
        if let copies = SessionSummary.copies(peer.status) { text += "\n  \(copies)" }
        return text + "\n" + (JudgementOutput(peer.status)?.text ?? "")
            + PathRow.table(peer.paths)
    }

    private var flowTable: String {
        var table = TextTable([
            TextTable.Column("flow", .left), TextTable.Column("class", .left),
            TextTable.Column("target", .left), TextTable.Column("client", .left),
            TextTable.Column("state", .left),
            TextTable.Column("open"), TextTable.Column("failed"), TextTable.Column("sends"),
            TextTable.Column("receives"),
            TextTable.Column("sent"), TextTable.Column("received"), TextTable.Column("late"),
        ])
        for (flow, rates) in flows {
            table.add([
                flow.kind, flow.trafficClass ?? "-", flow.target, flow.client ?? "-",
                flow.state ?? flow.cap?.description ?? "-",
                "\(flow.open)", "\(flow.failed)", Rates.text(rates?.sent),
                Rates.text(rates?.received), SessionSummary.bytes(flow.bytesSent),
                SessionSummary.bytes(flow.bytesReceived),
                flow.lateShare.map { SessionSummary.percent($0) } ?? "-",
            ])
        }
        return table.text()
    }

    /// A time in whole seconds.
    private static func seconds(_ time: TimeDelta) -> String {
        NumberText.time(time.seconds.rounded(.down))
    }
}

extension LearningFigures {
    var json: JSONValue {
        .object([
            ("decisions", .count(decisions)),
            ("mean_propensity", .optional(meanPropensity)),
            ("least_propensity", .optional(decisions > 0 ? leastPropensity : nil)),
            ("explored_share", .optional(exploredShare)),
        ])
    }
}

extension GuardReport {
    var json: JSONValue {
        .object([
            ("demoted", .bool(isDemoted)),
            ("demotions", .int(Int64(clamping: demotions))),
            ("restorations", .int(Int64(clamping: restorations))),
            ("relearnings", .int(Int64(clamping: relearnings))),
        ])
    }
}

extension CapUse {
    var json: JSONValue {
        .object([
            ("bytes", .int(Int64(clamping: cap.bytes))),
            ("period", .string(cap.period.rawValue)),
            ("hard", .bool(cap.isHard)),
            ("used_bytes", .int(Int64(clamping: used))),
            ("is_reached", .bool(isReached)),
            ("renews", .string(renews)),
        ])
    }
}

extension UsageChange {
    /// The members of an event `cap` in a log.
    var members: [(key: String, value: JSONValue)] {
        switch self {
        case .nearing(let use): [("change", .string("nearing")), ("cap", use.json)]
        case .reached(let use): [("change", .string("reached")), ("cap", use.json)]
        case .renewed(let use): [("change", .string("renewed")), ("cap", use.json)]
        case .notStored(_, let error):
            [("change", .string("not_stored")), ("reason", .string("\(error)"))]
        }
    }
}
