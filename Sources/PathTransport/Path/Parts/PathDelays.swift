public import Histogram
import PathTelemetry

/// The distribution of the delays of one path since it was added.
public struct PathDelays: Sendable {
    /// Round-trip times, microseconds.
    public private(set) var rtt: Histogram<UInt32>
    /// One-way delays towards the peer, microseconds: differences between paths are exact; their
    /// common offset assumes that the fastest path is symmetric.
    public private(set) var oneWay: Histogram<UInt32>

    init() {
        rtt = PathDelays.empty()
        oneWay = PathDelays.empty()
    }

    /// Covers a microsecond to a minute with two digits; it has a fixed size, so that recording
    /// does not allocate.
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

    /// A percentile of the delays in milliseconds; nil without samples.
    public static func milliseconds(
        _ histogram: borrowing Histogram<UInt32>, _ percentile: Double
    ) -> Double? {
        guard histogram.totalCount > 0 else { return nil }
        return Double(histogram.valueAtPercentile(percentile)) / 1e3
    }
}
