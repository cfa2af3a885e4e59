import PathLearning
import PathReport
import PathTelemetry
import PathTraining

/// The output of `train`.
enum TrainingText {
    static func summary(_ result: TrainingResult, output: String) -> String {
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
        text += "deadline\n"
        text += errors(result) + late(result) + policy(result) + curve(result) + features(result)
        text += "\nmodel \(StableHash.text(result.model.hash)) (\(result.model.kind)) written to "
        text += "\(output)\n"
        return text
    }

    private static func errors(_ result: TrainingResult) -> String {
        guard result.residual != nil || result.neural != nil else { return "" }
        var table = TextTable([
            TextTable.Column("error of log delivery (RMS)", .left), TextTable.Column("heuristic"),
            TextTable.Column("model"), TextTable.Column("change"),
        ])
        func rows(_ fit: SegmentedFit, _ name: String) {
            func row(_ title: String, _ heuristic: Double, _ model: Double) {
                table.add([
                    name + title, NumberText.fixed(heuristic, 4), NumberText.fixed(model, 4),
                    heuristic > 0 ? signedPercent(model / heuristic - 1) : "-",
                ])
            }
            row("cross-validated, training part", fit.heuristic, fit.crossValidated)
            if let held = fit.heldOut {
                row("held-out end of the sessions", held.heuristic, held.model)
            }
        }
        let several = result.residual != nil && result.neural != nil
        if let fit = result.residual { rows(fit, several ? "ridge: " : "") }
        if let neural = result.neural { rows(neural.fit, several ? "network: " : "") }
        var text = "\n" + table.text()
        if let fit = result.residual {
            text += "penalty \(NumberText.short(fit.head.lambda))"
            if fit.reciprocalCondition < 1e-12 { text += ", badly conditioned" }
            text += "\n"
        }
        if let neural = result.neural {
            text += "network: \(NumberText.count(neural.sampled)) decisions trained its layers "
            text += "in \(neural.epochs) epochs, all its last layer\n"
        }
        return text
    }

    private static func late(_ result: TrainingResult) -> String {
        guard let late = result.late else { return "" }
        var text = "\nP(late): \(NumberText.count(Int(clamping: late.lateRows))) of "
        text += "\(NumberText.count(Int(clamping: late.rows))) training decisions were late, "
        text += "penalty \(NumberText.short(late.lambda))\n"
        if let loss = late.logLoss, let base = late.baseLogLoss {
            text += "held-out logarithmic loss \(NumberText.fixed(loss, 5)), of a constant "
            text += "\(NumberText.fixed(base, 5)) (\(signedPercent(loss / base - 1)))\n"
        }
        if let calibration = result.model.late?.calibration, calibration.count > 0 {
            text += "\n" + CalibrationText.table(calibration)
        }
        return text
    }

    private static func policy(_ result: TrainingResult) -> String {
        guard let value = result.value else { return "" }
        var text = "\nalways choosing its cheapest path, held out: cost "
        text += "\(NumberText.fixed(value.change, 4)) +- "
        text += "\(NumberText.fixed(value.changeMargin, 4)) against the recording "
        text += "(doubly robust, 95 %; log of seconds)\n"
        return text
    }

    private static func curve(_ result: TrainingResult) -> String {
        guard result.curve.count > 1 else { return "" }
        var table = TextTable([
            TextTable.Column("trained on"), TextTable.Column("held-out error"),
        ])
        for point in result.curve {
            table.add([
                NumberText.count(Int(clamping: point.rows)), NumberText.fixed(point.heldOut, 4),
            ])
        }
        return "\n" + table.text()
    }

    /// The most important features.
    private static func features(_ result: TrainingResult) -> String {
        guard let head = result.residual?.head, !result.importances.isEmpty else { return "" }
        var table = TextTable([
            TextTable.Column("feature", .left), TextTable.Column("weight"),
            TextTable.Column("error without it"), TextTable.Column("+-"),
        ])
        for importance in result.importances.sorted(by: { $0.growth > $1.growth }).prefix(6) {
            let weight = head.weights[importance.feature]
            table.add([
                FeatureSchema.current.names[importance.feature],
                (weight < 0 ? "" : "+") + NumberText.fixed(weight, 4),
                signedPercent(importance.growth), NumberText.percent(importance.margin),
            ])
        }
        return "\n" + table.text()
    }

