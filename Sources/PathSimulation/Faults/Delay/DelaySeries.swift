import PathTelemetry

/// Delays at a fixed interval; NaN for a lost sample.
struct DelaySeries: Sendable, Hashable {
    /// Nanoseconds.
    let interval: Int64
    /// Milliseconds.
    let samples: [Double]

    /// Nil without samples, with only lost ones, or with a wrong interval or delay.
    init?(interval: TimeDelta, samples: [Double]) {
        guard interval > .zero, interval <= .seconds(3600), !samples.isEmpty,
            samples.count <= LinkBounds.traceOpportunities,
            samples.contains(where: { !$0.isNaN }),
            samples.allSatisfy({ $0.isNaN || LinkBounds.delay.contains($0) })
        else { return nil }
        self.interval = interval.nanoseconds
        self.samples = samples
    }

    /// Reads a file of at most `LinkBounds.traceBytes`.
    init(file: String) throws(SimulationError) {
        let read = try SeriesFile(
            file: file, "one delay in milliseconds", in: LinkBounds.delay, .delay)
        guard let series = DelaySeries(interval: read.interval, samples: read.samples) else {
            throw .invalidTrace(path: file, line: read.lines, fix: "no delay in it, or too many")
        }
        self = series
    }

    /// The samples around a time, and where between them it is.
    private func around(_ time: Int64) -> (before: Double, after: Double, share: Double) {
        let time = max(0, time)
        let index = Int(time / interval % Int64(samples.count))
        let share = Double(time % interval) / Double(interval)
        return (samples[index], samples[(index + 1) % samples.count], share)
    }

    func isLost(at time: Int64) -> Bool {
        let (before, after, share) = around(time)
        return (share < 0.5 ? before : after).isNaN
    }

    /// Milliseconds; zero between two lost samples.
    func delay(at time: Int64) -> Double {
        let (before, after, share) = around(time)
        if before.isNaN { return after.isNaN ? 0 : after }
        return after.isNaN ? before : before + (after - before) * share
    }
}
