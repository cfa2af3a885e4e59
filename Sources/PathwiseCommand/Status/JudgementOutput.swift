import PathEvaluation
import PathReport
import PathTelemetry
import Pathwise

/// What is known of other policies than the one that decides, in text and in JSON.
struct JudgementOutput {
    let status: SessionStatus
    let judgement: JudgementReport
    private var report: LiveReport { judgement.report }

    /// Nil unless the decisions of the session are judged.
    init?(_ status: SessionStatus) {
        guard let judgement = status.judgement else { return nil }
        self.status = status
        self.judgement = judgement
    }

    private func name(of path: PathID) -> String {
        status.paths.first { $0.path == path }?.name ?? "path \(path.rawValue)"
    }

    // MARK: text

    /// Who is in the shadow, the table of both policies, and what follows from it; nothing without a
    /// shadow.
    ///
    /// No line is longer than 80 columns.
    var text: String {
        guard status.shadow != nil else { return "" }
        guard let shadow = report.shadow else {
            return "  in the shadow: \(shadowName), no decision with a choice yet\n"
        }
        let agreement = SessionSummary.percent(shadow.agreement)
        let worth = NumberText.fixed(shadow.effectiveCount, 0)
        let head = PoliciesText.wrapped(
            "\(shadowName), of \(decisions); agrees \(agreement), worth \(worth)",
            after: "  in the shadow: ", column: 4)
        let end = PoliciesText.wrapped(JudgementOutput.sentence(shadow), after: "", column: 2)
        return head + table(shadow) + "\n" + end
    }

    private func table(_ shadow: LiveReport.Rival) -> String {
        var table = TextTable([
            TextTable.Column("", .left), TextTable.Column("decides"), TextTable.Column("95 %"),
            TextTable.Column("shadow"), TextTable.Column("95 %"),
        ])
        let deciding = JudgementOutput.rows(report.cost, report.network)
        let other =
            shadow.isUsable
            ? shadow.network.map { JudgementOutput.rows(shadow.cost, $0) } : nil
        for (index, name) in ["late", "cost", "p99, ms"].enumerated() {
            table.add(["  " + name] + deciding[index] + (other?[index] ?? ["-", "-"]))
        }
        return table.text(styled: false)
    }

    private var shadowName: String {
        guard let shadow = status.shadow else { return "nothing" }
        return shadow.modelHash == 0
            ? shadow.policy : "\(shadow.policy) \(StableHash.text(shadow.modelHash))"
    }

    private var decisions: String {
        NumberText.counted(report.decisions, "decision") + " in "
            + NumberText.time(TimeDelta(judgement.age).seconds.rounded(.down))
    }

    /// Share of late bursts, cost and p99 of one policy, each with its interval.
    private static func rows(
        _ cost: LiveReport.Value, _ network: NetworkFigures
    ) -> [[String]] {
        guard cost.value.isFinite else {
            return [[String]](repeating: ["-", "-"], count: 3)
        }
        let (low, high) = (network.lateInterval.low, network.lateInterval.high)
        let quantile = LiveReport.quantile(0.99, of: network).map {
            $0.value.isFinite ? NumberText.fixed($0.value * 1000, 1) : "late"
        }
        return [
            [
                SessionSummary.percent(network.lateShare),
                SessionSummary.percent(low) + " ... " + SessionSummary.percent(high),
            ],
            [
                NumberText.fixed(cost.value, 3),
                NumberText.fixed(cost.low, 3) + " ... " + NumberText.fixed(cost.high, 3),
            ],
            [quantile ?? "-", ""],
        ]
    }

    /// What is known of a policy, in one sentence.
    private static func sentence(_ rival: LiveReport.Rival) -> String {
        guard rival.isUsable else {
            return "the decisions do not tell what it would achieve: "
                + rival.verdict.reasons.joined(separator: "; ")
        }
        let (low, high) = (rival.gain.low, rival.gain.high)
        let range =
            "(\(NumberText.fixed(low * 100, 1)) ... \(NumberText.fixed(high * 100, 1)) %)"
        let gain =
            "it would save \(NumberText.fixed(rival.gain.value * 100, 1)) % of a delivery time "
            + range
        let reasons = rival.verdict.reasons
        let judgement =
            low > 0 ? "better" : high < 0 ? "worse" : "no difference is certain"
        return gain + ": " + judgement
            + (rival.verdict.level == .weak ? "; weak: " + reasons.joined(separator: "; ") : "")
    }

    // MARK: JSON

    var json: JSONValue {
        .object([
            ("seconds", .number(TimeDelta(judgement.age).seconds)),
            ("decisions", .count(report.decisions)),
            ("refused", .count(report.refused)),
            ("dropped", .int(Int64(clamping: judgement.dropped))),
            ("confidence", .number(report.confidence)),
            (
                "deciding",
                .object(JudgementOutput.members(report.cost, report.network))
            ),
            ("shadow", report.shadow.map(JudgementOutput.json) ?? .null),
            (
                "regret",
                .object([
                    ("steady", JudgementOutput.difference(report.steady)),
                    (
                        "best_path",
                        report.bestPath.map { best in
                            .object(
                                [("path", .string(name(of: best.path)))]
                                    + JudgementOutput.differenceMembers(best.rival))
                        } ?? .null
                    ),
                ])
            ),
        ])
    }

    private static func members(
        _ cost: LiveReport.Value, _ network: NetworkFigures?
    ) -> [(key: String, value: JSONValue)] {
        let quantile = network.flatMap { LiveReport.quantile(0.99, of: $0) }
        return [
            ("late_share", .optional(network?.lateShare)),
            (
                "late_interval",
                network.map { [.number($0.lateInterval.low), .number($0.lateInterval.high)] }
                    ?? .null
            ),
            ("cost", .number(cost.value)),
            ("cost_interval", [.number(cost.low), .number(cost.high)]),
            ("p99_seconds", .optional(quantile?.value)),
        ]
    }

    private static func json(_ rival: LiveReport.Rival) -> JSONValue {
        .object(
            members(rival.cost, rival.network) + [
                ("agreement", .number(rival.agreement)),
                ("effective_decisions", .number(rival.effectiveCount)),
                ("gain", .number(rival.gain.value)),
                ("gain_interval", [.number(rival.gain.low), .number(rival.gain.high)]),
                ("verdict", .string(rival.verdict.level.words)),
                ("reasons", .array(rival.verdict.reasons.map { .string($0) })),
            ])
    }

    private static func difference(_ rival: LiveReport.Rival) -> JSONValue {
        .object(differenceMembers(rival))
    }

    private static func differenceMembers(
        _ rival: LiveReport.Rival
    ) -> [(key: String, value: JSONValue)] {
        [
            ("value", .number(rival.gain.value)),
            ("interval", [.number(rival.gain.low), .number(rival.gain.high)]),
            ("verdict", .string(rival.verdict.level.words)),
            ("reasons", .array(rival.verdict.reasons.map { .string($0) })),
        ]
    }
}

extension SessionStatus {
    /// The policy in the shadow, and what is known of other policies.
    var judgementMembers: [(key: String, value: JSONValue)] {
        [
            (
                "shadow",
                shadow.map { shadow in
                    .object([
                        ("policy", .string(shadow.policy)),
                        (
                            "model_hash",
                            shadow.modelHash == 0
                                ? .null : .string(StableHash.text(shadow.modelHash))
                        ),
                    ])
                } ?? .null
            ),
            ("judgement", JudgementOutput(self)?.json ?? .null),
        ]
    }
}
