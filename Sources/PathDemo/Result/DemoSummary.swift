public import PathEvaluation

/// The results of a demonstration.
public struct DemoSummary: Sendable {
    public var scenario: DemoScenario
    /// The runs in their order, with the learned policy last.
    public var runs: [PolicyRun]
    public var training: ModelTraining
    /// Evaluation of the learned policy's recording.
    public var evaluation: EvaluationReport
    /// The directory of traces and model.
    public var directory: String
    /// Duration of the whole demonstration, seconds.
    public var elapsed: Double

    /// The run of a policy.
    public func run(of policy: String) -> PolicyRun? { runs.first { $0.policy == policy } }
}
