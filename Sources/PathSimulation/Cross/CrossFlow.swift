import PathTelemetry

/// One flow of cross traffic, with both of its ends.
///
/// `handleTimeout` at `nextDue`, `handleDelivery` for each of its packets that arrives, and after both
/// `pollSend` until nil. Its sender knows of the network what acknowledgements tell.
struct CrossFlow: Sendable {
    /// What a flow has done.
    struct Counters: Sendable, Hashable {
        var sent = LinkCounters.Volume()
        var delivered = LinkCounters.Volume()
    }

    /// A packet to offer.
    struct Packet {
        /// IP bytes.
        var bytes: Int
        var token: Int
    }

    let traffic: CrossTraffic
    private(set) var counters = Counters()
    private let number: Int
    private let start: Int64
    private let stop: Int64
    private var window: WindowSender
    private var schedule: OnOffSchedule
    private var sequence = 0
    private var isStopped = false
    /// Acknowledgements on their way back.
    private var acknowledgements = TimedQueue()
    /// The last of them, and what shifts them.
    private var lastDue = Int64.min
    private var shifts: LinkRandom

    init(_ traffic: CrossTraffic, seed: UInt64, number: Int, origin: Instant) {
        self.traffic = traffic
        self.number = number
        start = (origin + traffic.start).nanoseconds
        stop = traffic.stop.map { (origin + $0).nanoseconds } ?? .max
        let random = LinkRandom(
            state: SplitMix64.mix(SplitMix64.mix(seed ^ 0x6372_6f73_7321) &+ UInt64(number)))
        window = WindowSender(traffic, random: random)
        shifts = random.branch(0x7068_6173_6521)
        schedule = OnOffSchedule(traffic, start: start, random: random)
    }

    /// The token of a packet of nobody.
    static let nobody = Int.min

    /// The token of a packet, below zero: links and tokens of datagrams know nothing of flows.
    private static func token(flow: Int, number: Int) -> Int { -1 &- (number &<< 8 | flow) }

    /// The flow and the number of a packet.
    static func packet(of token: Int) -> (flow: Int, number: Int) {
        let value = -1 &- token
        return (value & 0xff, value &>> 8)
    }

    /// Hosts answer after a random time of up to two milliseconds, as otherwise equal flows fall into step
    /// with a full queue and one of them starves (Floyd and Jacobson, "Traffic Phase Effects in
    /// Packet-Switched Gateways", 1992).
    private static let longestShift = 2e6

    private var isWindowed: Bool { traffic.kind != .udp }

    /// When it has to be called next; `Int64.max` if never.
    var nextDue: Int64 {
        guard isWindowed else { return schedule.nextDue < stop ? schedule.nextDue : .max }
        let due = min(acknowledgements.firstDue, window.timeout)
        let send = isStopped ? .max : max(start, window.nextSend)
        return send < stop ? min(due, send) : due
    }

    /// Takes acknowledgements that have arrived, and what time has brought.
    mutating func handleTimeout(now: Instant) {
        guard isWindowed else { return }
        while acknowledgements.firstDue <= now.nanoseconds {
            let entry = acknowledgements.popFirst()
            window.handleAck(entry.token, isMarked: entry.tag != 0, now: now.nanoseconds)
        }
        window.handleTimeout(now: now.nanoseconds)
    }

    /// The next packet that may leave now.
    mutating func pollSend(now: Instant) -> Packet? {
        guard now.nanoseconds >= start else { return nil }
        guard now.nanoseconds < stop else {
            isStopped = true
            return nil
        }
        if isWindowed {
            guard window.maySend(now: now.nanoseconds) else { return nil }
            window.handleSent(sequence, now: now.nanoseconds)
        } else {
            guard schedule.pollSend(now: now.nanoseconds) else { return nil }
        }
        let packet = Packet(
            bytes: traffic.packetBytes, token: CrossFlow.token(flow: number, number: sequence))
        sequence &+= 1
        counters.sent.add(packet.bytes)
        return packet
    }

    /// Takes a packet at the flow's other end, which acknowledges it.
    ///
    /// - Parameter isMarked: whether it met congestion; the acknowledgement says so.
    mutating func handleDelivery(_ number: Int, isMarked: Bool, at time: Instant) {
        counters.delivered.add(traffic.packetBytes)
        guard isWindowed else { return }
        let shift = nanoseconds(shifts.uniform() * CrossFlow.longestShift)
        let due = saturatingSum((time + traffic.roundTrip).nanoseconds, shift)
        lastDue = max(lastDue, due)
        acknowledgements.push(due: lastDue, token: number, bytes: 0, tag: isMarked ? 1 : 0)
    }
}
