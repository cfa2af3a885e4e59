import PathSimulation
import PathTelemetry
import PathTransport

/// The streams of one workload: an endless one, or transfers one after another.
struct StreamFeed: Sendable {
    /// Nil for an endless stream.
    let load: TransferLoad?
    let direction: LinkDirection
    private let priority: StreamPriority
    /// Its place in the world.
    let workload: Int
    /// When the next transfer begins; distant future while one is under way.
    private(set) var nextAt: Instant
    private(set) var log: StreamLog
    /// Whether the stream takes no more for now.
    var isBlocked = false
    private let end: Instant
    private var random: SeededGenerator
    private var stream: StreamID?
    private var left = 0
    private var count = 0

    /// - Parameters:
    ///   - load: nil for an endless stream.
    ///   - index: its place in the world.
    ///   - seed: seed of the run.
    ///   - start: the start of the run.
    init(
        _ load: TransferLoad?, of workload: Workload, _ index: Int, seed: UInt64, start: Instant,
        duration: TimeDelta
    ) {
        self.load = load
        direction = workload.direction
        priority = workload.priority ?? .bulk
        self.workload = index
        end = start + (workload.stop ?? duration)
        random = SeededGenerator(seed: Workload.seed(of: index, in: seed))
        nextAt = start + workload.start
        log = StreamLog(
            start: start + workload.start, stop: end, isTransfers: load != nil)
    }

    /// Begins what is due, and writes what fits.
    ///
    /// - Returns: the stream, if one was opened.
    mutating func send(
        into connection: inout Connection, zeros: [UInt8], now: Instant
    ) -> StreamID? {
        var opened: StreamID?
        if stream == nil, nextAt <= now {
            guard now < end, let new = try? connection.openStream(isUnidirectional: true)
            else { return nil }
            (stream, opened) = (new, new)
            try? connection.setPriority(priority, of: new)
            isBlocked = false
            nextAt = .distantFuture
            if let load {
                left = load.sizes[count % load.sizes.count]
                count += 1
                log.begin(now: now)
            }
        }
        guard let stream, !isBlocked else { return opened }
        if load == nil, now >= end {
            try? connection.finish(stream)
            isBlocked = true
            return opened
        }
        while load == nil || left > 0 {
            let wanted = load == nil ? zeros.count : min(left, zeros.count)
            let written = zeros.withUnsafeBytes {
                (try? connection.write(stream, UnsafeRawBufferPointer(rebasing: $0[..<wanted])))
                    ?? 0
            }
            if load != nil { left -= written }
            if written < wanted {
                isBlocked = true
                return opened
            }
        }
        try? connection.finish(stream)
        isBlocked = true
        return opened
    }

    mutating func noteArrival(_ bytes: Int, now: Instant) { log.add(bytes, now: now) }

    /// The receiver has the end of the stream.
    mutating func noteEnd(now: Instant) {
        stream = nil
        guard let load else { return }
        log.complete(now: now)
        let think = load.think == .zero ? .zero : load.think * random.exponential()
        // A moment later, so that the sender is woken for it.
        let next = now + max(think, TimeDelta(nanoseconds: 1))
        nextAt = next < end ? next : .distantFuture
    }
}
