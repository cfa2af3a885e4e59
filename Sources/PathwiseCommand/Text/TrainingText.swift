import PathLearning
import PathReport
import PathTelemetry

/// What `train` prints.
enum TrainingText {
    static func summary(_ result: TraceTraining.Result, output: String) -> String {
        let counts = result.counts
        var text = "\(NumberText.count(counts.decisions)) decisions: "
        text += "\(NumberText.count(counts.trained)) train, "
        text += "\(NumberText.count(counts.heldOut)) held out"
        for (count, reason) in [
            (counts.forced, "forced"), (counts.withoutOutcome, "without an outcome"),
            (counts.notOnePath, "not on one path"), (counts.refused, "not finite"),
        ] where count > 0 {
            text += ", \(NumberText.count(count)) \(reason)"
        }
        text += "\n\(NumberText.count(counts.late)) of those used were late and count at their "
        text += "deadline\n\n"
        var table = TextTable([
            TextTable.Column("error of log delivery (RMS)", .left), TextTable.Column("heuristic"),
            TextTable.Column("model"), TextTable.Column("change"),
        ])
        func row(_ name: String, _ heuristic: Double, _ model: Double) {
            table.add([
                name, NumberText.fixed(heuristic, 4), NumberText.fixed(model, 4),
                heuristic > 0 ? signedPercent(model / heuristic - 1) : "-",
            ])
        }
        row(
            "cross-validated, training part", result.metrics.heuristicError,
            result.metrics.heldOutError)
        if let measured = result.measured {
            row("held-out end of the sessions", measured.heuristic, measured.model)
        }
        text += table.text()
        text += "\npenalty \(NumberText.short(result.metrics.lambda)), "
        text += "model \(StableHash.text(result.model.hash)) written to \(output)\n"
        return text
    }

    static func json(_ result: TraceTraining.Result, output: String) -> JSONValue {
        let counts = result.counts
        return [
            "model": .string(output), "kind": .string(result.model.kind),
            "hash": .string(StableHash.text(result.model.hash)),
            "schema": .string(StableHash.text(result.model.schemaHash)),
            "lambda": .number(result.metrics.lambda),
            "decisions": .count(counts.decisions), "trained": .count(counts.trained),
            "held_out": .count(counts.heldOut), "forced": .count(counts.forced),
            "without_outcome": .count(counts.withoutOutcome),
            "not_one_path": .count(counts.notOnePath), "refused": .count(counts.refused),
            "late": .count(counts.late),
            "cross_validated": [
                "model_rmse": .number(result.metrics.heldOutError),
                "heuristic_rmse": .number(result.metrics.heuristicError),
                "mean_rmse": .number(result.metrics.meanError),
            ],
            "holdout": result.measured.map { measured in
                [
                    "decisions": .count(measured.decisions), "model_rmse": .number(measured.model),
                    "heuristic_rmse": .number(measured.heuristic),
                ]
            } ?? .null,
            "reciprocal_condition": .number(result.metrics.reciprocalCondition),
            "traces": .array(
                result.sources.map { source in
                    [
                        "file": .string(source.file), "sha256": .string(source.sha256),
                        "sessions": .count(source.sessions), "decisions": .count(source.decisions),
                    ]
                }),
        ]
    }

    private static func signedPercent(_ share: Double) -> String {
        (share < 0 ? "" : "+") + NumberText.percent(share)
    }
}
