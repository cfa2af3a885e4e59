/// What a policy does in the units of a person who runs a network.
public struct NetworkFigures: Sendable {
    /// A quantile of the delivery times, in seconds; infinite where the burst was never delivered.
    public struct Quantile: Hashable, Sendable {
        public let probability: Double
        public let value: Double
        /// The interval; its upper end is infinite where too few bursts were slower.
        public let low: Double
        public let high: Double
    }

    /// The quantiles that are reported.
    static let probabilities = [0.5, 0.95, 0.99]

    /// Share of the bursts that were not delivered within their deadline.
    public let lateShare: Double
    public let lateInterval: Interval
    /// At 50, 95 and 99 %.
    public let deliveries: [Quantile]
    /// What 10^9 bytes of bursts cost with all their copies, in the user's currency.
    public let pricePerGB: Double
    /// Probability that the policy puts, on average, on what the log did.
    public let agreement: Double
    /// How many bursts of equal weight say as much: the quantiles reach no further than they do.
    public let effectiveCount: Double

    /// True when far more bursts are late: twice as many without any doubt, or five times as many
    /// with little.
    func isFarLater(than other: NetworkFigures) -> Bool {
        if lateShare >= 2 * other.lateShare, lateInterval.low > other.lateInterval.high {
            return true
        }
        // Of a share of zero the interval reaches to about four in the number of bursts.
        let few = max(other.lateShare, other.lateInterval.high / 4)
        return lateShare >= 5 * few && lateInterval.low > few
    }
}

/// A policy whose value is better although it is late far more often.
public struct LatenessWarning: Hashable, Sendable {
    /// Who is ahead by the value, and whom of.
    public let policy: String
    public let other: String
    public let lateShare: Double
    public let otherLateShare: Double
    /// What a late burst costs in the value.
    public let lateness: Double
}
