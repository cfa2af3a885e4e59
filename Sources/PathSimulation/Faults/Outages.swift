import PathTelemetry

/// Intervals in which nothing enters or leaves the bottleneck.
struct Outages: LinkFault {
    var spans: [LinkParameters.Outage] = [] {
        didSet { sortSpans() }
    }
    /// Those without repeats by their starts, and the latest end up to each.
    private var single: [LinkParameters.Outage] = []
    private var ends: [TimeDelta] = []
    private var repeated: [LinkParameters.Outage] = []

    static let options = [
        FaultOption<Outages>(
            "down=S-E[/PERIOD]",
            "outage from S to E seconds, repeated if given; several joined by ';'"
        ) { (text) throws(SimulationError) in
            let spans = try Outages.spans(text)
            return { (fault) throws(SimulationError) in
                guard fault.spans.count + spans.count <= LinkBounds.steps else {
                    throw .invalidOption(
                        key: "down", value: "...",
                        fix: "at most \(LinkBounds.steps) outages; S-E/PERIOD repeats one")
                }
                fault.spans += spans
            }
        }
    ]

    private mutating func sortSpans() {
        repeated = spans.filter { $0.period > .zero }
        single = spans.filter { $0.period <= .zero }.sorted { $0.start < $1.start }
        ends = []
        for span in single { ends.append(max(span.end, ends.last ?? span.end)) }
    }

    func isDown(at time: Int64) -> Bool {
        for span in repeated where time >= span.start.nanoseconds {
            let into = (time - span.start.nanoseconds) % span.period.nanoseconds
            if into < span.end.nanoseconds - span.start.nanoseconds { return true }
        }
        // The number of those that have begun.
        var (low, high) = (0, single.count)
        while low < high {
            let middle = (low + high) / 2
            if single[middle].start.nanoseconds <= time {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low > 0 && time < ends[low - 1].nanoseconds
    }

    private static func spans(
        _ text: OptionText
    ) throws(SimulationError) -> [LinkParameters.Outage] {
        var spans: [LinkParameters.Outage] = []
        for part in text.value.split(separator: ";", omittingEmptySubsequences: false) {
            guard spans.count < LinkBounds.steps else {
                throw text.invalid(
                    "at most \(LinkBounds.steps) outages; S-E/PERIOD repeats one")
            }
            spans.append(try span(part, text))
        }
        return spans
    }

    private static func span(
        _ part: Substring, _ text: OptionText
    ) throws(SimulationError) -> LinkParameters.Outage {
        let halves = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let span = halves.first, let dash = rangeDash(span) else {
            throw text.invalid(
                "use START-END or START-END/PERIOD in seconds, several joined by ';'")
        }
        let start = try text.time(span[..<dash])
        let end = try text.time(span[span.index(after: dash)...])
        guard end > start else { throw text.invalid("the end must be after the start") }
        let period = halves.count > 1 ? try text.time(halves[1]) : .zero
        guard period == .zero || period > end - start else {
            throw text.invalid("the period must be longer than the outage")
        }
        return LinkParameters.Outage(start: start, end: end, period: period)
    }

    /// The dash between two numbers; a dash after an `e` belongs to an exponent.
    private static func rangeDash(_ text: Substring) -> Substring.Index? {
        var previous: Character = "e"
        for index in text.indices {
            if text[index] == "-", previous != "e", previous != "E" { return index }
            previous = text[index]
        }
        return nil
    }
}

extension LinkParameters {
    /// An interval in which nothing enters or leaves the bottleneck.
    struct Outage: Sendable, Hashable {
        var start: TimeDelta
        /// The first moment after the outage.
        var end: TimeDelta
        /// Interval of repeats if above zero.
        var period: TimeDelta

        init(start: TimeDelta, end: TimeDelta, period: TimeDelta = .zero) {
            self.start = start
            self.end = end
            self.period = period
        }
    }

    var outages: [Outage] {
        get { faults[Outages.self].spans }
        set { faults[Outages.self].spans = newValue }
    }
}
