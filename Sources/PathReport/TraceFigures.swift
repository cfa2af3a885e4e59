import PathLearning
import PathTelemetry
public import PathTrace

/// The figures of one or more recorded sessions, collected in one pass over the trace.
public struct TraceFigures: Sendable {
    /// The most values kept per distribution; larger ones are sampled uniformly.
    private static let sampleLimit = 20_000
    /// Stretches of time of plots over time.
    public static let stretches = 120

    /// Delivery time of every closed decision, infinite if it was late; by label.
    public private(set) var deliveries: [(name: String, values: [Double], seen: Int)] = []
    private var shares: [SessionShares] = []
    private var generator: SeededGenerator

    private struct SessionShares: Sendable {
        var label: String
        var names: [String]
        var duration: Double
        /// Bytes per interval of time, by path.
        var bytes: [[Double]]
    }

    public init(seed: UInt64 = 1) { generator = SeededGenerator(seed: seed) }

    /// Adds a session under a label, usually its policy's name.
    ///
    /// - Parameter info: the session as `TraceReader.info` returns it.
    public mutating func add(
        _ trace: TraceReader, session info: TraceInfo.Session, label: String
    ) throws(TraceError) {
        let started = info.session.info.started
        let last = max(info.session.ended ?? .zero, info.lastDecision ?? started)
        let duration = max(1e-3, (last - started).seconds)
        var session = SessionShares(
            label: label, names: (0..<PathID.limit).map { "path \($0)" }, duration: duration,
            bytes: [[Double]](
                repeating: [Double](repeating: 0, count: PathID.limit),
                count: TraceFigures.stretches))
        for path in info.paths { session.names[path.info.path.index] = path.info.name }
        var slot = deliveries.firstIndex { $0.name == label } ?? deliveries.count
        if slot == deliveries.count { deliveries.append((label, [], 0)) }
        slot = min(slot, deliveries.count - 1)
        try trace.forEachDecision(of: info.session.id) { decision in
            let record = decision.record
            let share = (record.time - started).seconds / duration
            let stretch = Int(
                min(max(0, share), 0.999_999) * Double(TraceFigures.stretches))
            guard let outcome = decision.outcome else { return }
            var paths = outcome.bytes.paths
            while let path = paths.popFirst() {
                session.bytes[stretch][path.index] += Double(outcome.bytes[path])
            }
            let value = outcome.isLate ? .infinity : outcome.delivery ?? .infinity
            deliveries[slot].seen += 1
            if deliveries[slot].values.count < TraceFigures.sampleLimit {
                deliveries[slot].values.append(value)
            } else {
                // Reservoir sampling: each value so far is kept with equal probability.
                let place = Int(generator.uniform() * Double(deliveries[slot].seen))
                if place < TraceFigures.sampleLimit { deliveries[slot].values[place] = value }
            }
        }
        shares.append(session)
    }

    /// Plots delivery times, one curve per label.
    public func deliveryPlot(title: String = "Time to delivery", palette: Palette) -> String {
        DistributionPlot(
            title: title, label: "time from decision to delivery",
            series: deliveries.map { DistributionPlot.Series($0.name, $0.values) },
            palette: palette
        ).svg()
    }

    /// Plots the paths' shares of bytes, one drawing per session.
    public func sharePlots(palette: Palette) -> [(label: String, svg: String)] {
        shares.map { session in
            let used = (0..<PathID.limit).filter { path in
                session.bytes.contains { $0[path] > 0 }
            }
            let step = session.duration / Double(TraceFigures.stretches)
            let plot = StackedAreaPlot(
                title: "Share of bytes by path: " + session.label,
                x: Axis("time, s", range: 0...session.duration), label: "share of bytes",
                starts: (0..<TraceFigures.stretches).map { Double($0) * step },
                end: session.duration,
                series: used.map { path in
                    (session.names[path], session.bytes.map { $0[path] })
                }, palette: palette)
            return (session.label, plot.svg())
        }
    }

    /// Bytes per second by stretches of each session's time, for each path by name.
    public var rates: [(label: String, paths: [(name: String, values: [Double])])] {
        shares.map { session in
            let step = session.duration / Double(TraceFigures.stretches)
            let used = (0..<PathID.limit).filter { path in
                session.bytes.contains { $0[path] > 0 }
            }
            return (
                session.label,
                used.map { path in
                    (session.names[path], session.bytes.map { $0[path] / step })
                }
            )
        }
    }

    /// Plots each path's smoothed RTT over the time of one session.
    public static func rttPlot(
        _ trace: TraceReader, session info: TraceInfo.Session, palette: Palette
    ) throws(TraceError) -> String {
        var points = [[(x: Double, y: Double)]](repeating: [], count: PathID.limit)
        let started = info.session.info.started
        try trace.forEachSample(of: info.session.id) { _, sample in
            let path = sample.snapshot
            points[path.path.index].append(
                (
                    x: (sample.time - started).seconds,
                    y: path.state == .closed || path.minRTT == .infinite
                        ? .nan : path.smoothedRTT.seconds
                ))
        }
        var series: [LinePlot.Series] = []
        for path in info.paths where !points[path.info.path.index].isEmpty {
            series.append(LinePlot.Series(path.info.name, points[path.info.path.index]))
            points[path.info.path.index] = []
        }
        let all = series.flatMap(\.points)
        return LinePlot(
            title: "Smoothed RTT: " + info.session.info.policy,
            x: Axis("time, s", range: 0...max(1e-3, info.duration)),
            y: Axis("RTT", covering: all.map(\.y), format: .time, includeZero: true),
            series: series, palette: palette
        ).svg()
    }
}
