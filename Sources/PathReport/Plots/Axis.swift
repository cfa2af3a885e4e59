import Glibc
import PathTelemetry

/// The format of the numbers on an axis.
public enum AxisFormat: Sendable {
    case plain
    /// Seconds, written with the unit that suits each tick.
    case time
    /// A share of one, written in percent.
    case percent
    /// Bytes per second, written as bits per second.
    case rate
    case bytes

    func text(_ value: Double) -> String {
        if value == 0 { return self == .percent ? "0 %" : "0" }
        return switch self {
        case .plain: NumberText.short(value, digits: 4)
        case .time: NumberText.time(value)
        case .percent: NumberText.short(value * 100, digits: 4) + " %"
        case .rate: NumberText.rate(bytesPerSecond: value)
        case .bytes: NumberText.bytes(value)
        }
    }
}

/// One axis of a plot: its range, what it measures, and where its ticks are.
public struct Axis: Sendable {
    public var label: String
    public var format: AxisFormat
    public var isLogarithmic: Bool
    /// The visible range; `low < high`, and positive on a logarithmic axis.
    public private(set) var low: Double
    public private(set) var high: Double

    /// Makes an axis that covers all values, widened to round numbers.
    ///
    /// - Parameter includeZero: for linear axes only.
    public init(
        _ label: String, covering values: some Sequence<Double>, format: AxisFormat = .plain,
        logarithmic: Bool = false, includeZero: Bool = false
    ) {
        self.label = label
        self.format = format
        isLogarithmic = logarithmic
        var least = Double.infinity
        var most = -Double.infinity
        for value in values where value.isFinite && (!logarithmic || value > 0) {
            least = min(least, value)
            most = max(most, value)
        }
        if least > most { (least, most) = logarithmic ? (1, 10) : (0, 1) }
        if logarithmic {
            low = least
            high = most > least ? most : least * 10
            // Half a step of margin on both sides.
            low /= 1.08
            high *= 1.08
        } else {
            if includeZero { (least, most) = (min(0, least), max(0, most)) }
            if least == most { (least, most) = (least - 0.5, most + 0.5) }
            let step = Axis.step(for: most - least)
            low = (least / step).rounded(.down) * step
            high = (most / step).rounded(.up) * step
        }
    }

    /// Makes an axis with exactly this range.
    public init(_ label: String, range: ClosedRange<Double>, format: AxisFormat = .plain) {
        self.label = label
        self.format = format
        isLogarithmic = false
        low = range.lowerBound
        high = range.upperBound > low ? range.upperBound : low + 1
    }

    /// The relative position of a value, clamped to 0...1.
    func position(_ value: Double) -> Double {
        let share =
            isLogarithmic
            ? log(max(value, low) / low) / log(high / low) : (value - low) / (high - low)
        return share.isNaN ? 0 : min(1, max(0, share))
    }

    /// 1, 2 or 5 times a power of ten, so that the span has four to eight steps.
    static func step(for span: Double) -> Double {
        guard span > 0, span.isFinite else { return 1 }
        let rough = span / 5
        let power = pow(10, log10(rough).rounded(.down))
        let lead = rough / power
        return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10)
    }

    /// Values with a label, in ascending order.
    var ticks: [Double] {
        guard isLogarithmic else {
            let step = Axis.step(for: high - low)
            var ticks: [Double] = []
            var index = (low / step).rounded(.up)
            while index * step <= high + step * 1e-9, ticks.count < 50 {
                ticks.append(index * step)
                index += 1
            }
            return ticks
        }
        let decades = log10(high / low)
        let leads: [Double] = decades > 4 ? [1] : decades > 2 ? [1, 3] : [1, 2, 5]
        var ticks: [Double] = []
        var exponent = log10(low).rounded(.down)
        while ticks.count < 50 {
            let power = pow(10, exponent)
            if power > high { break }
            for lead in leads where lead * power >= low && lead * power <= high {
                ticks.append(lead * power)
            }
            exponent += 1
        }
        return ticks
    }
}
