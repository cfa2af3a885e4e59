import PathTelemetry

/// The smallest round trip of a path that was seen for a while, and not by one packet alone.
///
/// Under jitter the smallest sample of all is far below what the path usually takes, and a product with
/// it is no measure of the pipe. So a value counts when seven samples in a row, spread over most of a
/// round trip, were not above it. Source: picoquic, `BBRUpdateRTTJitterBuffer`.
struct SustainedMinimum: Sendable {
    private static let length = 7
    /// Least distance of two samples; closer ones count as one, with the larger value.
    private static let leastDistance = TimeDelta.milliseconds(1)

    /// The smallest sample of all; infinite before the first.
    private(set) var least = TimeDelta.infinite
    private var sustained = TimeDelta.infinite
    private var recent = InlineArray<7, TimeDelta>(repeating: .zero)
    private var count = 0
    private var slot = 0
    private var slotStart = Instant.zero

    /// The minimum; infinite before the first sample, and the smallest while there are few.
    ///
    /// - Parameter spread: the path's jitter. The value is not more than two spreads and an eighth
    ///   above the smallest sample, so that the queue of a start is not taken for the path.
    func value(spread: TimeDelta) -> TimeDelta {
        guard sustained != .infinite else { return least }
        return min(sustained, least + least / 8 + spread * Int64(2))
    }

    /// Takes one sample.
    mutating func update(_ rtt: TimeDelta, now: Instant) {
        let distance = max(SustainedMinimum.leastDistance, least == .infinite ? .zero : least / 8)
        least = min(least, rtt)
        if count > 0, now - slotStart < distance {
            recent[slot] = max(recent[slot], rtt)
            return
        }
        if count == SustainedMinimum.length {
            var largest = TimeDelta.zero
            for index in 0..<SustainedMinimum.length { largest = max(largest, recent[index]) }
            sustained = min(sustained, largest)
        }
        slot = count == 0 ? 0 : (slot + 1) % SustainedMinimum.length
        count = min(count + 1, SustainedMinimum.length)
        recent[slot] = rtt
        slotStart = now
    }
}
