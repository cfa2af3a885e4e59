import DenseMath
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
    private var clock: EvidenceClock

    /// - Parameter prior: `FeatureSchema.count + 1` weights, the last for the constant; a prior of
    ///   another size is not used.
    public init(settings: LinUCBSettings, cost: Cost, prior: LinearPrior?) {
        self.settings = settings
        self.cost = cost
        clock = EvidenceClock(halfLife: settings.halfLife)
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
            evaluate(
                candidates, burst: burst, costs: costs, deliveries: costs + PathID.limit)
            let safe = SafeSet.members(
                candidates,
                deliveries: UnsafeBufferPointer(start: costs + PathID.limit, count: PathID.limit)
                    .span, ratio: settings.ratio, slack: settings.slack)
            distribution.chooseLeast(
                UnsafeBufferPointer(start: costs, count: PathID.limit).span, of: safe,
                among: candidates, epsilon: settings.epsilon)
        }
    }

    public mutating func learn(_ feedback: borrowing Feedback) {
        // An outcome that comes out of order counts whole.
        let decay = clock.advance(to: feedback.now).decay
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
