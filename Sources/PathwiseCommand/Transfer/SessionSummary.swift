import PathReport
import PathTelemetry
import PathTransport
import Pathwise

/// A session in text and in JSON: with the same figures for `send` and `receive`.
enum SessionSummary {
    // MARK: text

    /// Whether shares are of sent or of received bytes.
    enum Direction { case sent, received }

    private static func share(
        _ path: PathStatusReport, _ status: SessionStatus, _ direction: Direction
    ) -> Double {
        switch direction {
        case .sent: status.sentShare(of: path)
        case .received: status.receivedShare(of: path)
        }
    }

    /// A line per path while data flows; `share` is a share of bytes.
    static func liveLines(_ status: SessionStatus, _ direction: Direction = .sent) -> [String] {
        status.paths.map { path in
            "  " + pad(path.name, 12) + pad(path.snapshot.state.name, 11)
                + "RTT " + pad(milliseconds(path.snapshot.smoothedRTT), 10)
                + "loss " + pad(percent(lossShare(path)), 8)
                + "share " + percent(share(path, status, direction))
        }
    }

    /// The table of paths of a receiver at the end.
    static func receivedTable(_ status: SessionStatus) -> String {
        var table = TextTable([
            TextTable.Column("path", .left), TextTable.Column("state", .left),
            TextTable.Column("received"), TextTable.Column("packets"), TextTable.Column("share"),
            TextTable.Column("RTT ms p50"), TextTable.Column("from", .left),
        ])
        for path in status.paths {
            table.add([
                path.name, path.snapshot.state.name, bytes(path.statistics.bytesReceived),
                "\(path.statistics.packetsReceived)", percent(status.receivedShare(of: path)),
                number(path.rttPercentiles?.p50), path.remote,
            ])
        }
        return table.text(styled: false)
    }

    /// The table of paths of a sender at the end; `share` is a share of the bytes sent.
    static func table(_ status: SessionStatus) -> String {
        var table = TextTable([
            TextTable.Column("path", .left), TextTable.Column("state", .left),
            TextTable.Column("sent"), TextTable.Column("packets"), TextTable.Column("lost"),
            TextTable.Column("again"), TextTable.Column("RTT ms p50"),
            TextTable.Column("p95"), TextTable.Column("p99"), TextTable.Column("one-way ms p50"),
            TextTable.Column("share"), TextTable.Column("decisions"),
        ])
        for path in status.paths {
            let rtt = path.rttPercentiles
            table.add([
                path.name, path.snapshot.state.name, bytes(path.statistics.bytesSent),
                "\(path.statistics.packetsSent)", percent(lossShare(path)),
                bytes(path.statistics.bytesRetransmitted), number(rtt?.p50), number(rtt?.p95),
                number(rtt?.p99), number(path.oneWayPercentiles?.p50),
                percent(status.sentShare(of: path)), "\(path.statistics.decisions)",
            ])
        }
        return table.text(styled: false)
    }

    /// One line for each time that a path failed or came back.
    static func changeLines(_ status: SessionStatus) -> [String] {
        // The first validation of a path is not shown; that of a path that had gone is.
        var gone: Set<PathID> = []
        let notable = status.changes.filter { change in
            if change.to == .closed { gone.insert(change.path) }
            return isNotable(change)
                || change.cause == .validated && gone.remove(change.path) != nil
        }
        return notable.prefix(20).map { change in
            let name = status.paths.first { $0.path == change.path }?.name ?? "\(change.path)"
            let time = NumberText.fixed(TimeDelta(change.after).seconds, 3)
            return "  at \(time) s: \(name) \(change.from.name) -> \(change.to.name) "
                + "(\(change.cause.name))"
        }
    }

    /// One line for each model that was offered to the policy during the run.
    static func modelLines(_ status: SessionStatus) -> [String] {
        status.modelChanges.prefix(20).map { change in
            "  at \(NumberText.fixed(TimeDelta(change.after).seconds, 3)) s: "
                + (change.modelHash.map { "the policy continues with model \(StableHash.text($0))" }
                    ?? "model refused: \(change.refusal ?? "")")
        }
    }

    /// What was sent a second time to arrive sooner, and what that brought; nil if nothing was.
    ///
    /// - Parameters:
    ///   - statistics: of the session.
    ///   - sent: bytes on all paths.
    static func copies(_ statistics: ConnectionStatistics, sent: Double) -> String? {
        guard statistics.bytesDuplicated > 0 else { return nil }
        var text = "copies: \(bytes(statistics.bytesDuplicated))"
        if sent > 0 {
            text += ", \(percent(Double(statistics.bytesDuplicated) / sent)) of what was sent"
        }
        let copied = Int(clamping: statistics.messagesCopied)
        if copied > 0 {
            text += "; of \(NumberText.counted(copied, "copied message")), "
            text += "\(statistics.messagesSaved) came sooner"
        }
        return text
    }

    static func copies(_ status: SessionStatus) -> String? {
        copies(
            status.statistics,
            sent: status.paths.reduce(0) { $0 + Double($1.statistics.bytesSent) })
    }

