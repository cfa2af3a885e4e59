public import PathEvaluation

/// Everything that a demonstration found.
public struct DemoSummary: Sendable {
    public var scenario: DemoScenario
    /// In the order of the runs, the learned policy last.
    public var runs: [PolicyRun]
    public var training: ModelTraining
    /// Of the learned policy's recording.
    public var evaluation: EvaluationReport
    /// Where traces and model are.
    public var directory: String
    /// Of the whole demonstration, seconds.
    public var elapsed: Double

    /// The run of a policy.
    public func run(of policy: String) -> PolicyRun? { runs.first { $0.policy == policy } }
}
