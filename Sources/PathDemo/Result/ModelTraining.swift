public import PathLearning
import PathTraining

/// The trained model, its data and its fit.
public struct ModelTraining: Sendable {
    public var model: Model
    /// The linear residual and its errors.
    public var fit: SegmentedFit
    /// Path of the model file.
    public var path: String
    /// Policies whose recordings it was trained on.
    public var policies: [String]

    /// Trains the residual model on all decisions of the recordings that were not forced, and saves
    /// it to a file.
    init(traces: [String], policies: [String], path: String) throws(DemoError) {
        self.policies = policies
        do {
            var options = TrainingOptions()
            options.holdout = 0
            let result = try ModelTrainer(options).train(
                traces,
                notes: ["trained_on": "pathwise demo: " + policies.joined(separator: ", ")])
            guard let fit = result.residual else { throw DemoError.other("nothing was trained") }
            model = result.model
            self.fit = fit
            try model.save(path)
            self.path = path
        } catch {
            throw DemoError(error)
        }
    }
}
