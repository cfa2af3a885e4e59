internal import CLinuxUDP
public import PathTelemetry
public import PathTransport
internal import Synchronization

/// The clock of the sockets: CLOCK_MONOTONIC, which no one can set.
public enum MonotonicClock {
    /// Reads the clock; about 25 ns.
    public static func now() -> Instant { Instant(nanoseconds: clu_monotonic()) }
}

/// Stamps of first messages: the wall clock, and above every stamp of this process before, whatever
/// happens to the clock.
public enum StampClock {
    private static let last = Atomic<UInt64>(0)

    /// The next stamp.
    public static func now() -> InitiationStamp {
        let wall = UInt64(max(0, clu_realtime()))
        var before = last.load(ordering: .relaxed)
        while true {
            let next = max(wall, before &+ 1)
            let (exchanged, original) = last.compareExchange(
                expected: before, desired: next, ordering: .relaxed)
            if exchanged { return InitiationStamp(nanoseconds: next) }
            before = original
        }
    }
}

/// Turns the kernel's receive stamps, which are on the wall clock, into monotonic instants.
///
/// The offset of the two clocks is measured again every 100 ms, so a wall clock that is slewed
/// or set is followed. A stamp that lies in the future or too far back is not believed: the
/// time of the call stands in for it.
struct ReceiveStampConverter: Sendable {
    private static let refreshInterval = TimeDelta.milliseconds(100)
    private static let oldestBelievable = TimeDelta.seconds(5)

    /// Wall clock minus monotonic clock, in nanoseconds.
    private var offset: Int64 = 0
    private var measuredAt: Instant?

    init() {}

    /// The monotonic instant of a wall-clock stamp in nanoseconds since 1970; `now` if it is zero.
    mutating func instant(realtime stamp: Int64, now: Instant) -> Instant {
        guard stamp > 0 else { return now }
        if let measuredAt, now - measuredAt < ReceiveStampConverter.refreshInterval {
        } else {
            measure(now: now)
        }
        let converted = Instant(nanoseconds: stamp &- offset)
        let age = now - converted
        guard age >= .zero, age < ReceiveStampConverter.oldestBelievable else { return now }
        return converted
    }

    /// Of three readings the one that took the least time is kept: an interruption between the
    /// two clocks would shift every stamp.
    private mutating func measure(now: Instant) {
        var shortest = Int64.max
        for _ in 0..<3 {
            let before = clu_monotonic()
            let wall = clu_realtime()
            let after = clu_monotonic()
            let took = after &- before
            guard took < shortest else { continue }
            shortest = took
            offset = wall &- (before &+ took / 2)
        }
        measuredAt = now
    }
}
