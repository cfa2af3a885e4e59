import PathEvaluation
public import PathReport
import PathTelemetry
public import PathTrace

/// A comparison as an HTML page in one file, with plots.
extension Comparison {
    /// Makes the page.
    ///
    /// - Parameter shares: for each world the drawings of `timeLines`, or none.
    public func page(shares: [[(caption: String, svg: String)]]) -> HTMLPage {
        HTMLPage(
            title: "Policies in " + NumberText.counted(worlds.count, "world"),
            subtitle: contenders.map(\.name).joined(separator: ", ")
                + " against \(contenders[baseline].name); "
                + NumberText.counted(seeds.count, "run") + " of each in each world",
            blocks: blocks(shares: shares))
    }

    /// The parts of the page: a sentence about each policy, the tables and the plots.
    ///
    /// - Parameter shares: for each world the drawings of `timeLines`, or none.
    public func blocks(shares: [[(caption: String, svg: String)]]) -> [HTMLPage.Block] {
        let palette = Palette(
            contenders.map(\.name)
                + Array(Set(worlds.flatMap { $0.links.map(\.name) })).sorted())
        var blocks = headlines.map { HTMLPage.Block.verdict($0, $1) }
        if worlds.reduce(0, { $0 + $1.workloads.count }) > 1 {
            blocks.append(.table(overallTable()))
        }
        blocks.append(.paragraph(note()))
        for world in worlds.indices {
            blocks.append(.heading(worlds[world].name))
            if !worlds[world].summary.isEmpty {
                blocks.append(.paragraph(worlds[world].summary))
            }
            for workload in worlds[world].workloads.indices {
                blocks += self.blocks(world, workload, palette)
            }
            for remark in remarks(world: world) { blocks.append(.verdict(.warn, remark)) }
            guard world < shares.count else { continue }
            for (caption, svg) in shares[world] {
                blocks.append(.figure(svg: svg, caption: caption))
            }
        }
        return blocks
    }

    /// A sentence about each policy but the baseline, and whether it is good news.
    public var headlines: [(HTMLPage.Tone, String)] {
        contenders.indices.filter { $0 != baseline }.map(headline)
    }

    private func headline(_ contender: Int) -> (HTMLPage.Tone, String) {
        let all = overall(contender: contender)
        let name = contenders[contender].name
        let other = contenders[baseline].name
        guard all.difference.isFinite else {
            return (.warn, "\(name): nothing to compare with \(other).")
        }
        let size = NumberText.percent(all.difference.magnitude)
        var text: String
        let tone: HTMLPage.Tone
        switch all.interval ?? cellInterval(contender) {
        case let interval? where interval.high < 0:
            text = "\(name) costs \(size) less than \(other)"
            tone = .good
        case let interval? where interval.low > 0:
            text = "\(name) costs \(size) more than \(other)"
            tone = .bad
        case nil:
            text = "\(name) against \(other): too few runs for an interval"
            tone = .warn
        default:
            text = "\(name) and \(other) cannot be told apart"
            tone = .warn
        }
        text += " (\(Comparison.signed(all.difference))"
        if let interval = all.interval ?? cellInterval(contender) {
            text +=
                ", interval \(Comparison.signed(interval.low)) to "
                + Comparison.signed(interval.high)
        }
        text += "). "
        if all.count > 1 {
            text +=
                "Where \(name) compares worst, \(all.worstPlace), it is "
                + "\(Comparison.signed(all.worst))."
        }
        return (tone, text)
    }

    /// The interval of the only world and workload, if there is only one.
    private func cellInterval(_ contender: Int) -> Interval? {
        guard worlds.count == 1, worlds[0].workloads.count == 1,
            let metric = runs(world: 0, contender: baseline).first?.workloads[0].values.first?
                .metric,
            let interval = cell(world: 0, contender: contender, workload: 0, metric: metric)
                .interval
        else { return nil }
        return metric.isMoreBetter
            ? Interval(-interval.high, -interval.low, method: interval.method) : interval
    }

    private func blocks(_ world: Int, _ workload: Int, _ palette: Palette) -> [HTMLPage.Block] {
        var blocks: [HTMLPage.Block] = [
            .paragraph(title(world, workload)), .table(table(world, workload)),
        ]
        let ranks = contenders.indices.map { contender in
            runs(world: world, contender: contender).flatMap { $0.workloads[workload].ranks }
        }
        if ranks.contains(where: { !$0.isEmpty }) {
            let plot = DistributionPlot(
                title: "Times of \(worlds[world].workloads[workload].name)",
                label: "time to arrival",
                series: zip(contenders, ranks).map { DistributionPlot.Series($0.name, $1) },
                palette: palette)
            blocks.append(
                .figure(
                    svg: plot.svg(),
                    caption: "Share that had arrived within a time; further left and higher is "
                        + "better. What never arrived counts as twice the deadline."))
        }
        let metric = runs(world: world, contender: baseline).first?.workloads[workload].values
            .first?
            .metric
        let items = contenders.indices.compactMap { contender -> IntervalPlot.Item? in
            guard let metric, contender != baseline else { return nil }
            let cell = cell(
                world: world, contender: contender, workload: workload, metric: metric)
            guard let difference = cell.difference, difference.isFinite else { return nil }
            return IntervalPlot.Item(
                contenders[contender].name, value: difference, low: cell.interval?.low,
                high: cell.interval?.high)
        }
        if let metric, !items.isEmpty {
            let plot = IntervalPlot(
                title: "Change of \(metric.title) against \(contenders[baseline].name)",
                label: metric.isMoreBetter ? "right is better" : "left is better",
                format: .percent, mark: .dot, items: items, reference: 0, palette: palette)
            blocks.append(
                .figure(svg: plot.svg(), caption: "Paired by seed, with intervals."))
        }
        return blocks
    }
}
