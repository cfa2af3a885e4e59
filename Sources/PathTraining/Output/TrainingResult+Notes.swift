import PathLearning
import PathTelemetry

extension TrainingResult {
    /// The notes in the model file about its training.
    public var notes: [String: String] {
        var notes = [
            "traces": sources.map {
                "\(StableHash.text($0.fingerprint)) \($0.name)"
            }.joined(separator: "\n"),
            "decisions": String(counts.trained), "late": String(counts.late),
            "forced_excluded": String(counts.forced), "refused": String(counts.refused),
            "holdout": String(options.holdout), "objective": options.objective.rawValue,
            "weighting": options.weighting.rawValue,
        ]
        if let residual {
            notes["held_out_rmse"] = String(residual.crossValidated)
            notes["heuristic_rmse"] = String(residual.heuristic)
            notes["mean_rmse"] = String(residual.mean)
            if let held = residual.heldOut {
                notes["holdout_decisions"] = String(held.rows)
                notes["holdout_rmse"] = String(held.model)
                notes["holdout_heuristic_rmse"] = String(held.heuristic)
            }
        }
        if let late {
            notes["late_rows"] = String(late.lateRows)
            if let loss = late.logLoss, let base = late.baseLogLoss {
                notes["late_log_loss"] = String(loss)
                notes["late_base_log_loss"] = String(base)
            }
        }
        if let neural {
            notes["neural_rmse"] = String(neural.fit.heldOut?.model ?? neural.fit.crossValidated)
            notes["seed"] = String(options.seed)
        }
        return notes
    }
}
