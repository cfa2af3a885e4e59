import PathEvaluation
import PathReport
import PathTrace

/// What `evaluate` prints.
struct EvaluationText {
    var report: EvaluationReport
    var estimators: [Estimator]
    var confidence: Double

    /// A row a policy and estimator, then what to think of it.
    var summary: String {
        let percent = NumberText.short(confidence * 100)
        var table = TextTable([
            TextTable.Column("policy", .left), TextTable.Column("verdict", .left),
            TextTable.Column("estimator", .left), TextTable.Column("reward"),
            TextTable.Column("std. error"), TextTable.Column("\(percent) % interval"),
            TextTable.Column("gain"), TextTable.Column("\(percent) % interval"),
        ])
        table.add(
            ["(recorded)", "", "mean"] + cells(report.recorded) + ["", ""])
        for policy in report.policies {
            for (index, estimator) in estimators.enumerated() {
                let isFirst = index == 0
                let gain = policy.rows.gainOverLogged
                guard let estimate = policy.rows.estimate(estimator) else { continue }
                table.add(
                    [
                        isFirst ? policy.label : "", isFirst ? policy.verdict.level.words : "",
                        estimator.text,
                    ] + cells(estimate)
                        + (estimator == .dr ? [signed(gain.value), interval(gain)] : ["", ""]))
            }
        }
        return table.text() + "\n" + report.remarks.map { $0 + "\n" }.joined()
    }

    /// The report's object, with the chosen estimators only.
    var json: JSONValue {
        let names = Set(estimators.map(\.text))
        return report.json(confidence: confidence).mapping("policies") { policy in
            policy.mapping("estimates", isList: false) { estimates in
                guard case .array(let items) = estimates else { return estimates }
                return .array(
                    items.filter { item in
                        guard case .object(let members) = item,
                            case .string(let name)? = members.first(where: {
                                $0.key == "estimator"
                            })?.value
                        else { return false }
                        return names.contains(name)
                    })
            }
        }
    }

    /// A page with verdicts, values, and what the traces themselves show.
    func page(_ traces: [TraceReader]) throws -> HTMLPage {
        let palette = Palette(report.policies.map(\.label))
        var page = HTMLPage(
            title: "Policies on recorded decisions",
            subtitle: traces.map(\.path).joined(separator: ", "),
            blocks: report.blocks(confidence: confidence, palette: palette))
        var figures = TraceFigures()
        for trace in traces {
            for session in try trace.info().sessions where session.decisions > 0 {
                try figures.add(trace, session: session, label: session.session.info.policy)
            }
        }
        let recorded = Palette(figures.deliveries.map(\.name))
        page.blocks.append(.heading("What was recorded"))
        page.blocks.append(
            .figure(
                svg: figures.deliveryPlot(palette: recorded),
                caption: "Share of decisions delivered within a time, by recording policy."))
        for (label, svg) in figures.sharePlots(palette: Palette([])) {
            page.blocks.append(.figure(svg: svg, caption: "Recorded with \(label)."))
        }
        return page
    }

    private func cells(_ estimate: Estimate) -> [String] {
        [
            NumberText.fixed(estimate.value, 4), NumberText.fixed(estimate.standardError, 4),
            interval(estimate),
        ]
    }

    private func interval(_ estimate: Estimate) -> String {
        let bounds = estimate.interval(confidence: confidence)
        return NumberText.fixed(bounds.low, 4) + " ... " + NumberText.fixed(bounds.high, 4)
    }

    private func signed(_ value: Double) -> String {
        (value > 0 ? "+" : "") + NumberText.fixed(value, 4)
    }
}

extension JSONValue {
    /// The object with one member changed: the member itself, or each item of its list.
    fileprivate func mapping(
        _ key: String, isList: Bool = true, _ change: (JSONValue) -> JSONValue
    ) -> JSONValue {
        guard case .object(let members) = self else { return self }
        return .object(
            members.map { member in
                guard member.key == key else { return member }
                guard isList, case .array(let items) = member.value else {
                    return (key: key, value: change(member.value))
                }
                return (key: key, value: .array(items.map(change)))
            })
    }
}
