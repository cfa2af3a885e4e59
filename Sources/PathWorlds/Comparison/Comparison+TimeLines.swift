import PathReport
import PathSimulation
import PathTelemetry
public import PathTrace

/// What the policies did over the time of a run.
extension Comparison {
    private static let capacity = "could carry"

    /// For each link what each policy sent over it against what the link could carry, and for each
    /// policy the shares of the links; from recordings of the first seed in one world.
    ///
    /// - Parameter traces: a recording for each policy, in their order.
    public func timeLines(
        of world: Int, traces: [String]
    ) throws(TraceError) -> [(caption: String, svg: String)] {
        let specification = worlds[world]
        let direction = specification.workloads.first?.direction ?? .forward
        var figures = TraceFigures()
        for (contender, file) in zip(contenders.filter { !$0.isOracle }, traces) {
            let trace = try TraceReader(path: file)
            // The first session is the client's, the second one the server's.
            let sessions = try trace.info().sessions
            guard let session = direction == .forward ? sessions.first : sessions.last else {
                continue
            }
            try figures.add(trace, session: session, label: contender.name)
        }
        let way = direction == .forward ? "to the server" : "to the client"
        var drawings: [(caption: String, svg: String)] = []
        for place in specification.links.indices {
            let name = specification.links[place].name
            drawings.append(
                (
                    "\(name): what each policy sent over it \(way) in the run of the first seed, "
                        + "against what it could carry. Policies send more than arrives where the "
                        + "link loses packets.",
                    linkPlot(world, place, direction, figures)
                ))
        }
        for (label, svg) in figures.sharePlots(palette: Palette(specification.links.map(\.name))) {
            drawings.append(("\(label): the share of each link in the same run.", svg))
        }
        return drawings
    }

    private func linkPlot(
        _ world: Int, _ place: Int, _ direction: LinkDirection, _ figures: TraceFigures
    ) -> String {
        let specification = worlds[world]
        let name = specification.links[place].name
        let duration = specification.duration
        let step = duration.seconds / Double(TraceFigures.stretches)
        func points(_ values: [Double]) -> [(x: Double, y: Double)] {
            values.enumerated().map { (x: Double($0) * step, y: $1) }
        }
        let seed = seeds.first ?? 1
        let network = specification.network(seed: seed)
        var series: [LinePlot.Series] = []
        let rates = LinkCapacity.rates(
            of: network.links[place][direction], seed: seed, path: place, direction: direction,
            over: duration, stretches: TraceFigures.stretches)
        if let rates { series.append(LinePlot.Series(Comparison.capacity, points(rates))) }
        for (label, paths) in figures.rates {
            let values =
                paths.first { $0.name == name }?.values
                ?? [Double](repeating: 0, count: TraceFigures.stretches)
            series.append(LinePlot.Series(label, points(values)))
        }
        return LinePlot(
            title: name, x: Axis("time, s", range: 0...max(1e-3, duration.seconds)),
            y: Axis(
                "rate", covering: series.flatMap { $0.points.map(\.y) } + [1], format: .rate,
                includeZero: true),
            series: series, stepped: true,
            palette: Palette(contenders.map(\.name) + [Comparison.capacity])
        ).svg()
    }
}
