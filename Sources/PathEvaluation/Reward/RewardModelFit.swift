/// The out-of-fold fit of a reward model.
public struct RewardModelFit: Hashable, Sendable {
    public var rows = 0
    /// Sum of squared errors out of fold, and of squared distances from the mean.
    public var squaredError = 0.0
    public var scatter = 0.0
    /// Sums of the actual and of the predicted rewards.
    public var earned = 0.0
    public var predicted = 0.0

    public init(
        rows: Int = 0, squaredError: Double = 0, scatter: Double = 0, earned: Double = 0,
        predicted: Double = 0
    ) {
        self.rows = rows
        self.squaredError = squaredError
        self.scatter = scatter
        self.earned = earned
        self.predicted = predicted
    }

    /// Share of the variance of rewards that it explains; negative if the mean predicts better.
    public var explained: Double { scatter > 0 ? 1 - squaredError / scatter : 0 }

    /// Mean of actual minus predicted reward; zero if the model is calibrated.
    public var bias: Double { rows > 0 ? (earned - predicted) / Double(rows) : 0 }

    @inline(__always)
    mutating func add(reward: Double, predicted value: Double) {
        rows += 1
        squaredError += (reward - value) * (reward - value)
        earned += reward
        predicted += value
    }

    /// Writes or reads all numbers.
    mutating func transfer(_ stream: inout NumberStream) {
        stream.pass(&rows)
        stream.pass(&squaredError)
        stream.pass(&scatter)
        stream.pass(&earned)
        stream.pass(&predicted)
    }

    mutating func merge(_ other: RewardModelFit) {
        rows += other.rows
        squaredError += other.squaredError
        scatter += other.scatter
        earned += other.earned
        predicted += other.predicted
    }
}
