import PathTelemetry

/// Datagrams of flows whose opening has not been read yet, in the order they came.
///
/// A message may overtake the stream that opens its flow. Bounds: 64 datagrams a flow, 64 flows,
/// 256 kB, and a time.
struct EarlyDatagrams {
    /// One message, after `DatagramFlow.prefix` bytes.
    struct Held {
        var bytes: [UInt8]
        var at: Instant
    }

    static let perFlow = 64
    static let flows = 64
    static let maximumBytes = 256 << 10
    /// How long a message waits for its opening if nothing else is said.
    static let patience = TimeDelta.seconds(10)

    private let patience: TimeDelta

    private var held: [UInt64: [Held]] = [:]
    private(set) var bytes = 0
    /// Datagrams that were not kept, or whose flow was not opened in time.
    private(set) var dropped: UInt64 = 0

    init(patience: TimeDelta = EarlyDatagrams.patience) { self.patience = patience }

    /// How many flows wait for their opening.
    var flowCount: Int { held.count }

    /// Keeps a message if there is room.
    mutating func keep(_ message: UnsafeRawBufferPointer, flow: UInt64, now: Instant) {
        let size = message.count + DatagramFlow.prefix
        if held.count >= EarlyDatagrams.flows || bytes + size > EarlyDatagrams.maximumBytes {
            expire(now: now)
        }
        guard bytes + size <= EarlyDatagrams.maximumBytes,
            held[flow].map({ $0.count < EarlyDatagrams.perFlow })
                ?? (held.count < EarlyDatagrams.flows)
        else {
            dropped += 1
            return
        }
        let copy = [UInt8](repeating: 0, count: DatagramFlow.prefix) + message
        held[flow, default: []].append(Held(bytes: copy, at: now))
        bytes += copy.count
    }

    /// Removes and returns the messages of a flow that was opened.
    mutating func take(_ flow: UInt64, now: Instant) -> [Held] {
        guard let found = held.removeValue(forKey: flow) else { return [] }
        bytes -= found.reduce(0) { $0 + $1.bytes.count }
        let kept = found.filter { now - $0.at <= patience }
        dropped += UInt64(found.count - kept.count)
        return kept
    }

    /// Drops the messages of flows whose first one has waited too long.
    mutating func expire(now: Instant) {
        for (flow, messages) in held {
            guard let first = messages.first, now - first.at > patience else {
                continue
            }
            held[flow] = nil
            bytes -= messages.reduce(0) { $0 + $1.bytes.count }
            dropped += UInt64(messages.count)
        }
    }
}
