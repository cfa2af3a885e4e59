import DenseMath
import Glibc
public import PathTelemetry

/// Optimistic linear regression on the error of the heuristic, with weights shared by all paths.
///
/// For a candidate with features x, prediction h and price p, the cost is
///
///     ln h + theta'(x, 1) - alpha sqrt((x, 1)' A^-1 (x, 1)) + price
///
/// where theta is learned on `Cost.residual`. Candidates whose predicted delivery
/// `h exp(theta'(x, 1))` is within `ratio` times the best plus `slack`, and whose reply is not
/// overdue while another's is not, form the safe set. The cheapest of it gets `1 - epsilon`, and
/// each of it a share of `epsilon`; outside it the probability is exactly zero. With weights of
/// zero it starts as the heuristic.
/// Source: Li, Chu, Langford and Schapire, "A contextual-bandit approach to personalized news
/// article recommendation", 2010, algorithm 1 (here shared weights, costs, and forgetting after
/// Russac et al. 2019).
public struct LinUCBPolicy: Policy {
    /// Features and a constant.
    static let size = FeatureSchema.count + 1
    private static let stride = 28

    public let settings: LinUCBSettings
    private let cost: Cost
    /// What has been learned so far.
    public private(set) var posterior: LinearPosterior
    private var lastLearned: Instant?

    /// - Parameter prior: `FeatureSchema.count + 1` weights, the last for the constant; a prior of
    ///   another size is not used.
    public init(settings: LinUCBSettings, cost: Cost, prior: LinearPrior?) {
        self.settings = settings
        self.cost = cost
        let flat = LinearPrior(size: LinUCBPolicy.size, lambda: settings.lambda)
        posterior = LinearPosterior(
            prior: prior?.mean.count == LinUCBPolicy.size ? prior ?? flat : flat)
    }

    public mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let count = candidates.count
        var costs = InlineArray<16, Double>(repeating: 0)
        var deliveries = InlineArray<16, Double>(repeating: 0)
        var overdue: UInt32 = 0
        for index in 0..<count {
            let estimate = evaluate(
                candidates[index].features.span,
                prediction: candidates[index].predictedDelivery,
                pricePerGB: candidates[index].traits.pricePerGB, burst: burst)
            costs[index] = estimate.cost
            deliveries[index] = estimate.delivery
            if SteadyPolicy.isSuspicious(candidates[index]) { overdue |= 1 &<< UInt32(index) }
        }
        // When every reply is overdue, overdue says nothing about which path to avoid.
        if overdue.nonzeroBitCount == count { overdue = 0 }
        var fastest = Double.infinity
        for index in 0..<count where overdue & (1 &<< UInt32(index)) == 0 {
            fastest = min(fastest, deliveries[index])
        }
        let bar = settings.ratio * fastest + settings.slack
        var safe: UInt32 = 0
        var best = -1
        for index in 0..<count
        where overdue & (1 &<< UInt32(index)) == 0 && deliveries[index] <= bar {
            safe |= 1 &<< UInt32(index)
            if best < 0 {
                best = index
            } else if costs[index] < costs[best] {
                best = index
            }
        }
        let share = settings.epsilon / Double(max(1, safe.nonzeroBitCount))
        for index in 0..<count {
            let floor = safe & (1 &<< UInt32(index)) != 0 ? share : 0
            distribution.append(
                PathSet(candidates[index].path),
                index == best ? floor + (1 - settings.epsilon) : floor)
        }
    }

    public mutating func learn(_ feedback: borrowing Feedback) {
        var decay = 1.0
        if let last = lastLearned, feedback.now > last {
            decay = exp2(-(feedback.now - last).seconds / settings.halfLife)
        }
        if lastLearned == nil { lastLearned = feedback.now }
        if let last = lastLearned, feedback.now > last { lastLearned = feedback.now }
        let target = cost.residual(
            predictedDelivery: feedback.predictedDelivery, outcome: feedback.outcome)
        var x = LinUCBPolicy.padded(feedback.features)
        withUnsafePointer(to: &x) { pointer in
            pointer.withMemoryRebound(to: Double.self, capacity: LinUCBPolicy.stride) {
                posterior.learn($0, target: target, decay: decay)
            }
        }
    }

    public func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        evaluate(
            candidate.features.span, prediction: candidate.predictedDelivery,
            pricePerGB: candidate.traits.pricePerGB, burst: burst
        ).cost
    }

    /// The cost by which candidates are ranked, and the delivery expected of this one, seconds.
    @inline(__always)
    private func evaluate(
        _ features: Span<Double>, prediction: Double, pricePerGB: Double, burst: BurstContext
    ) -> (cost: Double, delivery: Double) {
        let (mean, spread) = features.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { posterior.predictAffine($0) } ?? (mean: 0, spread: 0)
        }
        let residual = min(max(mean, Cost.lowest), Cost.highest + cost.lateness)
        let h = max(prediction, 1e-4)
        let bonus = settings.alpha * max(0, spread).squareRoot()
        return (
            naturalLogarithm(h) + residual - bonus
                + cost.price(bytes: burst.bytes, pricePerGB: pricePerGB),
            h * exp(residual)
        )
    }

    /// The features, a one, and zeros up to whole vectors.
    @inline(__always)
    private static func padded(_ features: borrowing FeatureVector) -> InlineArray<28, Double> {
        var x = InlineArray<28, Double>(repeating: 0)
        for index in 0..<FeatureSchema.count { x[index] = features[index] }
        x[FeatureSchema.count] = 1
        return x
    }

    /// How much feature `index` adds to the cost of a candidate.
    func contribution(of index: Int, in features: borrowing FeatureVector) -> Double {
        posterior.weight(index) * features[index]
    }
}
