import PathReport
import PathTelemetry
import Pathwise

/// One path of a session as `status` shows it, also one that does not exist now.
struct PathRow: Sendable {
    let name: String
    /// `down` and `capped` for a path that does not exist, else the state of the connection's path.
    let state: String
    /// Why it carries no data, or only when no other path works; nil for a path in use.
    let reason: String?
    /// Nil for a path that does not exist.
    let report: PathStatusReport?
    /// Nil for a path that never existed.
    let counters: PathCounters?
    let rates: Rates?
    /// Nil without a cap.
    let use: CapUse?

    /// A path of the connection.
    init(_ report: PathStatusReport, _ counters: PathCounters, _ rates: Rates?, _ use: CapUse?) {
        name = report.name
        state = counters.state.name
        self.report = report
        self.counters = counters
        self.rates = rates
        self.use = use
        reason =
            switch counters.state {
            case .active, .closed: nil
            case .standby:
                use?.isReached == true
                    ? PathRow.reason(use)
                    : report.snapshot.traits.isBackup
                        ? "it is a backup" : "the peer keeps it in reserve"
            case .validating: "nothing has come back on it yet"
            case .suspect: "it is silent while another path answers"
            case .failed: "it does not answer"
            case .probing: "it answers again, once so far"
            }
    }

    /// A path that does not exist.
    init(_ absent: AbsentPathReport, _ use: CapUse?) {
        name = absent.name
        state = absent.isCapped ? "capped" : "down"
        reason = absent.isCapped ? PathRow.reason(use) ?? absent.reason : absent.reason
        report = nil
        counters = absent.counters
        rates = nil
        self.use = use
    }

    private static func reason(_ use: CapUse?) -> String? {
        use.map { "its cap is used up until \($0.renews)" }
    }

    /// The share of bursts that were sent on it first and were late or lost; nil without any.
    private var lateShare: Double? {
        guard let statistics = report?.statistics, statistics.outcomes > 0 else { return nil }
        return Double(statistics.lateOutcomes) / Double(statistics.outcomes)
    }

    var json: JSONValue {
        .object(
            [
                ("name", .string(name)), ("state", .string(state)),
                ("reason", PathRow.text(reason)), ("local", PathRow.text(report?.local)),
                ("remote", PathRow.text(report?.remote)),
            ] + traffic + quality)
    }

    private typealias Members = [(key: String, value: JSONValue)]

    private var traffic: Members {
        [
            ("sent_bits_per_second", .optional(rates.map { $0.sent * 8 })),
            ("received_bits_per_second", .optional(rates.map { $0.received * 8 })),
            ("bytes_sent", PathRow.count(counters?.wireBytesSent)),
            ("bytes_received", PathRow.count(counters?.wireBytesReceived)),
            ("payload_bytes_sent", PathRow.count(counters?.bytesSent)),
            ("payload_bytes_received", PathRow.count(counters?.bytesReceived)),
            ("packets_sent", PathRow.count(counters?.packetsSent)),
            ("packets_received", PathRow.count(counters?.packetsReceived)),
            ("packets_lost", PathRow.count(counters?.packetsLost)),
        ]
    }

    private var quality: Members {
        [
            ("loss_share", .optional(report.map { SessionSummary.lossShare($0) })),
            ("outcomes", PathRow.count(report?.statistics.outcomes)),
            ("late_outcomes", PathRow.count(report?.statistics.lateOutcomes)),
            ("late_share", .optional(lateShare)),
            ("smoothed_rtt_ms", .optional(report?.snapshot.smoothedRTT.milliseconds)),
            ("maximum_datagram", report.map { .count($0.maximumDatagram) } ?? .null),
            ("price_per_gb", .optional(report?.snapshot.traits.pricePerGB)),
            ("cap", use?.json ?? .null),
        ]
    }

    private static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

    private static func count(_ value: UInt64?) -> JSONValue {
        .int(Int64(clamping: value ?? 0))
    }

    /// The rows as a table, and below it a line for each path with a reason.
    static func table(_ rows: [PathRow]) -> String {
        var table = TextTable([
            TextTable.Column("path", .left), TextTable.Column("state", .left),
            TextTable.Column("from", .left), TextTable.Column("to", .left),
            TextTable.Column("sends"), TextTable.Column("receives"), TextTable.Column("sent"),
            TextTable.Column("received"), TextTable.Column("RTT"), TextTable.Column("loss"),
            TextTable.Column("lost"), TextTable.Column("late"), TextTable.Column("price"),
            TextTable.Column("used", .left),
        ])
        for row in rows { table.add(row.cells) }
        let reasons = rows.compactMap { row in
            row.reason.map { "\(row.name) is \(row.state): \($0)\n" }
        }
        return table.text() + reasons.joined()
    }

    private var cells: [String] {
        let none = "-"
        let sent = counters.map { SessionSummary.bytes($0.wireBytesSent) }
        let received = counters.map { SessionSummary.bytes($0.wireBytesReceived) }
        let roundTrip = report.map { SessionSummary.milliseconds($0.snapshot.smoothedRTT) }
        let loss = report.map { SessionSummary.percent(SessionSummary.lossShare($0)) }
        let lost = counters.map { "\($0.packetsLost)" }
        let late = lateShare.map { SessionSummary.percent($0) }
        let price = report?.snapshot.traits.pricePerGB ?? 0
        return [
            name, state, report?.local ?? none, report?.remote ?? none, Rates.text(rates?.sent),
            Rates.text(rates?.received), sent ?? none, received ?? none, roundTrip ?? none,
            loss ?? none, lost ?? none, late ?? none,
            price == 0 ? none : NumberText.short(price), use?.description ?? none,
        ]
    }
}
