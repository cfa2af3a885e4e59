import PathLearning
import PathTelemetry

/// A page about a model, in Markdown: what it is, what it was trained on, how well it predicts, and
/// what it must not be used for.
public enum ModelCard {
    /// - Parameters:
    ///   - file: the model file's name.
    ///   - program: name and version of the program that trained it.
    public static func text(_ result: TrainingResult, file: String, program: String) -> String {
        var text = "# Model \(file)\n\n"
        text += "Trained by \(program). Hash `\(StableHash.text(result.model.hash))`, feature "
        text += "schema `\(StableHash.text(result.model.schemaHash))`, heads: "
        text += result.model.kind.split(separator: ",").joined(separator: ", ") + ".\n\n"
        text += purpose(result) + data(result) + metrics(result) + features(result)
        text += calibration(result) + limits(result)
        return text
    }

    /// Escapes a name from a file or a recording for Markdown.
    private static func escaped(_ name: String) -> String {
        var text = ""
        for scalar in EscapedText(name).description.unicodeScalars {
            if "\\`*_{}[]<>()#|!&~".unicodeScalars.contains(scalar) { text += "\\" }
            text.unicodeScalars.append(scalar)
        }
        return text
    }

    private static func purpose(_ result: TrainingResult) -> String {
        var text = "## Purpose\n\n"
        if result.model.residual != nil {
            text += "- `ridge` corrects the heuristic's prediction of a burst's delivery time on a "
            text += "path: it predicts the logarithm of time over prediction, plus one where the "
            text += "deadline is missed.\n"
        }
        if let late = result.model.late {
            text += "- `late` is the probability that a burst misses its deadline"
            text += late.fourier.map { ", with \($0.count) random Fourier features" } ?? ""
            text += ".\n"
        }
        if let neural = result.model.neural {
            let widths = neural.layers.layers.map { String($0.outputs) }
            text += "- `neural-linear` predicts the same as `ridge` by a network of layers "
            text += widths.joined(separator: ", ") + " whose last layer is linear and also "
            text += "learns online.\n"
        }
        text += "\nSend or evaluate with it: `--policy \"FILE\"`. A sender starts from it and "
        text += "continues to learn.\n\n"
        return text
    }

    private static func data(_ result: TrainingResult) -> String {
        let counts = result.counts
        var text = "## Training data\n\n"
        text += "| trace | fingerprint | sessions | decisions | seconds | policies |\n"
        text += "|---|---|---|---|---|---|\n"
        for source in result.sources {
            text += "| \(escaped(source.name)) | `\(StableHash.text(source.fingerprint))` | "
            text += "\(source.sessions) | \(source.decisions) | \(fixed(source.seconds, 1)) | "
            text += source.policies.map(escaped).joined(separator: ", ") + " |\n"
        }
        text += "\n\(counts.decisions) decisions: \(counts.trained) train, \(counts.heldOut) held "
        text += "out (the end of each session), \(counts.forced) forced, "
        text += "\(counts.withoutOutcome) without an outcome, \(counts.notOnePath) not on one "
        text += "path, \(counts.refused) not finite. \(counts.late) of the used ones were late.\n"
        text += "Objective: \(result.options.objective.rawValue), weights: "
        text += "\(result.options.weighting.rawValue).\n\n"
        return text
    }

    private static func metrics(_ result: TrainingResult) -> String {
        var text = "## Accuracy\n\n"
        if let fit = result.residual {
            text += "Root mean square error of log delivery, penalty \(fit.head.lambda):\n\n"
            text += "| | heuristic alone | ridge |\n|---|---|---|\n"
            text += "| cross-validated on segments of time | \(fixed(fit.heuristic, 4)) | "
            text += "\(fixed(fit.crossValidated, 4)) |\n"
            if let held = fit.heldOut {
                text += "| held-out end of the sessions | \(fixed(held.heuristic, 4)) | "
                text += "\(fixed(held.model, 4)) |\n"
            }
            text += "\n"
        }
        if let neural = result.neural {
            text += "The network: \(fixed(neural.fit.crossValidated, 4)) cross-validated"
            text += neural.fit.heldOut.map { ", \(fixed($0.model, 4)) held out" } ?? ""
            text += "; its layers were trained on \(neural.sampled) decisions in "
            text += "\(neural.epochs) epochs, its last layer on all.\n\n"
        }
        if let late = result.late {
            text += "P(late): \(late.lateRows) of \(late.rows) training decisions were late"
            if let loss = late.logLoss, let base = late.baseLogLoss, let brier = late.brier {
                text += "; held out, logarithmic loss \(fixed(loss, 5)) (\(fixed(base, 5)) for a "
                text += "constant), Brier score \(fixed(brier, 5))"
            }
            text += ".\n\n"
        }
        if let value = result.value {
            text += "Always taking its cheapest candidate would have changed the cost of the "
            text += "\(value.decisions) held-out decisions by \(fixed(value.change, 4)) +- "
            text += "\(fixed(value.changeMargin, 4)) (doubly robust, 95 %), from a mean of "
            text += "\(fixed(value.recorded, 4)).\n\n"
        }
        if !result.curve.isEmpty {
            text += "Learning curve (held-out error after training on the first segments):\n\n"
            text += "| decisions | error |\n|---|---|\n"
            for point in result.curve {
                text += "| \(point.rows) | \(fixed(point.heldOut, 4)) |\n"
            }
            text += "\n"
        }
        return text
    }

    private static func features(_ result: TrainingResult) -> String {
        guard !result.importances.isEmpty, let head = result.residual?.head else { return "" }
        var text = "## Importance of features\n\n"
        text += "Growth of the squared error without a feature, with a 95 % "
        text += "interval over segments of time:\n\n| feature | weight | growth |\n|---|---|---|\n"
        for importance in result.importances.sorted(by: { $0.growth > $1.growth }).prefix(10) {
            text += "| \(FeatureSchema.current.names[importance.feature]) | "
            text += "\(fixed(head.weights[importance.feature], 4)) | "
            text += "\(fixed(100 * importance.growth, 2)) % +- "
            text += "\(fixed(100 * importance.margin, 2)) % |\n"
        }
        return text + "\n"
    }

    private static func calibration(_ result: TrainingResult) -> String {
        guard let calibration = result.model.late?.calibration, calibration.count > 0 else {
            return ""
        }
        var text = "## Calibration of P(late), held out\n\n"
        text += "| predicted from | to | decisions | mean predicted | observed |\n"
        text += "|---|---|---|---|---|\n"
        for row in calibration.table() {
            text += "| \(fixed(row.from, 4)) | \(fixed(row.to, 4)) | \(fixed(row.decisions, 0)) | "
            text += "\(fixed(row.predicted, 4)) | \(fixed(row.observed, 4)) |\n"
        }
        return text + "\n"
    }

    private static func limits(_ result: TrainingResult) -> String {
        var text = "## Limits\n\n"
        text += "- It was trained only on the paths and loads of the traces above.\n"
        text += "- Errors are on recordings of the policies named there; another policy loads the "
        text += "paths differently and sees other errors.\n"
        text += "- A burst without an answer counts with its deadline, because its delivery time "
        text += "is unknown.\n"
        if result.counts.late < 100, result.model.late != nil {
            text += "- Only \(result.counts.late) decisions were late: P(late) is uncertain.\n"
        }
        if result.counts.trained < 5000 {
            text += "- \(result.counts.trained) decisions are few; record more before relying on "
            text += "it.\n"
        }
        return text
    }

    /// Formats a number with this many digits after the point.
    private static func fixed(_ value: Double, _ digits: Int) -> String {
        NumberText.fixed(value, digits)
    }
}
