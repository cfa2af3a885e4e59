import PathEvaluation
import PathReport
import PathTrace

/// The output of `evaluate`.
struct EvaluationText {
    var report: EvaluationReport

    /// The verdicts with their diagnostics, the network figures, then the values.
    var summary: String {
        var text = report.verdicts.map { $0 + "\n" }.joined()
        text += report.policies.map { report.diagnosis(of: $0) + "\n" }.joined()
        text += report.remarks.map { $0 + "\n" }.joined()
        text += report.warnings.map { $0 + "\n" }.joined()
        if let network = report.networkTable() { text += "\n" + network.text() }
        text += "\n" + report.table().text() + "\n" + report.gains().text() + "\n"
        text += report.policies.map { report.outcomes(of: $0) + "\n" }.joined()
        return text
    }

    /// A page with verdicts, values, and plots of the traces.
    func page(_ traces: [TraceReader], name: String) throws -> HTMLPage {
        let palette = Palette(report.policies.map(\.label))
        var page = HTMLPage(
            title: "Policies on recorded decisions", subtitle: name,
            blocks: report.blocks(palette: palette))
        guard !traces.isEmpty else { return page }
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
}
