import Glibc
import PathSimulation
import PathTelemetry
import PathTransport

/// The messages of one workload.
struct MessageFeed: Sendable {
    let load: MessageLoad
    let direction: LinkDirection
    private let priority: StreamPriority
    /// Its place in the world.
    let workload: Int
    private(set) var nextAt: Instant
    private(set) var log: MessageLog
    private let start: Instant
    private let end: Instant
    private var random: SeededGenerator
    private var count = 0
    /// The messages under way, by their number in the protocol.
    private var open: [UInt64: Int] = [:]
    private var bytes: [UInt8]
    /// Nil for a sender that does not adapt.
    private var adaptation: RateAdaptation?

    /// - Parameters:
    ///   - load: what the workload sends.
    ///   - index: its place in the world.
    ///   - seed: seed of the run.
    ///   - start: the start of the run.
    init(
        _ load: MessageLoad, of workload: Workload, _ index: Int, seed: UInt64, start: Instant,
        duration: TimeDelta
    ) {
        self.load = load
        direction = workload.direction
        priority = workload.priority ?? .media
        self.workload = index
        self.start = start + workload.start
        end = start + (workload.stop ?? duration)
        random = SeededGenerator(seed: Workload.seed(of: index, in: seed))
        nextAt = start + workload.start
        log = MessageLog(deadline: load.deadline, isAdaptive: load.leastShare != nil)
        bytes = [UInt8](repeating: 7, count: 65_536)
        adaptation = load.leastShare.map {
            RateAdaptation(leastShare: $0, start: start + workload.start)
        }
    }

    /// When the receiver reports next to a sender that adapts.
    var nextReportAt: Instant { adaptation?.nextReportAt ?? .distantFuture }

    /// Sends the receiver's report, if one is due.
    mutating func report(over connection: inout Connection, now: Instant, clock: TimeDelta) {
        adaptation?.report(over: &connection, now: now, clock: clock)
    }

    /// Takes a report that arrived at the sender; false if the message is something else.
    mutating func takeReport(_ number: UInt64, now: Instant) -> Bool {
        adaptation?.take(number, now: now) ?? false
    }

    /// Sends the messages that are due; those before the connection is established are left out.
    ///
    /// - Parameters:
    ///   - isOpen: whether the connection was ever established.
    ///   - clock: the clock of this end minus that of the world.
    mutating func send(
        into connection: inout Connection, isOpen: Bool, now: Instant, clock: TimeDelta
    ) {
        adaptation?.check(now: now)
        while let due = popDue(now: now) {
            guard isOpen else { continue }
            let options = MessageOptions(
                deadline: now + clock + load.deadline, isReliable: load.isReliable,
                priority: priority)
            let number = bytes.withUnsafeBytes {
                try? connection.sendMessage(
                    UnsafeRawBufferPointer(rebasing: $0[..<due.size]), options: options,
                    now: now + clock)
            }
            if let number { open[number] = log.count }
            log.add(sentAt: due.at, bytes: due.size)
        }
    }

    /// Loses the messages that are due, because there is no connection any more.
    mutating func lose(now: Instant) {
        while let due = popDue(now: now) { log.add(sentAt: due.at, bytes: due.size) }
    }

    /// Takes a message that is due now, for a sender of another kind.
    mutating func offer(now: Instant) -> (place: Int, size: Int)? {
        guard let due = popDue(now: now) else { return nil }
        log.add(sentAt: due.at, bytes: due.size)
        return (log.count - 1, due.size)
    }

    /// Such a message has arrived.
    mutating func arrive(_ place: Int, at time: Instant) { log.note(place, arrivedAt: time) }

    private mutating func popDue(now: Instant) -> (at: Instant, size: Int)? {
        guard nextAt <= now else { return nil }
        let due = (nextAt, nextSize())
        advance()
        return due
    }

    /// Takes a message that arrived; false if it belongs to another workload.
    mutating func take(_ number: UInt64, now: Instant) -> Bool {
        guard let place = open.removeValue(forKey: number) else { return false }
        log.note(place, arrivedAt: now)
        adaptation?.noteArrival(place, isLate: log.isLate(place))
        return true
    }

    private mutating func nextSize() -> Int {
        count += 1
        guard let frames = load.frames else { return load.size }
        // A group of one key frame and n - 1 others has n times the mean.
        let isKey = (count - 1) % frames.group == 0
        let unit =
            Double(load.size) * Double(frames.group)
            / (frames.factor + Double(frames.group - 1))
        let deviation = frames.deviation
        let factor = exp(deviation * random.normal() - deviation * deviation / 2)
        let size = unit * (isKey ? frames.factor : 1) * factor * (adaptation?.share ?? 1)
        return max(1, min(bytes.count, Int(min(1e6, size))))
    }

    private mutating func advance() {
        let gap: TimeDelta =
            switch load.arrivals {
            case .steady: load.interval
            case .poisson: max(.microseconds(1), load.interval * random.exponential())
            }
        nextAt = nextAt + gap
        if let pattern = load.pattern {
            let period = pattern.on + pattern.off
            let into = TimeDelta(
                nanoseconds: (nextAt - start).nanoseconds % max(1, period.nanoseconds))
            if into >= pattern.on { nextAt = nextAt + (period - into) }
        }
        if nextAt >= end { nextAt = .distantFuture }
    }
}
