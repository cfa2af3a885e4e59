public import PathLearning
import PathTelemetry
import PathTrace

/// What was trained, on what, and how well it predicts.
public struct ModelTraining: Sendable {
    public var model: Model
    public var metrics: TrainingMetrics
    /// The file.
    public var path: String
    /// Policies whose recordings it was trained on.
    public var policies: [String]

    /// Trains the residual model on all decisions of the recordings that were not forced, and saves
    /// it.
    init(runs: [PolicyRun], path: String) throws(DemoError) {
        do {
            var trainer = try RidgeTrainer()
            for run in runs {
                let trace = try TraceReader(path: run.trace)
                try trace.forEachDecision { decision throws(TraceError) in
                    let record = decision.record
                    guard !record.decision.isForced, let outcome = decision.outcome,
                        record.decision.action.count == 1,
                        let chosen = record.decision.action.first,
                        let index = record.candidates.index(of: chosen)
                    else { return }
                    let candidate = record.candidates[index]
                    trainer.add(
                        features: candidate.features,
                        predictedDelivery: candidate.predictedDelivery, outcome: outcome)
                }
            }
            let (ridge, metrics) = try trainer.train()
            policies = runs.map(\.policy)
            var notes = metrics.notes
            notes["trained_on"] = "pathwise demo: " + policies.joined(separator: ", ")
            model = try Model(residual: ridge, notes: notes)
            try model.save(path)
            self.metrics = metrics
            self.path = path
        } catch {
            throw DemoError(error)
        }
    }
}
