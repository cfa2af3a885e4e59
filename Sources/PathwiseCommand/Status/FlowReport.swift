import PathForward
import PathReport
import PathTelemetry
import Pathwise

/// One forward, listener or transfer of a process, as its status shows it.
struct FlowReport: Sendable {
    /// What it is: `udp`, `tcp`, `socks`, `http`, with `reverse` before it, or `files`.
    var kind: String
    /// Class of traffic: `interactive`, `media`, `bulk`; nil if it has none.
    var trafficClass: String?
    /// For example `127.0.0.1:8443=10.0.0.5:443`; unique with the kind and the client.
    var target: String
    /// The client it belongs to, for a server.
    var client: String?
    /// Why it does not listen; nil if it does.
    var state: String?
    /// How much of its cap the client has used; nil without one.
    var cap: CapUse?
    /// Connections, or local sources, that are open now.
    var open = 0
    /// Connections, or local sources, since it began, and those that failed before any byte.
    var flows: UInt64 = 0
    var failed: UInt64 = 0
    /// The failed ones whose reason is known, by the word for the reason.
    var failures: [String: UInt64] = [:]
    /// Flows of datagrams that ended because a new source needed their place.
    var replaced: UInt64 = 0
    /// Bytes of the application in both directions since it began.
    var bytesSent: UInt64 = 0
    var bytesReceived: UInt64 = 0
    /// Messages with a deadline: how many were sent, and how many of them were late or lost.
    var messages: UInt64 = 0
    var lateMessages: UInt64 = 0

    /// What tells it from the others of its process.
    var key: String { "\(kind) \(target) \(client ?? "")" }

    /// The bytes of both directions.
    var bytes: UInt64 { bytesSent &+ bytesReceived }

    /// The share of messages that were late or lost; nil without messages.
    var lateShare: Double? { messages == 0 ? nil : Double(lateMessages) / Double(messages) }

    func json(_ rates: Rates?) -> JSONValue {
        .object([
            ("kind", .string(kind)),
            ("class", trafficClass.map { .string($0) } ?? .null),
            ("target", .string(target)),
            ("client", client.map { .string($0) } ?? .null),
            ("state", state.map { .string($0) } ?? .null),
            ("cap", cap?.json ?? .null),
            ("open", .count(open)),
            ("flows", .int(Int64(clamping: flows))),
            ("failed", .int(Int64(clamping: failed))),
            (
                "failures",
                .object(
                    failures.sorted { $0.key < $1.key }.map {
                        ($0.key, .int(Int64(clamping: $0.value)))
                    })
            ),
            ("replaced", .int(Int64(clamping: replaced))),
            ("bytes_sent", .int(Int64(clamping: bytesSent))),
            ("bytes_received", .int(Int64(clamping: bytesReceived))),
            ("sent_bits_per_second", .optional(rates.map { $0.sent * 8 })),
            ("received_bits_per_second", .optional(rates.map { $0.received * 8 })),
            ("messages", .int(Int64(clamping: messages))),
            ("late_messages", .int(Int64(clamping: lateMessages))),
            ("late_share", .optional(lateShare)),
        ])
    }
}

extension FlowReport {
    /// A forward of this side.
    init(_ forward: ForwardStatus) {
        let spec = forward.spec
        self.init(
            kind: (spec.isReverse ? "reverse " : "") + spec.kind.rawValue,
            trafficClass: (spec.kind == .udp
                ? spec.options.datagramClass : spec.options.flowClass).name, target: "")
        var place = spec.listen.description
        switch forward.state {
        case .listening(let address): place = address
        case .waiting: state = "waiting for the peer"
        case .refused(let result): state = "refused: \(result.text)"
        case .leaving(let address):
            place = address
            state = "ended, its connections go on"
        }
        target = [place, spec.target?.description].compactMap { $0 }.joined(separator: "=")
        take(forward.totals)
    }

    /// All forwards that a server serves in one session of a client.
    init(client: String, session number: Int, _ totals: FlowTotals, cap: CapUse?) {
        self.init(kind: "forwards", target: "session \(number)", client: client, cap: cap)
        take(totals)
    }

    /// The flows of all sessions of a client to one target.
    init(client: String, _ targets: [TargetStatus]) {
        self.init(
            kind: targets.first?.kind.rawValue ?? "", target: targets.first?.target ?? "",
            client: client)
        guard var sum = targets.first?.totals else { return }
        for target in targets.dropFirst() { sum.add(target.totals) }
        take(sum)
    }

    private mutating func take(_ totals: FlowTotals) {
        open = totals.open
        flows = totals.flows
        failed = totals.failed
        failures = Dictionary(
            totals.failures.map { ($0.key.name, $0.value) }, uniquingKeysWith: { $0 &+ $1 })
        replaced = totals.replaced
        bytesSent = totals.sentBytes
        bytesReceived = totals.receivedBytes
        messages = totals.datagrams.datagramsSent
        lateMessages = totals.datagrams.expired
    }
}

/// Rates over the last two seconds, bytes per second.
struct Rates: Sendable, Equatable {
    var sent: Double
    var received: Double

    /// A rate in bytes per second as tables show it.
    static func text(_ bytesPerSecond: Double?) -> String {
        bytesPerSecond.map { SessionSummary.rate($0) } ?? "-"
    }
}

/// Counters of many things at the last few moments, from which rates are computed.
struct RateWindow: Sendable {
    /// The time over which rates are computed.
    static let span = TimeDelta.seconds(2)

    private struct Sample: Sendable {
        var time: Instant
        var sent: UInt64
        var received: UInt64
    }
    private var samples: [String: [Sample]] = [:]

    /// Takes counters, about once a second.
    mutating func add(_ key: String, sent: UInt64, received: UInt64, at time: Instant) {
        var kept = samples[key] ?? []
        kept.append(Sample(time: time, sent: sent, received: received))
        // One older than the span is kept, so that the rate is over at least that time.
        while kept.count > 2, time - kept[1].time >= RateWindow.span { kept.removeFirst() }
        samples[key] = kept
    }

    /// Forgets what was not added at the given time.
    mutating func keepOnly(addedAt time: Instant) {
        samples = samples.filter { $0.value.last?.time == time }
    }

    /// The rates up to the given counters; nil if the time was too short, or the counters started again from zero.
    func rates(_ key: String, sent: UInt64, received: UInt64, at time: Instant) -> Rates? {
        guard let first = samples[key]?.first(where: { time - $0.time <= .seconds(4) }),
            sent >= first.sent, received >= first.received
        else { return nil }
        let span = (time - first.time).seconds
        guard span >= 0.2 else { return nil }
        return Rates(
            sent: Double(sent - first.sent) / span,
            received: Double(received - first.received) / span)
    }
}
