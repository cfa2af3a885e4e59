public import PathEvaluation
import PathTelemetry

/// The effect of policies on the network, in its units.
extension EvaluationReport {
    /// One row for the recording and one per policy: late share with interval, delivery times,
    /// price of bytes, agreement with the log; nil if actions are not paths.
    public func networkTable() -> TextTable? {
        guard let recordedNetwork else { return nil }
        let percent = NumberText.short(options.confidence * 100)
        var table = TextTable([
            TextTable.Column("policy", .left), TextTable.Column("late"),
            TextTable.Column("\(percent) % interval"), TextTable.Column("p50, ms"),
            TextTable.Column("p95, ms"), TextTable.Column("p99, ms"),
            TextTable.Column("cost per GB"), TextTable.Column("agreement"),
        ])
        func row(_ label: String, _ figures: NetworkFigures) {
            table.add(
                [
                    label, EvaluationReport.percent(figures.lateShare),
                    EvaluationReport.percent(figures.lateInterval.low) + " ... "
                        + EvaluationReport.percent(figures.lateInterval.high),
                ]
                    + figures.deliveries.map {
                        // A 99 % quantile needs at least a hundred bursts, for example.
                        figures.effectiveCount * (1 - $0.probability) > 1 - 1e-9
                            ? EvaluationReport.milliseconds($0.value) : "-"
                    } + [
                        NumberText.fixed(figures.pricePerGB, 4),
                        NumberText.percent(figures.agreement),
                    ])
        }
        row(EvaluationReport.recordedLabel, recordedNetwork)
        for policy in policies {
            if let network = policy.network { row(policy.label, network) }
        }
        return table
    }

    /// Sentences about policies with a better value that are late far more often.
    public var warnings: [String] {
        latenessWarnings.map { warning in
            let share = warning.lateShare / warning.otherLateShare
            let times =
                share.isFinite
                ? "\(NumberText.short(share, digits: 2)) times as often as" : "unlike"
            return "Warning: \(warning.policy) has a better value than \(warning.other), but it "
                + "is late \(times) \(warning.other) "
                + "(\(EvaluationReport.percent(warning.lateShare)) of the bursts against "
                + "\(EvaluationReport.percent(warning.otherLateShare))). A late burst costs "
                + "\(NumberText.short(warning.lateness)) in the value; set your own cost by "
                + "--lateness."
        }
    }

    /// The network figures as JSON.
    func json(_ figures: NetworkFigures) -> JSONValue {
        .object([
            ("late_share", .number(figures.lateShare)),
            (
                "late_interval",
                [.number(figures.lateInterval.low), .number(figures.lateInterval.high)]
            ),
            ("late_interval_method", .string(figures.lateInterval.method)),
            (
                "delivery_ms",
                .object(
                    figures.deliveries.map { quantile in
                        (
                            key: "p\(Int((quantile.probability * 100).rounded()))",
                            value: [
                                "value": .number(quantile.value * 1000),
                                "interval": [
                                    .number(quantile.low * 1000), .number(quantile.high * 1000),
                                ],
                            ]
                        )
                    })
            ),
            ("cost_per_gb", .number(figures.pricePerGB)),
            ("agreement", .number(figures.agreement)),
        ])
    }

    var latenessWarningsJSON: JSONValue {
        .array(
            latenessWarnings.map {
                [
                    "policy": .string($0.policy), "ahead_of": .string($0.other),
                    "late_share": .number($0.lateShare),
                    "late_share_of_other": .number($0.otherLateShare),
                    "lateness": .number($0.lateness),
                ]
            })
    }

    /// A share in percent with two digits after the point, so that one burst in ten thousand is
    /// visible.
    private static func percent(_ share: Double) -> String { NumberText.percent(share, digits: 2) }

    /// A time in milliseconds; `late` if the burst was never delivered in time.
    private static func milliseconds(_ seconds: Double) -> String {
        seconds == .infinity ? "late" : NumberText.fixed(seconds * 1000, 1)
    }
}
