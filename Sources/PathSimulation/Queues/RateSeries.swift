import PathTelemetry

/// A rate that is constant for one interval after another; the series begins again at its end.
struct RateSeries: Sendable, Hashable {
    /// Nanoseconds.
    let interval: Int64
    let megabits: [Double]
    private let bitsPerRound: Double

    /// A round has to carry at least this much, so that no packet takes many rounds.
    private static let leastBits = 12_000.0

    /// Nil if an interval or rate is out of bounds, a round is longer than 10,000,000 s, or it carries
    /// less than one packet of 1,500 bytes.
    init?(interval: TimeDelta, megabits: [Double]) {
        let length = interval.seconds * Double(megabits.count)
        guard interval > .zero, !megabits.isEmpty, LinkBounds.time.contains(length),
            megabits.count <= LinkBounds.traceOpportunities,
            megabits.allSatisfy({ (0...LinkBounds.rate.upperBound).contains($0) })
        else { return nil }
        self.interval = interval.nanoseconds
        self.megabits = megabits
        bitsPerRound = megabits.reduce(0, +) * 1e-3 * Double(interval.nanoseconds)
        guard bitsPerRound >= RateSeries.leastBits else { return nil }
    }

    /// Reads a file of Mbit/s.
    init(file: String) throws(SimulationError) {
        let read = try SeriesFile(
            file: file, "one rate in Mbit/s", in: 0...LinkBounds.rate.upperBound, .rate)
        guard let series = RateSeries(interval: read.interval, megabits: read.samples) else {
            throw .invalidTrace(
                path: file, line: read.lines,
                fix: "no rate in it, too many, or too low to carry one packet of 1500 bytes")
        }
        self = series
    }

    /// When a packet whose service starts at `start` has left.
    func departure(bytes: Int, start: Int64) -> Int64 {
        let period = interval * Int64(megabits.count)
        var left = Double(bytes) * 8
        let rounds = (left / bitsPerRound).rounded(.down)
        left -= rounds * bitsPerRound
        var time = saturatingSum(max(0, start), nanoseconds(rounds * Double(period)))
        var place = Int(time / interval % Int64(megabits.count))
        // What rounding leaves over after two rounds is less than a bit.
        for _ in 0...(2 * megabits.count) where left > 0 {
            let rate = megabits[place] * 1e-3
            let end = saturatingSum(time - time % interval, interval)
            let room = rate * Double(end - time)
            if room >= left { return saturatingSum(time, nanoseconds(left / rate)) }
            left -= room
            time = end
            place = place + 1 == megabits.count ? 0 : place + 1
        }
        return time
    }
}
