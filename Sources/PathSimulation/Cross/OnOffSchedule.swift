import PathTelemetry

/// Packets at a fixed rate, always or in turn with silence for exponential times.
///
/// Times follow from the seed alone.
struct OnOffSchedule: Sendable {
    private let interval: Int64
    private let pattern: CrossTraffic.Pattern?
    private var random: LinkRandom
    private var next: Int64
    /// When the present time of sending ends.
    private var end: Int64

    init(_ traffic: CrossTraffic, start: Int64, random: LinkRandom) {
        interval = max(
            1, nanoseconds(Double(traffic.packetBytes) * 8e9 / max(1, traffic.bitsPerSecond)))
        pattern = traffic.pattern
        self.random = random
        next = start
        end = .max
        if let pattern { end = saturatingSum(start, draw(pattern.on)) }
    }

    private mutating func draw(_ mean: TimeDelta) -> Int64 {
        max(1_000_000, nanoseconds(Double(mean.nanoseconds) * random.exponential()))
    }

    /// When the next packet leaves.
    var nextDue: Int64 { next }

    /// Whether a packet leaves now.
    mutating func pollSend(now: Int64) -> Bool {
        guard next <= now else { return false }
        next = saturatingSum(next, interval)
        if let pattern, next >= end {
            next = saturatingSum(end, draw(pattern.off))
            end = saturatingSum(next, draw(pattern.on))
        }
        return true
    }
}
