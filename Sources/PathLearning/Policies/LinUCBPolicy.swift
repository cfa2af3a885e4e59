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
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 4 * PathID.limit) { buffer in
            guard let costs = buffer.baseAddress else { return }
            let deliveries = costs + PathID.limit
            evaluate(candidates, burst: burst, costs: costs, deliveries: deliveries)
            fill(&distribution, candidates, costs: costs, deliveries: deliveries)
        }
    }

    private func fill(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        costs: UnsafePointer<Double>, deliveries: UnsafePointer<Double>
    ) {
        let count = candidates.count
        var overdue: UInt32 = 0
        for index in 0..<count where SteadyPolicy.isSuspicious(candidates[index]) {
            overdue |= 1 &<< UInt32(index)
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
        let one: InlineArray<1, Candidate> = [copy candidate]
        var cost = 0.0
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 4 * PathID.limit) { buffer in
            guard let costs = buffer.baseAddress else { return }
            evaluate(
                one.span, burst: burst, costs: costs, deliveries: costs + PathID.limit)
            cost = costs[0]
        }
        return cost
    }

    /// The costs by which candidates are ranked, and the deliveries expected of them, seconds.
    ///
    /// - Parameter costs: 4 x 16 doubles; the second 16 are `deliveries`.
    @inline(__always)
    private func evaluate(
        _ candidates: Span<Candidate>, burst: BurstContext, costs: UnsafeMutablePointer<Double>,
        deliveries: UnsafeMutablePointer<Double>
    ) {
        let count = candidates.count
        let spreads = deliveries + PathID.limit
        let logarithms = spreads + PathID.limit
        candidates.withFeatures { features, step in
            _ = posterior.withWeights { theta, inverse in
                SmallKernels.score(
                    theta: theta, models: 1, p: settings.alpha > 0 ? inverse : nil,
                    size: FeatureSchema.count, stride: posterior.stride, x: features, step: step,
                    count: count, means: costs, spreads: spreads)
            }
        }
        for index in 0..<((count + 3) & ~3) {
            let prediction = index < count ? candidates[index].predictedDelivery : 1
            deliveries[index] = max(prediction, 1e-4)
        }
        SmallKernels.logarithms(deliveries, into: logarithms, count: count)
        let highest = Cost.highest + cost.lateness
        let perPrice = cost.price(bytes: burst.bytes, pricePerGB: 1)
        for index in 0..<count {
            let residual = min(max(costs[index], Cost.lowest), highest)
            let bonus =
                settings.alpha > 0
                ? settings.alpha * max(0, spreads[index]).squareRoot() : 0
            costs[index] =
                logarithms[index] + residual - bonus
                + perPrice * candidates[index].traits.pricePerGB
            logarithms[index] += residual
        }
        SmallKernels.exponentials(logarithms, into: deliveries, count: count)
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
