import PathTelemetry

/// The bottleneck of a link: computes departures from a rate with steps, from a series of rates, or
/// from a trace.
///
/// Service is first in, first out, and its capacity does not depend on the traffic, so the
/// departure of a packet is known when it arrives. Times are nanoseconds after the origin.
struct Bottleneck: Sendable {
    private var rate: Double
    private var steps: [LinkParameters.RateStep]
    private var nextStep = 0
    private let series: RateSeries?
    private let trace: [UInt32]
    private let period: Int64
    private var position = 0
    private var base: Int64 = 0
    private var credit = 0
    /// When the latest packet leaves.
    private(set) var lastDeparture = Int64.min

    init(_ parameters: LinkParameters) {
        rate = parameters.rateMegabits
        steps = parameters.rateSteps
        series = parameters.rateSeries
        trace = parameters.trace?.milliseconds ?? []
        period = Int64(trace.last ?? 0) * 1_000_000
    }

    /// Whether packets pass without service.
    var isUnlimited: Bool { trace.isEmpty && !(rate > 0) && series == nil }

    /// Takes steps to which one was added at a place.
    ///
    /// Packets whose departure is known keep it.
    mutating func take(_ steps: [LinkParameters.RateStep], addedAt place: Int) {
        self.steps = steps
        if place < nextStep { nextStep += 1 }
    }

    /// The departure of a packet; calls must be in the order of arrival.
    mutating func departure(bytes: Int, arrival: Int64) -> Int64 {
        lastDeparture =
            trace.isEmpty
            ? saturatingSum(
                max(arrival, lastDeparture),
                serviceTime(bytes: bytes, start: max(arrival, lastDeparture)))
            : opportunity(bytes: bytes, arrival: arrival)
        return lastDeparture
    }

    /// Service time in nanoseconds of a packet whose service starts at `start`; starts must not
    /// decrease.
    mutating func serviceTime(bytes: Int, start: Int64) -> Int64 {
        if let series { return series.departure(bytes: bytes, start: start) - max(0, start) }
        while nextStep < steps.count, steps[nextStep].at.nanoseconds <= start {
            rate = steps[nextStep].megabits
            nextStep += 1
        }
        return nanoseconds(Double(bytes) * 8000 / rate)
    }

    /// The departure by a trace: an opportunity carries 1500 bytes of whole packets or the rest of
    /// one, and unused capacity is lost.
    private mutating func opportunity(bytes: Int, arrival: Int64) -> Int64 {
        if lastDeparture <= arrival {
            credit = 0
            skipOpportunities(through: arrival)
        } else if credit >= bytes {
            credit -= bytes
            return lastDeparture
        }
        while true {
            let at = base + Int64(trace[position]) * 1_000_000
            position += 1
            if position == trace.count {
                position = 0
                base = min(base + period, .max / 2)
            }
            credit += CapacityTrace.opportunityBytes
            if credit >= bytes {
                credit -= bytes
                return at
            }
        }
    }

    /// Moves to the first opportunity after a time, in whole rounds and then by binary search.
    private mutating func skipOpportunities(through time: Int64) {
        guard time >= base else { return }
        let rounds = (time - base) / period
        if rounds > 0 {
            base += rounds * period
            position = 0
        }
        let sinceBase = time - base
        var low = position
        var high = trace.count
        while low < high {
            let middle = (low + high) / 2
            if Int64(trace[middle]) * 1_000_000 > sinceBase {
                high = middle
            } else {
                low = middle + 1
            }
        }
        position = low
    }
}

/// A saturating sum.
func saturatingSum(_ left: Int64, _ right: Int64) -> Int64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? (right > 0 ? .max : .min) : sum
}

/// Whole nanoseconds of a duration; negative values and NaN become zero, huge ones a year.
func nanoseconds(_ value: Double) -> Int64 {
    guard value > 0 else { return 0 }
    return value < 3.2e16 ? Int64(value) : 32_000_000_000_000_000
}
