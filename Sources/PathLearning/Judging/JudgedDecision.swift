public import PathTelemetry

/// A decision with its outcome, and what others would have done: all that an estimate of their results
/// needs.
///
/// Costs are those of `Cost.total`. Expected costs come from outcomes before the decision only, so an
/// estimate that corrects them by the outcome is right whatever they are.
public struct JudgedDecision: Sendable {
    /// What a policy would have done with the candidates of the decision.
    public struct Opinion: Sendable {
        /// Its probability of the action that was taken.
        public var agreement = 0.0
        /// Its probability of actions that could not have been taken.
        public var unsupported = 0.0
        /// The sum of its squared probabilities over those with which the actions were taken.
        public var weightSquare = 0.0
        /// Its greatest probability, and whether that is of the action that was taken.
        public var greatest = 0.0
        public var isMatch = false
        /// The cost that is expected of its choice.
        public var expectedCost = 0.0
        /// The mean price of 10^9 bytes, with all copies.
        public var pricePerGB = 0.0

        public init() {}
    }

    /// One path alone.
    public struct PathOpinion: Sendable {
        /// The probability with which the path alone was taken.
        public var probability = 0.0
        public var expectedCost = 0.0
    }

    /// Rows of another number are of other policies: it grows whenever one of them is changed.
    public var judge: UInt32
    /// The decision's number within the connection.
    public var number: UInt64
    public var trafficClass: TrafficClass
    public var action: PathSet
    /// The probability with which the action was taken.
    public var propensity: Double
    /// The cost that was expected of the action, and the one that it had.
    public var expectedCost: Double
    public var cost: Double
    public var isLate: Bool
    /// Seconds to delivery; nil if the deadline passed first.
    public var delivery: Double?
    public var deadline: Double
    /// Bytes of one copy.
    public var bytes: Double
    /// The price of 10^9 bytes on the paths that were taken.
    public var pricePerGB: Double
    /// The share of the congestion window in flight on the path that was taken, 0...1.
    public var load: Double
    /// What the policy in the shadow would have done; nil without one.
    public var shadow: Opinion?
    /// What the steady rule would have done.
    public var steady: Opinion
    /// The candidates.
    public var offered: PathSet
    /// What each of them alone would have meant, by path number.
    public var paths: InlineArray<16, PathOpinion>
}
