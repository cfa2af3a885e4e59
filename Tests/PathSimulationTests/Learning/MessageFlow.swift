import PathTransport

@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry

/// Messages of one size at a steady pace, each with a deadline, timed from queueing to arrival.
struct MessageFlow: WorldApplication {
    let size: Int
    let interval: TimeDelta
    let deadline: TimeDelta
    let end: TimeDelta
    /// Whether it also writes an endless stream.
    let hasBulk: Bool
    /// Share of the bytes that copies may take.
    let redundancy: Double

    /// Seconds from queueing to arrival, by the message's index; infinite for those that did not
    /// arrive in time.
    private(set) var delays: [Double] = []
    private(set) var sentAt: [Double] = []
    /// What the guard of the learned policy did, seconds since the start.
    private(set) var guardEvents: [(Double, GuardEvent)] = []
    /// Hash of the client's records, where they are recorded.
    private(set) var records = RecordHash()
    /// The client's decisions as others see them, where they are judged.
    private(set) var judged: [JudgedDecision] = []
    private(set) var bulkBytes = 0
    private(set) var isClosed = false
    private var nextAt: Instant?
    private var stream: StreamID?
    private var numbers: [UInt64: Int] = [:]
    private var bytes: [UInt8]
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    init(
        size: Int, interval: TimeDelta, deadline: TimeDelta, seconds: Int64, hasBulk: Bool = false,
        redundancy: Double = 0
    ) {
        self.size = size
        self.interval = interval
        self.deadline = deadline
        self.hasBulk = hasBulk
        self.redundancy = redundancy
        end = .seconds(seconds)
        bytes = [UInt8](repeating: 7, count: size)
    }

    var nextWake: Instant { nextAt ?? .distantFuture }
    var isDone: Bool { isClosed }

    mutating func handleClient(_ connection: inout Connection, now: Instant) {
        while let event = connection.pollEvent() {
            switch event {
            case .closed: isClosed = true
            case .policyGuard(let event): guardEvents.append(((now - start).seconds, event))
            default: break
            }
        }
        connection.drainRecords { record in
            records.add(record)
            if case .judged(let row) = record { judged.append(row) }
        }
        guard connection.isEstablished else { return }
        if hasBulk { writeBulk(&connection) }
        // The first half second is for handshake and the paths' validation.
        var due = nextAt ?? start + .milliseconds(500)
        while due <= now, now - start < end {
            if let number = try? bytes.withUnsafeBytes({
                try connection.sendMessage(
                    $0, options: MessageOptions(deadline: now + deadline, redundancy: redundancy),
                    now: now)
            }) {
                numbers[number] = delays.count
            }
            delays.append(.infinity)
            sentAt.append((now - start).seconds)
            due += interval
        }
        nextAt = now - start < end ? due : .distantFuture
    }

    private mutating func writeBulk(_ connection: inout Connection) {
        if stream == nil { stream = try? connection.openStream() }
        guard let stream else { return }
        while true {
            let accepted = buffer.withUnsafeBytes {
                (try? connection.write(stream, $0)) ?? 0
            }
            if accepted < buffer.count { return }
        }
    }

    mutating func handleServer(_ connection: inout Connection, now: Instant) {
        while let event = connection.pollEvent() {
            if case .streamReadable(let stream) = event {
                while true {
                    let result = buffer.withUnsafeMutableBytes {
                        try? connection.read(stream, into: $0)
                    }
                    guard let result, result.count > 0 else { break }
                    bulkBytes += result.count
                }
            }
        }
        while let message = connection.receiveMessage() {
            guard let place = numbers[message.number] else { continue }
            let delay = (now - start).seconds - sentAt[place]
            if delay <= deadline.seconds { delays[place] = delay }
        }
    }

    // MARK: figures

    /// Messages after the first second whose deadline lies within the run.
    private var counted: [Double] {
        zip(sentAt, delays).filter { $0.0 >= 1 && $0.0 + deadline.seconds <= end.seconds }
            .map(\.1)
    }

    /// Share of messages that did not arrive within their deadline.
    var lateShare: Double {
        let all = counted
        return Double(all.filter { $0 == .infinity }.count) / Double(max(1, all.count))
    }

    /// Mean time to arrival, a late message counted as twice its deadline, seconds.
    var meanDelay: Double {
        let all = counted
        return all.reduce(0) { $0 + ($1 == .infinity ? 2 * deadline.seconds : $1) }
            / Double(max(1, all.count))
    }

    /// Share of messages that took longer than a time in seconds.
    func share(above limit: Double) -> Double {
        let all = counted
        return Double(all.filter { $0 > limit }.count) / Double(max(1, all.count))
    }

    func quantile(_ share: Double) -> Double {
        let all = counted.sorted()
        return all.isEmpty ? .nan : all[min(all.count - 1, Int(Double(all.count) * share))]
    }
}
