import PathTelemetry

/// What one workload experienced in a run.
enum WorkloadLog: Sendable {
    case messages(MessageLog)
    case stream(StreamLog)

    /// Payload bytes that arrived.
    var bytes: Int {
        switch self {
        case .messages(let log): log.bytes
        case .stream(let log): log.bytes
        }
    }
}

/// Messages: when each was sent, and how long it took.
struct MessageLog: Sendable {
    let deadline: TimeDelta
    /// Whether the sender adapts its rate.
    let isAdaptive: Bool
    private(set) var sentAt: [Instant] = []
    /// Seconds from sending to arrival; infinite for a message that has not arrived.
    private(set) var delays: [Float] = []
    private var sizes: [Int32] = []
    /// Bytes that arrived.
    private(set) var bytes = 0

    init(deadline: TimeDelta, isAdaptive: Bool = false) {
        self.deadline = deadline
        self.isAdaptive = isAdaptive
    }

    var count: Int { delays.count }

    mutating func add(sentAt time: Instant, bytes: Int) {
        sentAt.append(time)
        delays.append(.infinity)
        sizes.append(Int32(clamping: bytes))
    }

    /// Whether a message has not arrived within its deadline.
    func isLate(_ place: Int) -> Bool { Double(delays[place]) > deadline.seconds }

    /// Bytes of a message.
    func size(_ place: Int) -> Int { Int(sizes[place]) }

    mutating func note(_ place: Int, arrivedAt now: Instant) {
        delays[place] = Float((now - sentAt[place]).seconds)
        bytes += Int(sizes[place])
    }
}

/// Streams: what arrived in each tenth of a second, and how long transfers took.
struct StreamLog: Sendable {
    static let slice = TimeDelta.milliseconds(100)
    let start: Instant
    /// When nothing more is sent.
    let stop: Instant
    let isTransfers: Bool
    /// Bytes that arrived in each slice after the start.
    private(set) var slices: [Int] = []
    private(set) var bytes = 0
    /// Longest time between two arrivals.
    private var longestGap = TimeDelta.zero
    private(set) var begun = 0
    /// Seconds of each transfer from its start to the arrival of its end.
    private(set) var completions: [Double] = []
    private var latest: Instant?
    /// When the transfer under way began; nil if there is none.
    private var startedAt: Instant?

    init(start: Instant, stop: Instant, isTransfers: Bool) {
        self.start = start
        self.stop = stop
        self.isTransfers = isTransfers
    }

    mutating func begin(now: Instant) {
        begun += 1
        startedAt = now
    }

    mutating func add(_ count: Int, now: Instant) {
        bytes += count
        if let latest { longestGap = max(longestGap, now - latest) }
        latest = now
        let slice = Int(max(0, (now - start).nanoseconds) / StreamLog.slice.nanoseconds)
        guard slice < 10_000_000 else { return }
        while slices.count <= slice { slices.append(0) }
        slices[slice] += count
    }

    mutating func complete(now: Instant) {
        guard let startedAt else { return }
        completions.append((now - startedAt).seconds)
        self.startedAt = nil
    }

    /// How long the transfer under way has taken by the end of the run; nil if there is none.
    func unfinished(at end: Instant) -> Double? { startedAt.map { (end - $0).seconds } }

    /// The longest time without an arrival, with that after the last one.
    func gap(at end: Instant) -> TimeDelta {
        max(longestGap, min(end, stop) - (latest ?? start))
    }
}
