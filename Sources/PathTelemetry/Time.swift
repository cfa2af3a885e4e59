/// A point on a monotonic clock, in nanoseconds from an arbitrary origin.
///
/// The core never reads a clock: its driver (sockets, simulator) passes the time.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's origin.
    public var nanoseconds: Int64

    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The clock's origin.
    @inlinable
    public static var zero: Instant { Instant(nanoseconds: 0) }
    /// Later than every instant that occurs: "no timer".
    @inlinable
    public static var distantFuture: Instant { Instant(nanoseconds: .max) }

    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
    @inlinable
    public static func + (instant: Instant, delta: TimeDelta) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(delta.nanoseconds)
        return overflow
            ? Instant(nanoseconds: delta.nanoseconds > 0 ? .max : .min)
            : Instant(nanoseconds: sum)
    }
    @inlinable
    public static func - (instant: Instant, delta: TimeDelta) -> Instant {
        let (difference, overflow) = instant.nanoseconds.subtractingReportingOverflow(
            delta.nanoseconds)
        return overflow
            ? Instant(nanoseconds: delta.nanoseconds > 0 ? .min : .max)
            : Instant(nanoseconds: difference)
    }
    @inlinable
    public static func - (left: Instant, right: Instant) -> TimeDelta {
        let (difference, overflow) = left.nanoseconds.subtractingReportingOverflow(
            right.nanoseconds)
        return TimeDelta(
            nanoseconds: overflow
                ? (left.nanoseconds > right.nanoseconds ? .max : .min) : difference)
    }
    @inlinable
    public static func += (instant: inout Instant, delta: TimeDelta) { instant = instant + delta }
}

/// A signed difference of two instants, in nanoseconds.
public struct TimeDelta: Hashable, Comparable, Sendable {
    /// Nanoseconds; negative means earlier.
    public var nanoseconds: Int64

    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Converts seconds, saturating at the limits; NaN becomes zero.
    @inlinable
    public init(seconds: Double) {
        let scaled = seconds * 1e9
        if scaled.isNaN {
            nanoseconds = 0
        } else if scaled >= 9.2e18 {
            nanoseconds = .max
        } else if scaled <= -9.2e18 {
            nanoseconds = .min
        } else {
            nanoseconds = Int64(scaled)
        }
    }

    // It is computed, so that other modules see the number and not a call.
    @inlinable
    public static var zero: TimeDelta { TimeDelta(nanoseconds: 0) }
    @inlinable
    public static var infinite: TimeDelta { TimeDelta(nanoseconds: .max) }

    /// Converts whole seconds, saturating at the limits.
    @inlinable
    public static func seconds(_ value: Int64) -> TimeDelta {
        TimeDelta(nanoseconds: value) * Int64(1_000_000_000)
    }
    /// Converts whole milliseconds, saturating at the limits.
    @inlinable
    public static func milliseconds(_ value: Int64) -> TimeDelta {
        TimeDelta(nanoseconds: value) * Int64(1_000_000)
    }
    /// Converts whole microseconds, saturating at the limits.
    @inlinable
    public static func microseconds(_ value: Int64) -> TimeDelta {
        TimeDelta(nanoseconds: value) * Int64(1_000)
    }

    @inlinable
    public var seconds: Double { Double(nanoseconds) * 1e-9 }
    @inlinable
    public var milliseconds: Double { Double(nanoseconds) * 1e-6 }
    @inlinable
    public var microseconds: Int64 { nanoseconds / 1_000 }

    @inlinable
    public static func < (left: TimeDelta, right: TimeDelta) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
    @inlinable
    public static func + (left: TimeDelta, right: TimeDelta) -> TimeDelta {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
        return TimeDelta(nanoseconds: overflow ? (left.nanoseconds > 0 ? .max : .min) : sum)
    }
    @inlinable
    public static func - (left: TimeDelta, right: TimeDelta) -> TimeDelta {
        let (difference, overflow) = left.nanoseconds.subtractingReportingOverflow(
            right.nanoseconds)
        return TimeDelta(nanoseconds: overflow ? (left.nanoseconds > 0 ? .max : .min) : difference)
    }
    @inlinable
    public static func * (delta: TimeDelta, factor: Int64) -> TimeDelta {
        let (product, overflow) = delta.nanoseconds.multipliedReportingOverflow(by: factor)
        guard overflow else { return TimeDelta(nanoseconds: product) }
        return TimeDelta(nanoseconds: (delta.nanoseconds > 0) == (factor > 0) ? .max : .min)
    }
    @inlinable
    public static func * (delta: TimeDelta, factor: Double) -> TimeDelta {
        TimeDelta(seconds: delta.seconds * factor)
    }
    @inlinable
    public static func / (delta: TimeDelta, divisor: Int64) -> TimeDelta {
        TimeDelta(nanoseconds: delta.nanoseconds / divisor)
    }
    /// The absolute value.
    @inlinable
    public var magnitude: TimeDelta {
        nanoseconds < 0 ? TimeDelta(nanoseconds: nanoseconds == .min ? .max : -nanoseconds) : self
    }
}
