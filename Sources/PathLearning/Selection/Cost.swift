import Glibc
public import PathTelemetry

/// The cost of a decision, defined once for learning, simulation and evaluation.
///
///     cost = residual + late + price
///     residual = clip(ln(min(delivery, deadline) / h), -2 ... 3)
///     late     = lateness if not delivered within the deadline, else 0
///     price    = perUnit * price of the bytes that it took, copies and repairs included
///
/// `h` is the heuristic's prediction for the chosen candidate at the decision. An unacknowledged
/// burst counts as late at its deadline and is never dropped. Costs are in units of log delivery
/// time: 0.1 is about ten percent.
public struct Cost: Sendable, Equatable {
    /// Cost of lateness on top of the delivery time.
    public var lateness = 1.0
    /// Cost per unit of the user's currency: a burst of 64 KB at a price of 1 per GB costs 0.064.
    public var perUnit = 1000.0

    static let lowest = -2.0
    static let highest = 3.0

    public init() {}

    /// The target of regression: log delivery relative to the prediction, plus lateness.
    ///
    /// It is always finite.
    public func residual(predictedDelivery: Double, outcome: borrowing Outcome) -> Double {
        let prediction = predictedDelivery > 1e-4 ? min(predictedDelivery, 1e6) : 1e-4
        let ratio = logDelivery(outcome) - naturalLogarithm(prediction)
        let clipped = min(max(ratio, Cost.lowest), Cost.highest)
        return clipped + (outcome.isLate ? lateness : 0)
    }

    /// The price of sending `bytes` on paths whose prices per 10^9 bytes sum to `pricePerGB`.
    public func price(bytes: Int, pricePerGB: Double) -> Double {
        perUnit * Double(bytes) * 1e-9 * pricePerGB
    }

    /// The expected cost of a candidate with a predicted residual; finite for any residual.
    ///
    /// - Returns: log delivery, price, and delivery in seconds; the expected cost is the sum of the
    ///   first two.
    @inline(__always)
    func expectation(
        of candidate: borrowing Candidate, residual mean: Double, burst: BurstContext
    ) -> (logDelivery: Double, price: Double, delivery: Double) {
        let top = Cost.highest + lateness
        let residual = mean >= Cost.lowest ? min(mean, top) : mean < 0 ? Cost.lowest : top
        let h = SafeSet.bounded(candidate.predictedDelivery)
        let price = price(bytes: burst.bytes, pricePerGB: candidate.traits.pricePerGB)
        return (
            naturalLogarithm(h) + residual, price.magnitude < 1e9 ? price : 1e9,
            h * exp(residual)
        )
    }

    /// The price of the bytes that a burst sent on the offered paths.
    ///
    /// If they were not recorded, the planned bytes count once per copy.
    public func price(
        of outcome: borrowing Outcome, action: PathSet, planned: Int, candidates: Span<Candidate>
    ) -> Double {
        var sum = 0.0
        for index in candidates.indices {
            let path = candidates[index].path
            let bytes =
                outcome.bytes.isEmpty
                ? (action.contains(path) ? planned : 0) : outcome.bytes[path]
            sum += price(bytes: bytes, pricePerGB: candidates[index].traits.pricePerGB)
        }
        return sum
    }

    /// The cost of a whole decision: log of the delivery time in seconds, lateness and price.
    ///
    /// It is not relative to a prediction, so that different choices are comparable.
    public func total(outcome: borrowing Outcome, price: Double) -> Double {
        logDelivery(outcome) + (outcome.isLate ? lateness : 0) + price
    }

    /// The logarithm of min(delivery, deadline) in seconds, each clamped to 1e-4 ...
    ///
    /// 1e6.
    private func logDelivery(_ outcome: borrowing Outcome) -> Double {
        let deadline = outcome.deadline > 1e-4 ? min(outcome.deadline, 1e6) : 1e-4
        let delivery = outcome.delivery ?? deadline
        return naturalLogarithm(delivery > 1e-4 ? min(delivery, deadline) : 1e-4)
    }
}
