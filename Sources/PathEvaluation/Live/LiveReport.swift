public import PathTelemetry

/// What a session's decisions have cost, and what others would have cost by estimate.
///
/// A cost is that of `Cost.total`: the logarithm of the delivery time, lateness, and price. A difference
/// of 0.01 is about one percent of a delivery time. Figures are per decision; forced decisions, in which
/// nobody has a choice, are left out.
public struct LiveReport: Sendable {
    /// A number with its interval.
    public struct Value: Hashable, Sendable {
        public let value: Double
        public let low: Double
        public let high: Double

        init(_ value: Double, _ low: Double, _ high: Double) {
            self.value = value
            self.low = low
            self.high = high
        }
    }

    /// The estimate for a policy that did not decide.
    public struct Rival: Sendable {
        /// Its cost, doubly robust.
        public let cost: Value
        /// How much less than the policy that decided it would have cost, paired by decision; negative if
        /// it would have cost more.
        public let gain: Value
        /// Late share and delivery times, self-normalised; nil without decisions.
        public let network: NetworkFigures?
        /// Its mean probability of the action that was taken.
        public let agreement: Double
        /// The equivalent number of decisions of its own.
        public let effectiveCount: Double
        public let verdict: Verdict

        /// Whether the decisions say something about it at all.
        public var isUsable: Bool { verdict.level < .doNotTrust }
    }

    /// Decisions with an outcome and a choice.
    public let decisions: Int
    /// Of those, how many are left out, because their numbers cannot be used.
    public let refused: Int
    /// Of every interval.
    public let confidence: Double
    /// What the decisions cost.
    public let cost: Value
    public let network: NetworkFigures
    public let shadow: Rival?
    public let steady: Rival
    /// The path that would have cost least if it had always been taken, among those about which the
    /// decisions say enough; nil without one.
    public let bestPath: (path: PathID, rival: Rival)?

    /// The effective number of bursts beyond a quantile from which it is shown.
    private static let beyond = 10.0

    /// A quantile of delivery times, infinite if it is beyond the deadline; nil where too few decisions
    /// tell.
    ///
    /// - Parameters:
    ///   - probability: 0.5, 0.95 or 0.99.
    ///   - network: of the policy that decided, or of another one.
    public static func quantile(
        _ probability: Double, of network: NetworkFigures
    ) -> NetworkFigures.Quantile? {
        guard network.effectiveCount * (1 - probability) >= beyond - 1e-9 else { return nil }
        return network.deliveries.first { $0.probability == probability }
    }
}

extension LiveReport.Rival {
    init(_ evaluation: PolicyEvaluation) {
        let (estimate, interval) =
            evaluation.estimates.first
            ?? (
                Estimate(estimator: .dr, value: .nan, standardError: .nan, count: 0),
                Interval(.nan, .nan, method: "none")
            )
        cost = LiveReport.Value(-estimate.value, -interval.high, -interval.low)
        let (gain, range) = evaluation.gain
        self.gain = LiveReport.Value(gain.value, range.low, range.high)
        network = evaluation.network
        agreement = evaluation.diagnostics.agreement
        effectiveCount = evaluation.diagnostics.effectiveSampleSize
        verdict = evaluation.verdict
    }
}
