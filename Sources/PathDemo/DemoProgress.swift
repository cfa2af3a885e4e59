/// The progress of a demonstration.
public struct DemoProgress: Sendable {
    /// The current step, in words.
    public var step = "starting"
    /// Finished share of all the work, 0...1.
    public var share = 0.0
    /// Finished steps, a line each, in their order.
    public var done: [String] = []
}