    private static func isNotable(_ change: PathChangeReport) -> Bool {
        switch change.cause {
        case .silent, .probeTimeout, .gaveUp, .restored, .removed, .socketError, .ownRequest:
            true
        case .added, .validated, .answered, .peerRequest: false
        }
    }

    // MARK: JSON

    static func json(_ status: SessionStatus) -> [(String, JSONValue)] {
        [
            ("policy", .string(status.policy)),
            ("seed", .string(String(status.seed))),
            ("seconds", .number(TimeDelta(status.elapsed).seconds)),
            ("decisions", .int(Int64(clamping: status.statistics.decisions))),
            ("forced_decisions", .int(Int64(clamping: status.statistics.forcedDecisions))),
            ("late_outcomes", .int(Int64(clamping: status.statistics.lateOutcomes))),
            (
                "bytes_retransmitted",
                .int(Int64(clamping: status.statistics.streamBytesRetransmitted))
            ),
            ("bytes_duplicated", .int(Int64(clamping: status.statistics.bytesDuplicated))),
            ("messages_copied", .int(Int64(clamping: status.statistics.messagesCopied))),
            ("messages_saved", .int(Int64(clamping: status.statistics.messagesSaved))),
            ("forged_packets", .int(Int64(clamping: status.statistics.forgedPackets))),
            ("replayed_packets", .int(Int64(clamping: status.statistics.replayedPackets))),
            ("key_changes", .int(Int64(status.statistics.keyChanges))),
            ("failovers", .array(status.changes.filter { $0.to == .suspect }.map(change))),
            ("path_changes", .array(status.changes.map(change))),
            (
                "model_hash",
                status.modelHash == 0 ? .null : .string(StableHash.text(status.modelHash))
            ),
            ("model_changes", .array(status.modelChanges.map(change))),
        ] + status.judgementMembers.map { ($0.key, $0.value) } + [
            ("paths", .array(status.paths.map { path($0, in: status) }))
        ]
    }

    private static func path(_ path: PathStatusReport, in status: SessionStatus) -> JSONValue {
        let statistics = path.statistics
        return .object([
            ("name", .string(path.name)),
            ("remote", .string(path.remote)),
            ("state", .string(path.snapshot.state.name)),
            ("bytes_sent", .int(Int64(clamping: statistics.bytesSent))),
            ("packets_sent", .int(Int64(clamping: statistics.packetsSent))),
            ("bytes_received", .int(Int64(clamping: statistics.bytesReceived))),
            ("packets_received", .int(Int64(clamping: statistics.packetsReceived))),
            ("packets_lost", .int(Int64(clamping: statistics.packetsLost))),
            ("bytes_retransmitted", .int(Int64(clamping: statistics.bytesRetransmitted))),
            ("failovers", .int(Int64(clamping: statistics.failovers))),
            ("smoothed_rtt_ms", .number(path.snapshot.smoothedRTT.milliseconds)),
            ("rtt_ms", percentiles(path.rttPercentiles)),
            ("one_way_delay_ms", percentiles(path.oneWayPercentiles)),
            ("sent_share", .number(status.sentShare(of: path))),
            ("received_share", .number(status.receivedShare(of: path))),
            ("decisions", .int(Int64(clamping: statistics.decisions))),
            ("decision_share", .number(status.decisionShare(of: path))),
            ("maximum_datagram", .int(Int64(path.maximumDatagram))),
        ])
    }

    private static func percentiles(_ value: DelayPercentiles?) -> JSONValue {
        guard let value else { return .null }
        return .object([
            ("p50", .number(value.p50)), ("p95", .number(value.p95)), ("p99", .number(value.p99)),
        ])
    }

    private static func change(_ change: PathChangeReport) -> JSONValue {
        .object([
            ("path", .int(Int64(change.path.rawValue))),
            ("after_seconds", .number(TimeDelta(change.after).seconds)),
            ("from", .string(change.from.name)), ("to", .string(change.to.name)),
            ("cause", .string(change.cause.name)),
        ])
    }

    private static func change(_ change: ModelChangeReport) -> JSONValue {
        .object([
            ("after_seconds", .number(TimeDelta(change.after).seconds)),
            ("model_hash", change.modelHash.map { .string(StableHash.text($0)) } ?? .null),
            ("refused", change.refusal.map { .string($0) } ?? .null),
        ])
    }

    // MARK: figures

    static func lossShare(_ path: PathStatusReport) -> Double {
        path.statistics.packetsSent == 0
            ? 0 : Double(path.statistics.packetsLost) / Double(path.statistics.packetsSent)
    }

    static func bytes(_ value: UInt64) -> String {
        NumberText.bytes(Double(value), steady: true)
    }

    /// Formats a rate in bytes per second as bits per second.
    static func rate(_ bytesPerSecond: Double) -> String {
        NumberText.rate(bytesPerSecond: bytesPerSecond, steady: true)
    }

    static func milliseconds(_ time: TimeDelta) -> String {
        NumberText.fixed(time.milliseconds, 1) + " ms"
    }
    static func percent(_ share: Double) -> String {
        NumberText.fixed(share * 100, share < 0.01 ? 2 : 1) + "%"
    }
    private static func number(_ value: Double?) -> String {
        value.map { NumberText.fixed($0, 1) } ?? "-"
    }

    static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
