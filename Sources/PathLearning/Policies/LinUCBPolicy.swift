import CKernels
import DenseMath
internal import PathTelemetry

/// Optimistic linear regression on the error of the heuristic, with weights shared by all paths.
///
/// For a candidate with features x, prediction h and price p, the cost is
///
///     ln h + theta'(x, 1) - alpha sqrt((x, 1)' A^-1 (x, 1)) + price
///
/// where theta is learned on `Cost.residual`. Candidates whose predicted delivery `h exp(theta'(x,
/// 1))` is within `ratio` times the best plus `slack`, and whose reply is not overdue while
/// another's is not, form the safe set. Its cheapest candidate gets `1 - epsilon`, and each of its
/// candidates a share of `epsilon`; outside it the probability is exactly zero. With zero weights
/// it equals the heuristic. Source: Li, Chu, Langford and Schapire, "A contextual-bandit approach
/// to personalized news article recommendation", 2010, algorithm 1 (here shared weights, costs, and
/// forgetting after Russac et al. 2019).
struct LinUCBPolicy: Policy {
    let settings: LinUCBSettings
    private let cost: Cost
    /// The posterior so far.
    private(set) var posterior: LinearPosterior
    private var clock: EvidenceClock
    /// The terms of the cost, and the rule that turns costs into probabilities.
    private var optimism: ck_optimism
    private let rule: ck_choice

    /// - Parameter prior: one weight per feature and one for the constant; a prior of another size
    ///   is ignored.
    init(settings: LinUCBSettings, cost: Cost, prior: LinearPrior?) {
        self.settings = settings
        self.cost = cost
        clock = EvidenceClock(halfLife: settings.halfLife)
        optimism = ck_optimism(
            alpha: settings.alpha, scale: 1, lowest: Cost.lowest,
            highest: Cost.highest + cost.lateness, per_price: 0)
        rule = ck_choice(ratio: settings.ratio, slack: settings.slack, epsilon: settings.epsilon)
        let size = settings.features + 1
        let flat = LinearPrior(size: size, lambda: settings.lambda)
        posterior = LinearPosterior(prior: prior?.mean.count == size ? prior ?? flat : flat)
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * PathID.limit) { buffer in
            guard let costs = buffer.baseAddress else { return }
            let deliveries = costs + PathID.limit
            evaluate(candidates, burst: burst, costs, deliveries)
            distribution.chooseLeast(rule, costs, deliveries, among: candidates)
        }
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        // An outcome that comes out of order has full weight.
        let decay = clock.advance(to: feedback.now).decay
        let target = cost.residual(
            predictedDelivery: feedback.predictedDelivery, outcome: feedback.outcome)
        var x = AffineFeatures(feedback.features, count: settings.features)
        x.withPointer { posterior.learn($0, target: target, decay: decay) }
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        let one: InlineArray<1, Candidate> = [copy candidate]
        var policy = self
        return withUnsafeTemporaryAllocation(
            of: Double.self, capacity: 2 * PathID.limit
        ) { buffer in
            guard let costs = buffer.baseAddress else { return .nan }
            policy.evaluate(one.span, burst: burst, costs, costs + PathID.limit)
            return costs[0]
        }
    }

    /// Computes the costs that rank candidates, and their expected deliveries in seconds; 16 of
    /// each.
    ///
    /// It is mutating because only mutable storage has an address; a reading method would copy it
    /// first.
    @inline(__always)
    private mutating func evaluate(
        _ candidates: Span<Candidate>, burst: BurstContext, _ costs: UnsafeMutablePointer<Double>,
        _ deliveries: UnsafeMutablePointer<Double>
    ) {
        optimism.per_price = cost.price(bytes: burst.bytes, pricePerGB: 1)
        let stride = posterior.stride
        candidates.withKernel { first, step, count in
            posterior.withWeightsInPlace { theta, matrix, scale in
                optimism.scale = scale
                ck_optimistic_costs(
                    &optimism, theta, settings.alpha > 0 ? matrix : nil, settings.features,
                    stride, first, step, count, costs, deliveries)
            }
        }
    }

    /// The contribution of feature `index` to the cost of a candidate.
    func contribution(of index: Int, in features: borrowing FeatureVector) -> Double {
        posterior.weight(index) * features[index]
    }
}

extension LinUCBPolicy {
    static let descriptor = PolicyDescriptor(
        "lin-ucb", "learns the error of the predicted arrival, linear model with optimism",
        source: "Li 2010",
        settings: LinUCBSettings(),
        needs: { _ in PolicyNeeds().with { $0.model = true } }
    ) { settings, materials throws(LearningError) in
        LinUCBPolicy(
            settings: settings, cost: materials.cost,
            prior: try materials.prior(lambda: settings.lambda))
    }
}
