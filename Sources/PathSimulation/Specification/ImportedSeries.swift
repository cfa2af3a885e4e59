import PathTelemetry
import PathTrace

/// A series of a measured link, from a recording that `pathwise trace import` has made.
///
/// The samples of one path are put into slots of equal length, the median time between two. A slot
/// without a sample has the value before it. Time zero is where the earliest path of the recording
/// begins, so that links from one recording keep their places in time.
struct ImportedSeries {
    /// What is taken of each sample.
    enum Quantity {
        /// Half of the round trip, milliseconds; NaN for a ping without an answer.
        case delay
        /// What was carried since the sample before, Mbit/s.
        case rate
    }

    private(set) var interval = TimeDelta.milliseconds(200)
    private(set) var samples: [Double] = []

    private static let shortest = 0.001
    private static let longest = 3600.0

    /// Nil if the file is no recording at all.
    ///
    /// - Parameter file: its name, and after a `#` the name of the path, if it has several.
    init?(file: String, _ quantity: Quantity) throws(SimulationError) {
        var (name, wanted) = (file, String?.none)
        if !isRegularFile(file), let mark = file.lastIndex(of: "#") {
            name = String(file[..<mark])
            wanted = String(file[file.index(after: mark)...])
        }
        guard fileBegins(name, with: "SQLite format 3\0") else { return nil }
        func invalid(_ fix: String) -> SimulationError {
            .invalidTrace(path: name, line: 0, fix: fix)
        }
        let reader = try ImportedSeries.reading(name) { () throws(TraceError) in
            try TraceReader(path: name)
        }
        let sessions = try ImportedSeries.reading(name, reader.sessions)
        guard let session = sessions.first(where: { $0.info.role == "import" }) else {
            throw invalid("it records a session; 'trace import' makes recordings of links")
        }
        let paths = try ImportedSeries.reading(name) { () throws(TraceError) in
            try reader.paths(of: session.id)
        }
        let listed = clipped(paths.map(\.info.name).joined(separator: ", "))
        guard wanted != nil || paths.count == 1 else {
            throw invalid("it has several paths; write '#' and one of \(listed) after its name")
        }
        guard let path = paths.first(where: { wanted == nil || $0.info.name == wanted }) else {
            throw invalid("no path is called '\(clipped(wanted ?? ""))'; there are \(listed)")
        }
        var measured = Measured(path: path.info.path, quantity: quantity)
        try ImportedSeries.reading(name) { () throws(TraceError) in
            try reader.forEachSample(of: session.id) { _, sample in measured.add(sample) }
        }
        guard !measured.isEmpty else {
            throw invalid(
                quantity == .delay
                    ? "it has no round trips; import pings, or iperf3's JSON"
                    : "it has no rates; import a Mahimahi trace, or iperf3's JSON")
        }
        interval = measured.interval
        guard let slots = measured.slots() else {
            throw invalid(
                "more than \(LinkBounds.traceOpportunities) samples or intervals; shorten it")
        }
        samples = slots
    }

    /// Turns an error of the recording into one of this room.
    private static func reading<Result>(
        _ name: String, _ body: () throws(TraceError) -> Result
    ) throws(SimulationError) -> Result {
        do throws(TraceError) { return try body() } catch {
            throw .invalidTrace(path: name, line: 0, fix: "\(error)")
        }
    }

    /// The samples of one path, and where the others begin.
    private struct Measured {
        let path: PathID
        let quantity: Quantity
        /// Seconds.
        private var times: [Double] = []
        private var values: [Double] = []
        private var isOverfull = false
        /// The first two times of each other path.
        private var others: [PathID: (first: Double, second: Double?)] = [:]

        init(path: PathID, quantity: Quantity) {
            self.path = path
            self.quantity = quantity
        }

        var isEmpty: Bool { !values.contains { $0 > 0 } }

        mutating func add(_ sample: PathSample) {
            let time = Double(sample.time.nanoseconds) * 1e-9
            guard sample.snapshot.path == path else {
                var other = others[sample.snapshot.path] ?? (time, nil)
                if other.second == nil, time > other.first { other.second = time }
                others[sample.snapshot.path] = other
                return
            }
            guard let value = value(of: sample.snapshot) else { return }
            guard values.count < LinkBounds.traceOpportunities else {
                isOverfull = true
                return
            }
            times.append(time)
            values.append(value)
        }

        /// Nil if the sample does not say.
        private func value(of snapshot: PathSnapshot) -> Double? {
            switch quantity {
            case .rate: return snapshot.deliveryRate * 8e-6
            case .delay:
                if snapshot.probeTimeouts > 0 { return .nan }
                return snapshot.latestRTT > .zero ? snapshot.latestRTT.milliseconds / 2 : nil
            }
        }

        /// The median time between two samples, in whole milliseconds.
        var interval: TimeDelta {
            let gaps = zip(times, times.dropFirst()).map { $1 - $0 }.filter { $0 > 0 }.sorted()
            guard !gaps.isEmpty else { return .milliseconds(200) }
            let median = (gaps[gaps.count / 2] * 1e3).rounded() * 1e-3
            return TimeDelta(
                seconds: max(ImportedSeries.shortest, min(median, ImportedSeries.longest)))
        }

        /// One value for each interval; nil if there are too many.
        func slots() -> [Double]? {
            guard !isOverfull, let first = times.first, let last = times.last else { return nil }
            let length = interval.seconds
            // A rate is that of the time before its sample.
            let lead = quantity == .rate ? 1.0 : 0
            var start = first - lead * length
            for (begin, next) in others.values {
                start = min(start, begin - lead * ((next ?? begin) - begin))
            }
            let most = Double(LinkBounds.traceOpportunities)
            guard (last - start) / length < most - 1 else { return nil }
            var slots: [Double] = []
            for (time, value) in zip(times, values) {
                let place = Int(max(0, ((time - start) / length - lead).rounded()))
                // What no sample says is as before; before the first, as in the first.
                while slots.count < place { slots.append(slots.last ?? value) }
                if slots.count == place { slots.append(value) } else { slots[place] = value }
            }
            return slots
        }
    }
}
