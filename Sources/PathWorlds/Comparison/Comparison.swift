import PathEvaluation
import PathTelemetry

/// The runs of a campaign, compared with a baseline in the same worlds with the same seeds.
public struct Comparison: Sendable {
    public let worlds: [WorldSpecification]
    public let contenders: [Contender]
    /// Place of the policy that the others are compared with.
    public let baseline: Int
    public let confidence: Double
    /// The seeds that every policy has run in every world.
    public let seeds: [UInt64]
    /// By world, contender and seed.
    private let runs: [[[RunFigures]]]
    /// By contender.
    private var overalls: [Overall] = []

    /// A mean over seeds, and the mean difference to the baseline.
    struct Cell: Sendable {
        var value: Double
        /// Relative to the baseline's mean; nil for the baseline, and where that is zero.
        var difference: Double?
        /// Of the relative difference; nil if there are too few seeds.
        var interval: Interval?
    }

    /// A policy over all worlds.
    struct Overall: Sendable {
        /// Mean over worlds and workloads of the relative difference in cost: below zero is better
        /// than the baseline, whatever the figure.
        var difference: Double
        var interval: Interval?
        /// The largest relative difference in cost, and where it is.
        var worst: Double
        var worstPlace: String
        /// Share of worlds and workloads in which it is within 2 % of the best policy.
        var nearBest: Double
        /// The number of worlds and workloads.
        var count: Int
    }

    public init(
        worlds: [WorldSpecification], contenders: [Contender], baseline: Int,
        confidence: Double, runs: [RunFigures]
    ) {
        self.worlds = worlds
        self.contenders = contenders
        self.baseline = baseline
        self.confidence = confidence
        var table = Array(
            repeating: Array(repeating: [RunFigures](), count: contenders.count),
            count: worlds.count)
        for run in runs { table[run.world][run.contender].append(run) }
        self.runs = table
        seeds = table.first?.first?.map(\.seed) ?? []
        overalls = contenders.indices.map(summary)
    }

    /// The runs of a policy in a world, in the order of seeds.
    func runs(world: Int, contender: Int) -> [RunFigures] { runs[world][contender] }

    /// One figure of a workload.
    func cell(world: Int, contender: Int, workload: Int, metric: Metric) -> Cell {
        let own = runs[world][contender].map { $0.workloads[workload][metric] }
        let base = runs[world][baseline].map { $0.workloads[workload][metric] }
        let value = Comparison.mean(own)
        let reference = Comparison.mean(base)
        guard contender != baseline, reference.magnitude > 0, reference.isFinite else {
            return Cell(value: value)
        }
        var differences = zip(own, base).map { $0 - $1 }
        let first = runs[world][baseline].first?.workloads[workload].values.first?.metric
        if differences.count < Comparison.leastPairs, metric == first {
            // Few runs: their blocks of some seconds are the pairs.
            differences = zip(runs[world][contender], runs[world][baseline]).flatMap { own, base in
                zip(own.workloads[workload].blocks, base.workloads[workload].blocks)
                    .map { $0 - $1 }.filter(\.isFinite)
            }
        }
        let interval = PairedBootstrap.interval(
            differences, confidence: confidence, seed: UInt64(world &* 1000 &+ workload))
        return Cell(
            value: value, difference: (value - reference) / reference,
            interval: interval.map {
                Interval($0.low / reference, $0.high / reference, method: $0.method)
            })
    }

    /// The mean of a figure of runs over seeds.
    func mean(
        world: Int, contender: Int, _ figure: (RunFigures) -> Double
    ) -> Double {
        Comparison.mean(runs[world][contender].map(figure))
    }

    /// A policy against the baseline over all worlds, by the first figure of each workload.
    func overall(contender: Int) -> Overall { overalls[contender] }

    private func summary(of contender: Int) -> Overall {
        var costs: [Double] = []
        var overall = Overall(
            difference: .nan, worst: -.infinity, worstPlace: "", nearBest: 0, count: 0)
        for world in worlds.indices {
            for workload in worlds[world].workloads.indices {
                guard let own = cost(world, contender, workload),
                    let base = cost(world, baseline, workload), base > 0
                else { continue }
                let difference = own / base - 1
                costs.append(difference)
                if difference > overall.worst {
                    overall.worst = difference
                    overall.worstPlace =
                        "\(worlds[world].name)/\(worlds[world].workloads[workload].name)"
                }
                let best =
                    contenders.indices.filter { !contenders[$0].isOracle }
                    .compactMap { cost(world, $0, workload) }.min() ?? own
                if own <= best * 1.02 { overall.nearBest += 1 }
            }
        }
        overall.count = costs.count
        overall.difference = Comparison.mean(costs)
        overall.nearBest /= Double(max(1, costs.count))
        guard contender != baseline else { return overall }
        // Of few worlds the runs are the pairs.
        let pairs = costs.count < Comparison.leastPairs ? changesBySeed(contender) : costs
        overall.interval = PairedBootstrap.interval(pairs, confidence: confidence, seed: 1)
        return overall
    }

    /// The fewest pairs that an interval is made of.
    private static let leastPairs = 5

    /// The mean change in cost over all worlds and workloads, for each seed.
    private func changesBySeed(_ contender: Int) -> [Double] {
        seeds.indices.map { seed in
            var changes: [Double] = []
            for world in worlds.indices {
                for workload in worlds[world].workloads.indices {
                    guard let own = cost(runs[world][contender][seed], workload),
                        let base = cost(runs[world][baseline][seed], workload),
                        let mean = cost(world, baseline, workload)
                    else { continue }
                    changes.append((own - base) / mean)
                }
            }
            return Comparison.mean(changes)
        }
    }

    private func cost(_ run: RunFigures, _ workload: Int) -> Double? {
        run.workloads[workload].values.first.flatMap { Comparison.cost($0.value, of: $0.metric) }
    }

    /// A rate below that counts as that much, so that a run without any arrival has a cost too.
    private static let leastRate = 1000.0

    /// The first figure as something to be small; a rate counts by its inverse.
    private func cost(_ world: Int, _ contender: Int, _ workload: Int) -> Double? {
        let runs = runs[world][contender]
        guard let metric = runs.first?.workloads[workload].values.first?.metric else { return nil }
        return Comparison.cost(
            Comparison.mean(runs.map { $0.workloads[workload][metric] }), of: metric)
    }

    private static func cost(_ value: Double, of metric: Metric) -> Double? {
        guard value.isFinite, metric.isMoreBetter || value > 0 else { return nil }
        return metric.isMoreBetter ? 1 / max(value, leastRate) : value
    }

    private static func mean(_ values: [Double]) -> Double {
        values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
    }
}