    static func json(_ result: TrainingResult, output: String) -> JSONValue {
        let counts = result.counts
        return [
            "model": .string(output), "kind": .string(result.model.kind),
            "hash": .string(StableHash.text(result.model.hash)),
            "schema": .string(StableHash.text(result.model.schemaHash)),
            "objective": .string(result.options.objective.rawValue),
            "weighting": .string(result.options.weighting.rawValue),
            "decisions": .count(counts.decisions), "trained": .count(counts.trained),
            "held_out": .count(counts.heldOut), "forced": .count(counts.forced),
            "without_outcome": .count(counts.withoutOutcome),
            "not_one_path": .count(counts.notOnePath), "refused": .count(counts.refused),
            "late_decisions": .count(counts.late),
            "ridge": result.residual.map { fit($0) } ?? .null,
            "neural": result.neural.map { neural in
                [
                    "sampled": .count(neural.sampled), "epochs": .count(neural.epochs),
                    "fit": fit(neural.fit),
                ]
            } ?? .null,
            "late": late(result),
            "policy": result.value.map { value in
                [
                    "decisions": .count(value.decisions), "recorded": .number(value.recorded),
                    "value": .number(value.value), "change": .number(value.change),
                    "change_margin": .number(value.changeMargin),
                    "agreement": .number(value.agreement),
                ]
            } ?? .null,
            "learning_curve": .array(
                result.curve.map { point in
                    [
                        "decisions": .count(Int(clamping: point.rows)),
                        "held_out_rmse": .number(point.heldOut),
                    ]
                }),
            "importances": .array(
                result.importances.map { importance in
                    [
                        "feature": .string(FeatureSchema.current.names[importance.feature]),
                        "growth": .number(importance.growth),
                        "margin": .number(importance.margin),
                    ]
                }),
            "traces": .array(
                result.sources.map { source in
                    [
                        "file": .string(source.name),
                        "fingerprint": .string(StableHash.text(source.fingerprint)),
                        "sessions": .count(source.sessions),
                        "decisions": .count(source.decisions),
                        "seconds": .number(source.seconds),
                        "policies": .array(source.policies.map { .string($0) }),
                    ]
                }),
        ]
    }

    private static func fit(_ fit: SegmentedFit) -> JSONValue {
        [
            "lambda": .number(fit.head.lambda), "rows": .count(Int(clamping: fit.rows)),
            "cross_validated_rmse": .number(fit.crossValidated),
            "heuristic_rmse": .number(fit.heuristic), "mean_rmse": .number(fit.mean),
            "reciprocal_condition": .number(fit.reciprocalCondition),
            "holdout": fit.heldOut.map { held in
                [
                    "decisions": .count(Int(clamping: held.rows)),
                    "model_rmse": .number(held.model), "heuristic_rmse": .number(held.heuristic),
                ]
            } ?? .null,
        ]
    }

    private static func late(_ result: TrainingResult) -> JSONValue {
        guard let late = result.late else { return .null }
        func optional(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
        return [
            "lambda": .number(late.lambda), "rows": .count(Int(clamping: late.rows)),
            "late": .count(Int(clamping: late.lateRows)), "passes": .count(late.passes),
            "holdout": [
                "decisions": .count(Int(clamping: late.heldOutRows)),
                "late": .count(Int(clamping: late.heldOutLate)),
                "log_loss": optional(late.logLoss), "base_log_loss": optional(late.baseLogLoss),
                "brier": optional(late.brier),
            ],
            "calibration": .array(
                (result.model.late?.calibration?.table() ?? []).map { row in
                    [
                        "from": .number(row.from), "to": .number(row.to),
                        "decisions": .count(Int(clamping: row.decisions)),
                        "late": .count(Int(clamping: row.late)),
                        "predicted": .number(row.predicted), "observed": .number(row.observed),
                    ]
                }),
        ]
    }

    private static func signedPercent(_ share: Double) -> String {
        (share < 0 ? "" : "+") + NumberText.percent(share)
    }
}
