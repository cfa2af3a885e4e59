import PathEvaluation
import PathTelemetry
import PathWatch
import Pathwise

/// The metrics of policies that do not decide; docs/watch.md has their table and definitions.
///
/// Where decisions do not tell, a value is left out.
enum JudgementMetrics {
    /// - Parameter peers: the newest session of each name.
    static func add(_ peers: [(name: String, status: SessionStatus)], to text: inout MetricsText) {
        text.begin(
            "pathwise_shadow_info", .gauge, "Policy and model in the shadow; it is 1.")
        for (name, status) in peers {
            guard let shadow = status.shadow else { continue }
            text.add(
                MetricsText.Labels([
                    ("peer", name), ("policy", shadow.policy),
                    ("model", shadow.modelHash == 0 ? "" : StableHash.text(shadow.modelHash)),
                ]), 1)
        }
        let reports = peers.compactMap { name, status in
            status.judgement.map { (name: name, report: $0.report) }
        }
        addCounts(reports, to: &text)
        addSides(reports, to: &text)
        addRegret(reports, to: &text)
    }

    private typealias Reports = [(name: String, report: LiveReport)]

    private static func family(
        _ name: String, _ help: String, _ reports: Reports, to text: inout MetricsText,
        _ value: (LiveReport) -> Double?
    ) {
        text.begin(name, .gauge, help)
        for (peer, report) in reports {
            text.add(MetricsText.Labels([("peer", peer)]), value(report))
        }
    }

    private static func addCounts(_ reports: Reports, to text: inout MetricsText) {
        family(
            "pathwise_judged_decisions",
            "Decisions with a choice and an outcome from which other policies are estimated.",
            reports, to: &text
        ) { Double($0.decisions) }
        family(
            "pathwise_shadow_agreement_ratio",
            "Mean probability of the chosen actions under the policy in the shadow.", reports,
            to: &text
        ) { $0.shadow?.agreement }
        family(
            "pathwise_shadow_effective_decisions",
            "How many decisions of its own the estimate for the shadow is worth.", reports,
            to: &text
        ) { $0.shadow?.effectiveCount }
    }

    /// The policy that decides and the one in the shadow.
    private static func addSides(_ reports: Reports, to text: inout MetricsText) {
        func family(
            _ name: String, _ help: String, _ deciding: (LiveReport) -> Double?,
            _ shadow: (LiveReport.Rival) -> Double?
        ) {
            text.begin(name, .gauge, help)
            for (peer, report) in reports {
                let other = report.shadow.flatMap { $0.isUsable ? shadow($0) : nil }
                for (role, value) in [("deciding", deciding(report)), ("shadow", other)] {
                    text.add(MetricsText.Labels([("peer", peer), ("role", role)]), value)
                }
            }
        }
        family(
            "pathwise_judged_late_ratio", "Share of late bursts, measured or estimated.",
            { $0.network.lateShare }, { $0.network?.lateShare })
        family(
            "pathwise_judged_cost",
            "Mean cost of a decision: log of its delivery time, lateness, and price.",
            { $0.cost.value }, { $0.cost.value })
        family(
            "pathwise_judged_p99_seconds",
            "Delivery time that 99 % of the bursts keep; +Inf is beyond the deadline.",
            { LiveReport.quantile(0.99, of: $0.network)?.value },
            { $0.network.flatMap { LiveReport.quantile(0.99, of: $0) }?.value })
    }

    /// Differences in cost to others, each with the ends of its interval.
    private static func addRegret(_ reports: Reports, to text: inout MetricsText) {
        let values: [(end: String, help: String, value: (LiveReport.Value) -> Double)] = [
            ("", "", { $0.value }), ("_low", ", lower end of its 95 % interval", { $0.low }),
            ("_high", ", upper end of its 95 % interval", { $0.high }),
        ]
        for (end, help, value) in values {
            text.begin(
                "pathwise_shadow_gain" + end, .gauge,
                "What the policy in the shadow would save in a decision, in cost\(help).")
            for (peer, report) in reports {
                guard let shadow = report.shadow, shadow.isUsable else { continue }
                text.add(MetricsText.Labels([("peer", peer)]), value(shadow.gain))
            }
        }
        for (end, help, value) in values {
            text.begin(
                "pathwise_regret" + end, .gauge,
                "What a decision costs more than the steady rule's, or the best path's\(help).")
            for (peer, report) in reports {
                let rivals =
                    [("steady", report.steady)]
                    + (report.bestPath.map { [("best_path", $0.rival)] } ?? [])
                for (against, rival) in rivals where rival.isUsable {
                    text.add(
                        MetricsText.Labels([("peer", peer), ("against", against)]),
                        value(rival.gain))
                }
            }
        }
    }
}
