public import PathEvaluation
public import PathWorlds

/// The results of a demonstration.
public struct DemoSummary: Sendable {
    public var scenario: DemoScenario
    /// All policies in virtual time.
    public var comparison: Comparison
    public var training: ModelTraining
    /// The run of the learned policy over real sockets.
    public var run: PolicyRun
    /// Evaluation of that run's recording.
    public var evaluation: EvaluationReport
    /// The directory of traces and model.
    public var directory: String
    /// Duration of the whole demonstration, seconds.
    public var elapsed: Double
}
