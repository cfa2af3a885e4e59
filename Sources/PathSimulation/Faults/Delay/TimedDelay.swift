import PathTelemetry

/// Delay that depends on the time alone: it follows a recording, with the losses of that, and packets
/// are held until the next release.
///
/// The delay of a packet is interpolated between the samples around the time at which it leaves the
/// queue; next to a lost sample it is that of the other one. Half of an interval around a lost
/// sample loses everything. The series begins again at its end.
struct TimedDelay: LinkFault {
    var series: DelaySeries? { didSet { isOn = series != nil || releases.span > 0 } }
    var releases = Releases() { didSet { isOn = series != nil || releases.span > 0 } }
    private var isOn = false
    private var now: Int64 = 0

    static let options = [
        FaultOption<TimedDelay>(
            "delays=FILE",
            "adds the delays of a file: milliseconds every 200 ms, or INTERVAL MS in its first "
                + "line, one a line, 'lost' for loss"
        ) { (text) throws(SimulationError) in
            let series = try DelaySeries(file: resolved(String(text.value), in: text.folder))
            return { $0.series = series }
        },
        FaultOption<TimedDelay>(
            "aggregate=MS", "packets are held and released together, every MS on average"
        ) { (text) throws(SimulationError) in
            let span = nanoseconds(try text.milliseconds(text.value) * 1e6)
            return { $0.releases.span = span }
        },
    ]

    mutating func start(_ random: LinkRandom) { releases.start(random) }

    mutating func advance(to time: Int64) { now = time }

    mutating func loses(_ random: inout LinkRandom) -> Bool {
        guard let series else { return false }
        return series.isLost(at: now)
    }

    mutating func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double {
        isOn ? milliseconds + addition() : milliseconds
    }

    /// Apart, so that links without it have a short way.
    @inline(never)
    private func addition() -> Double {
        // Half a nanosecond more, so that what cuts off fractions keeps packets of one release together.
        let hold = releases.span > 0 ? Double(releases.hold(at: now)) * 1e-6 + 0.5e-6 : 0
        return (series?.delay(at: now) ?? 0) + hold
    }
}

extension LinkParameters {
    /// Delays of a recording, added to the constant delay.
    var recordedDelay: DelaySeries? {
        get { faults[TimedDelay.self].series }
        set { faults[TimedDelay.self].series = newValue }
    }

    /// Mean time between releases of held packets; zero for none.
    var aggregation: TimeDelta {
        get { TimeDelta(nanoseconds: faults[TimedDelay.self].releases.span) }
        set { faults[TimedDelay.self].releases.span = max(0, newValue.nanoseconds) }
    }
}
