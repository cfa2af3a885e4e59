internal import CLinuxUDP
public import PathTelemetry
public import PathTransport
internal import Synchronization

/// The clock of the sockets: CLOCK_MONOTONIC, which cannot be set.
public enum MonotonicClock {
    /// Reads the clock; about 25 ns.
    public static func now() -> Instant { Instant(nanoseconds: clu_monotonic()) }
}

/// Stamps of first messages: the wall clock, but always above earlier stamps of this process, even
/// if the clock is set back.
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

/// Converts the kernel's receive stamps from the wall clock to monotonic instants.
///
/// It measures the offset of the two clocks every 100 ms, to follow a wall clock that is slewed or
/// set. A stamp in the future or too far in the past is replaced by the time of the call.
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

    private mutating func measure(now: Instant) {
        offset = WallClockDistance.read()
        measuredAt = now
    }
}

/// The offset of the wall clock (UTC) from the monotonic clock, measured every second to follow a
/// clock that is slewed or set, and the time during which the machine slept.
struct WallClockDistance {
    private static let interval = TimeDelta.seconds(1)
    private var readAt: Instant?

    /// Wall clock minus monotonic clock; nil if it was read less than a second ago.
    mutating func measure(now: Instant) -> TimeDelta? {
        if let readAt, now - readAt < WallClockDistance.interval { return nil }
        readAt = now
        return TimeDelta(nanoseconds: WallClockDistance.read())
    }

    /// The current offset, nanoseconds.
    ///
    /// The fastest of three readings is used, as an interruption between reading the two clocks
    /// would shift every stamp.
    static func read() -> Int64 {
        var shortest = Int64.max
        var offset: Int64 = 0
        for _ in 0..<3 {
            let before = clu_monotonic()
            let wall = clu_realtime()
            let after = clu_monotonic()
            let took = after &- before
            guard took < shortest else { continue }
            shortest = took
            offset = wall &- (before &+ took / 2)
        }
        return offset
    }
}

/// Notices that the host slept: CLOCK_BOOTTIME counts that time, and CLOCK_MONOTONIC does not.
struct SleepWatch {
    /// Reading the two clocks may take some time in between.
    private static let least: Int64 = 500_000_000
    private var distance: Int64?

    /// How long the host slept since the last call; nil if it did not.
    mutating func measure() -> TimeDelta? {
        let monotonic = clu_monotonic()
        return measure(monotonic: monotonic, boot: clu_boottime())
    }

    /// The same with given readings, nanoseconds.
    mutating func measure(monotonic: Int64, boot: Int64) -> TimeDelta? {
        let found = boot &- monotonic
        defer { distance = found }
        guard let distance, found &- distance >= SleepWatch.least else { return nil }
        return TimeDelta(nanoseconds: found &- distance)
    }
}
