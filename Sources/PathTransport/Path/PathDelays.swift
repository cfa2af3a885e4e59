public import Histogram
import PathTelemetry

/// How the delays of one path are distributed, since it was added.
public struct PathDelays: Sendable {
    /// Round-trip times, microseconds.
    public private(set) var rtt: Histogram<UInt32>
    /// One-way delays towards the peer, microseconds: differences between paths are exact, the
    /// common level rests on the fastest path being symmetric.
    public private(set) var oneWay: Histogram<UInt32>

    init() {
        rtt = PathDelays.empty()
        oneWay = PathDelays.empty()
    }

    /// From a microsecond to a minute, two digits: no growth, so no allocation while recording.
    private static func empty() -> Histogram<UInt32> {
        Histogram<UInt32>(
            lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000,
            numberOfSignificantValueDigits: .two)
    }

    private static let range = 1...59_999_999.0

    mutating func record(rtt sample: TimeDelta, oneWay delay: Double?) {
        let limit = PathDelays.range
        let microseconds = min(max(sample.seconds * 1e6, limit.lowerBound), limit.upperBound)
        rtt.record(UInt64(microseconds))
        if let delay, delay.isFinite {
            oneWay.record(UInt64(min(max(delay * 1e6, limit.lowerBound), limit.upperBound)))
        }
    }

    /// The delays' percentiles in milliseconds; nil without samples.
    public static func milliseconds(
        _ histogram: borrowing Histogram<UInt32>, _ percentile: Double
    ) -> Double? {
        guard histogram.totalCount > 0 else { return nil }
        return Double(histogram.valueAtPercentile(percentile)) / 1e3
    }
}
