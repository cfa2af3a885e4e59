/// How far a demonstration is.
public struct DemoProgress: Sendable {
    /// What is being done, in words.
    public var step = "starting"
    /// Of all the work, 0...1.
    public var share = 0.0
    /// Runs that are done, in their order.
    public var runs: [PolicyRun] = []
}
