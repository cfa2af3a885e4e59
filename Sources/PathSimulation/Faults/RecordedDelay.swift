import PathTelemetry

/// Delay that follows a recording, with the losses of the recording.
///
/// The delay of a packet is interpolated between the samples around the time at which it leaves the
/// queue; next to a lost sample it is that of the other one. Half of an interval around a lost
/// sample loses everything. The series begins again at its end.
struct RecordedDelay: LinkFault {
    var series: DelaySeries?
    private var now: Int64 = 0

    static let options = [
        FaultOption<RecordedDelay>(
            "delays=FILE",
            "adds the delays of a file: milliseconds every 200 ms, or INTERVAL MS in its first "
                + "line, one a line, 'lost' for loss"
        ) { (text) throws(SimulationError) in
            let series = try DelaySeries(file: resolved(String(text.value), in: text.folder))
            return { $0.series = series }
        }
    ]

    mutating func advance(to time: Int64) { now = time }

    mutating func loses(_ random: inout LinkRandom) -> Bool {
        guard let series else { return false }
        return series.isLost(at: now)
    }

    mutating func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double {
        guard let series else { return milliseconds }
        return milliseconds + series.delay(at: now)
    }
}

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
        let text = String(decoding: try readFile(file, limit: LinkBounds.traceBytes), as: UTF8.self)
        var interval = TimeDelta.milliseconds(200)
        var samples: [Double] = []
        var number = 0
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            number += 1
            if line.isEmpty || line.hasPrefix("#") { continue }
            func invalid(_ fix: String) -> SimulationError {
                .invalidTrace(path: file, line: number, fix: fix)
            }
            if line.hasPrefix("interval ") {
                guard samples.isEmpty,
                    let seconds = ArgumentText.seconds(String(line.dropFirst("interval ".count))),
                    (0.001...3600).contains(seconds)
                else { throw invalid("write 'interval 200ms' before the first delay") }
                interval = TimeDelta(seconds: seconds)
            } else if line == "lost" {
                samples.append(.nan)
            } else {
                guard let delay = ArgumentText.number(line), LinkBounds.delay.contains(delay) else {
                    throw invalid("write one delay in milliseconds, or 'lost'")
                }
                samples.append(delay)
            }
        }
        guard let series = DelaySeries(interval: interval, samples: samples) else {
            throw .invalidTrace(path: file, line: number, fix: "no delay in it, or too many")
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

extension LinkParameters {
    /// Delays of a recording, added to the constant delay.
    var recordedDelay: DelaySeries? {
        get { faults[RecordedDelay.self].series }
        set { faults[RecordedDelay.self].series = newValue }
    }
}
