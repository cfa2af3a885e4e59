/// The effect of a policy in units of the network.
public struct NetworkFigures: Sendable {
    /// A quantile of the delivery times, in seconds; infinite if the burst was never delivered.
    public struct Quantile: Hashable, Sendable {
        public let probability: Double
        public let value: Double
        /// The interval; its upper end is infinite if too few bursts were slower.
        public let low: Double
        public let high: Double
    }

    /// The reported quantiles.
    static let probabilities = [0.5, 0.95, 0.99]

    /// Share of the bursts that were not delivered within their deadline.
    public let lateShare: Double
    public let lateInterval: Interval
    /// Quantiles at 50, 95 and 99 %.
    public let deliveries: [Quantile]
    /// Price of 10^9 bytes of bursts with all their copies, in the user's currency.
    public let pricePerGB: Double
    /// Mean probability of the logged action under the policy.
    public let agreement: Double
    /// Effective number of bursts of equal weight, which limits how extreme a quantile can be
    /// estimated.
    public let effectiveCount: Double

    /// Whether far more bursts are late: twice as many with intervals apart, or five times as many
    /// with weaker evidence.
    func isFarLater(than other: NetworkFigures) -> Bool {
        if lateShare >= 2 * other.lateShare, lateInterval.low > other.lateInterval.high {
            return true
        }
        // For a share of zero the interval reaches to about four bursts.
        let few = max(other.lateShare, other.lateInterval.high / 4)
        return lateShare >= 5 * few && lateInterval.low > few
    }
}

/// A policy with a better value that is late far more often.
public struct LatenessWarning: Hashable, Sendable {
    /// The policy with the better value, and the one that it is compared with.
    public let policy: String
    public let other: String
    public let lateShare: Double
    public let otherLateShare: Double
    /// The cost of a late burst in the value.
    public let lateness: Double
}
