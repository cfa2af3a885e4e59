public import PathEmulation
import PathTelemetry
import PathTransport
public import Pathwise

/// The results of one policy's run, as measured at the receiving side.
public struct PolicyRun: Sendable {
    /// The policy's name.
    public var policy: String
    /// Number of messages sent; all of them count below, including those that never arrived.
    public var messages: Int
    /// Times from sending each message to its complete arrival, seconds, in the order of sending;
    /// infinite if it never arrived because its deadline passed first.
    public var deliveries: [Double]
    /// When each message was sent, seconds after the start of the stream.
    var sendTimes: [Double]
    /// Deadline of a message, seconds.
    public var deadline: Double
    /// Messages that arrived after their deadline or not at all.
    public var late: Int
    /// The longest time without an arriving message during the stream.
    public var longestGap: Double
    /// Messages that arrived with wrong bytes.
    public var damaged: Int
    public var fileBytes: Int
    /// Time from the start of the file's transfer until it was completely stored, seconds.
    var fileSeconds: Double
    /// The longest time without new bytes of the file.
    var fileGap: Double
    /// Received bytes of the file, by seconds since its start.
    var fileProgress: [(x: Double, y: Double)]
    /// SHA-256 of the sent and of the received file.
    var sentDigest: [UInt8]
    var receivedDigest: [UInt8]
    /// Bytes of all datagrams of the sender, including headers and retransmissions.
    var wireBytes: UInt64
    /// Bytes of the messages that arrived and of the file.
    var payloadBytes: Int
    /// The status of the session after the file.
    public var status: SessionStatus
    /// Counters of the emulated links, in the order of the scenario.
    public var links: [EmulationStatus.Path]
    /// Records that the recording had to drop.
    public var dropped: UInt64 = 0
    /// The recording.
    public var trace = ""

    /// Goodput of the file, bytes per second.
    public var goodput: Double { fileSeconds > 0 ? Double(fileBytes) / fileSeconds : 0 }
    public var lateShare: Double { Double(late) / Double(max(1, messages)) }
    /// Bytes sent beyond the arrived data, as a share of it.
    var extraShare: Double {
        Double(wireBytes) / Double(max(1, payloadBytes)) - 1
    }
    public var failovers: UInt64 { status.statistics.failovers }

    /// The run in one line.
    public var headline: String {
        let p95 = delivery(percentile: 0.95)
        return
            "\(policy) over real sockets, \(NumberText.percent(lateShare)) of the messages late, "
            + "p95 " + (p95.isFinite ? NumberText.time(p95) : "never")
            + ", file in \(NumberText.fixed(fileSeconds, 2)) s"
    }

    /// The time within which this share of all messages was delivered; infinite if fewer arrived.
    public func delivery(percentile share: Double) -> Double {
        let sorted = deliveries.sorted()
        guard !sorted.isEmpty else { return .infinity }
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[min(max(1, rank), sorted.count) - 1]
    }
}

extension PolicyRun {
    init(
        policy: String, scenario: DemoScenario, log: ArrivalLog.State, offered: Int,
        streamStart: Instant, fileStart: Instant, sent: SentItem, status: SessionStatus
    ) {
        self.policy = policy
        messages = offered
        let interval = 1 / Double(scenario.messageRate)
        var deliveries = [Double](repeating: .infinity, count: offered)
        var sendTimes = (0..<offered).map { Double($0) * interval }
        for arrival in log.messages where deliveries.indices.contains(arrival.number) {
            deliveries[arrival.number] = (arrival.arrived - arrival.sent).seconds
            sendTimes[arrival.number] = (arrival.sent - streamStart).seconds
        }
        deadline = scenario.deadline.seconds
        late = deliveries.count { $0 > scenario.deadline.seconds }
        self.deliveries = deliveries
        self.sendTimes = sendTimes
        let arrivals = log.messages.map { ($0.arrived - streamStart).seconds }
        longestGap = PolicyRun.longestGap(arrivals, until: scenario.seconds)
        damaged = log.damaged
        self.fileBytes = Int(sent.bytes)
        let end = log.finished ?? fileStart
        fileSeconds = (end - fileStart).seconds
        let progress = log.progress.map { (x: ($0.at - fileStart).seconds, y: Double($0.bytes)) }
        fileProgress = [(x: 0, y: 0)] + progress
        fileGap = PolicyRun.longestGap(progress.map(\.x), until: progress.last?.x ?? 0)
        sentDigest = sent.digest
        receivedDigest = log.item?.digest ?? []
        wireBytes = status.paths.reduce(0) { $0 + $1.statistics.bytesSent }
        let arrived = self.deliveries.count { $0.isFinite }
        payloadBytes = arrived * scenario.messageBytes + Int(sent.bytes)
        self.status = status
        links = []
    }

    /// The longest gap between times, from zero to the end.
    static func longestGap(_ times: [Double], until end: Double) -> Double {
        var previous = 0.0
        var longest = 0.0
        for time in times.sorted() {
            longest = max(longest, time - previous)
            previous = max(previous, time)
        }
        return max(longest, end - previous)
    }
}
