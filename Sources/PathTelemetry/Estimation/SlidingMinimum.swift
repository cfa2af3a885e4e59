/// The minimum of the last ten seconds, in constant time and space.
///
/// It has ten slots of one second; a value counts for nine to ten seconds. If time goes back, it
/// counts as unchanged.
struct SlidingMinimum: Sendable {
    private static let slots = 10
    private static let slotLength: Int64 = 1_000_000_000

    private var minima = InlineArray<10, Int64>(repeating: .max)
    private var slot: Int64 = .min
    private var least: Int64 = .max

    init() {}

    /// The minimum, or nil if the window has no value.
    var minimum: TimeDelta? { least == .max ? nil : TimeDelta(nanoseconds: least) }

    /// Adds a value.
    mutating func add(_ value: TimeDelta, now: Instant) {
        advance(to: now)
        let index = SlidingMinimum.index(slot)
        if value.nanoseconds < minima[index] { minima[index] = value.nanoseconds }
        if value.nanoseconds < least { least = value.nanoseconds }
    }

    /// Drops values that have left the window.
    mutating func advance(to now: Instant) {
        // The slot is rounded down, even before the clock's origin.
        let (quotient, remainder) = now.nanoseconds.quotientAndRemainder(
            dividingBy: SlidingMinimum.slotLength)
        let target = remainder < 0 ? quotient - 1 : quotient
        guard target > slot else { return }
        let (distance, overflow) = target.subtractingReportingOverflow(slot)
        let steps = overflow ? Int64(SlidingMinimum.slots) : min(distance, 10)
        for step in 0..<steps { minima[SlidingMinimum.index(target &- step)] = .max }
        slot = target
        least = .max
        for index in 0..<SlidingMinimum.slots where minima[index] < least {
            least = minima[index]
        }
    }

    private static func index(_ slot: Int64) -> Int {
        let remainder = Int(slot % 10)
        return remainder < 0 ? remainder + 10 : remainder
    }
}
