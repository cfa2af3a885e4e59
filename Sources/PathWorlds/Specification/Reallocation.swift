internal import Glibc
import PathSimulation
import PathTelemetry

/// A link that gets other rates and another delay at fixed intervals, as Starlink does every 15 s.
///
/// Rates are log-uniform and the delay is uniform between their bounds, drawn again for each interval.
struct Reallocation: Sendable, Hashable {
    var every: TimeDelta
    /// The first change, after the start.
    var offset: TimeDelta
    /// Bits per second; nil leaves the link's rate.
    var up: ClosedRange<Double>?
    var down: ClosedRange<Double>?
    /// One way; nil leaves the link's delay.
    var delay: ClosedRange<TimeDelta>?
    /// Share of packets that is lost during the pause that each interval begins with.
    var loss: Double
    var pause: TimeDelta

    /// Applies it to a link for the duration of a run.
    ///
    /// - Parameter link: the place of the link in the world.
    func apply(
        to specification: inout LinkSpecification, link: Int, duration: TimeDelta, seed: UInt64
    ) {
        var random = SeededGenerator(
            seed: SplitMix64.mix(seed) &+ SplitMix64.mix(UInt64(link) &+ 0x7265_616c_6c6f_63))
        func rate(_ range: ClosedRange<Double>?) -> Double? {
            let share = random.uniform()
            return range.map {
                $0.lowerBound * pow($0.upperBound / $0.lowerBound, share) / 1e6
            }
        }
        // The first interval has begun before the run; a change at zero would be no change.
        var time = TimeDelta(nanoseconds: 1)
        var next = offset
        for _ in 0..<WorldBounds.changes where time < duration {
            let up = rate(up)
            let down = rate(down)
            let share = random.uniform()
            let delay = delay.map {
                ($0.lowerBound + ($0.upperBound - $0.lowerBound) * share).milliseconds
            }
            let pauses = loss > 0 && time.nanoseconds > 1
            specification.change(
                at: time, forwardMegabits: up, backwardMegabits: down, delayMilliseconds: delay,
                loss: pauses ? loss : nil)
            if pauses {
                specification.change(
                    at: time + pause, forwardMegabits: up, backwardMegabits: down,
                    delayMilliseconds: delay)
            }
            time = next
            next = next + every
        }
    }
}
