public import PathEvaluation
import PathTelemetry

/// An evaluation as parts of a page.
extension EvaluationReport {
    /// Values of all policies by the preferred estimator, with the recorded mean as a line.
    public func figure(palette: Palette) -> String {
        let items = policies.compactMap { policy -> IntervalPlot.Item? in
            guard let estimate = policy.rows.estimate(preferred) else { return nil }
            let interval = policy.analysis.interval(of: estimate, confidence: options.confidence)
            return IntervalPlot.Item(
                policy.label, value: estimate.value, low: interval.low, high: interval.high)
        }
        return IntervalPlot(
            title: "Estimated reward by policy", label: rewardLabel, mark: .dot, items: items,
            reference: recorded.value, palette: palette
        ).svg()
    }

    private var rewardLabel: String {
        switch source {
        case .traces(.late): "minus the share of late bursts"
        case .traces: "reward (minus cost)"
        case .log: "reward"
        }
    }

    /// Blocks of a page: verdicts, figures and tables, then each policy on its own.
    public func blocks(palette: Palette) -> [HTMLPage.Block] {
        var blocks: [HTMLPage.Block] = []
        for (policy, text) in zip(policies, verdicts) {
            let tone: HTMLPage.Tone =
                switch policy.verdict.level {
                case .trust: .good
                case .weak: .warn
                case .doNotTrust: .bad
                }
            blocks.append(.verdict(tone, text))
        }
        blocks += warnings.map { .verdict(.bad, $0) }
        if let table = networkTable() {
            blocks.append(.heading("On the network"))
            blocks.append(.table(table))
            blocks.append(.heading("Values"))
        }
        blocks.append(
            .figure(
                svg: figure(palette: palette),
                caption: "\(preferred.text.uppercased()) with "
                    + "\(NumberText.short(options.confidence * 100)) % intervals; the dashed line "
                    + "is the recorded value. Further right is better."))
        blocks.append(.table(table()))
        blocks.append(.table(gains()))
        blocks += remarks.map { .paragraph($0) }
        blocks.append(overTime(palette))
        for policy in policies { blocks += self.blocks(of: policy) }
        return blocks
    }

    private func overTime(_ palette: Palette) -> HTMLPage.Block {
        var series: [LinePlot.Series] = []
        for policy in policies {
            var before = 0
            var points: [(x: Double, y: Double)] = []
            for part in policy.analysis.overTime {
                points.append((Double(before) + Double(part.count) / 2, part.value))
                before += part.count
            }
            series.append(LinePlot.Series(policy.label, points))
        }
        let all = series.flatMap { $0.points.map(\.y) } + [recorded.value]
        let plot = LinePlot(
            title: "Values over time",
            x: Axis("decision", range: 0...Double(max(1, evaluated))),
            y: Axis(rewardLabel, covering: all), series: series, palette: palette)
        return .figure(
            svg: plot.svg(),
            caption: "Each policy's value over consecutive parts of the log.")
    }

    private func blocks(of policy: PolicyEvaluation) -> [HTMLPage.Block] {
        let facts = policy.diagnostics
        var blocks: [HTMLPage.Block] = [
            .heading(policy.label), .paragraph(diagnosis(of: policy)),
            .paragraph(outcomes(of: policy)),
            .figure(
                svg: weights(facts),
                caption: "Distribution of the weights; the further right, the fewer decisions "
                    + "determine the estimate."),
            .table(slices(of: policy)),
        ]
        if !facts.actionFits.isEmpty {
            blocks.append(.table(calibration(facts)))
        }
        var rows = TextTable([
            TextTable.Column("row"), TextTable.Column("weight"), TextTable.Column("influence"),
        ])
        for item in facts.influential {
            rows.add([
                NumberText.count(item.row), NumberText.short(item.weight, digits: 4),
                EvaluationReport.signed(item.influence),
            ])
        }
        blocks.append(.paragraph("The rows that change the estimate most, and by how much:"))
        blocks.append(.table(rows))
        return blocks
    }

    /// The distribution of the weights on a logarithmic axis.
    private func weights(_ facts: Diagnostics) -> String {
        let counts = facts.weightHistogram
        let step = 1.0 / 8
        let points = counts.indices.map { (x: -4 + Double($0) * step, y: Double(counts[$0])) }
        let used = points.filter { $0.y > 0 }.map(\.x)
        let low = (used.first ?? -1) - step
        let high = (used.last ?? 1) + 2 * step
        let plot = LinePlot(
            title: "Weights", x: Axis("log10 of the weight", range: low...high),
            y: Axis("decisions", covering: points.map(\.y), includeZero: true),
            series: [
                LinePlot.Series("decisions", points.filter { $0.x >= low && $0.x <= high })
            ], stepped: true, palette: Palette(["decisions"]))
        return plot.svg()
    }

    /// The reward model's expectation for each action against its actual reward.
    private func calibration(_ facts: Diagnostics) -> TextTable {
        var table = TextTable([
            TextTable.Column("reward model", .left), TextTable.Column("rows"),
            TextTable.Column("expected"), TextTable.Column("earned"),
            TextTable.Column("variance explained"),
        ])
        for (name, fit) in facts.actionFits where fit.rows > 0 {
            table.add([
                name, NumberText.count(fit.rows),
                NumberText.fixed(fit.predicted / Double(fit.rows), 4),
                NumberText.fixed(fit.earned / Double(fit.rows), 4),
                NumberText.percent(fit.explained),
            ])
        }
        return table
    }
}
