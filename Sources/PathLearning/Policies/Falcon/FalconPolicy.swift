import CKernels
import DenseMath
internal import PathTelemetry

/// Parameters of falcon.
public struct FalconSettings: PolicySettings {
    /// Half-life of errors in choosing the cluster, seconds.
    var memory = 2.0
    /// The same for the online head.
    public var halfLife = 2.0
    /// Optimism: how many standard deviations are subtracted from the predicted cost.
    public var alpha = 0.2
    /// Prior precision of the head's weights.
    public var lambda = 4.0
    /// Probability shared by all candidates of the safe set.
    public var epsilon = 0.02
    /// A candidate is safe if its predicted delivery is within `ratio` times the best one's plus
    /// `slack` seconds.
    public var ratio = 2.0
    public var slack = 0.010

    public init() {}

    public var fields: [PolicyField<FalconSettings>] {
        [
            PolicyField("memory", \.memory, 1e-3...1e6, "seconds from 0.001 to 1e6"),
            PolicyField(
                "half-life", \.halfLife, 1e-3...Double.infinity, "seconds above 0, or inf"),
            PolicyField("alpha", \.alpha, 0...1e3, "a number from 0 to 1000"),
            PolicyField("lambda", \.lambda, 1e-6...1e6, "a number from 1e-6 to 1e6"),
            PolicyField("epsilon", \.epsilon, 0...1, "a number from 0 to 1"),
            PolicyField("ratio", \.ratio, 1...1e6, "a number of 1 or more"),
            PolicyField("slack", \.slack, 0...60, "seconds from 0 to 60"),
        ]
    }
}

/// Chooses among offline models for kinds of networks, and learns a small fast head on the error of
/// the best one.
///
/// The cluster with the least sum of squared errors over the last seconds is active. The head is a
/// linear model on eight quickly changing features; it is reset when another cluster becomes
/// active. Cost, safe set and epsilon are those of lin-ucb. The clusters are the uncorrected
/// heuristic and the given model. Source: Wu, Alay, Brunstrom, Caso and Ferlin, "FALCON: Fast and
/// Accurate Multipath Scheduling using Offline and Online Learning", 2022 (there with neural
/// networks and deep reinforcement learning).
struct FalconPolicy: Policy {
    private static let fast: InlineArray<8, Feature> = [
        .rttSlope, .delayExcess, .jitterP90, .lossShort, .sinceReply, .unansweredAge, .inFlight,
        .predictionGap,
    ]
    private static let size = FeatureSchema.count + 1

    let settings: FalconSettings
    private let cost: Cost
    private let weights: [Double]
    private let clusters: Int
    /// The active cluster.
    private(set) var cluster = 0
    /// How often the active cluster changed.
    private(set) var switches: UInt64 = 0
    private var head: LinearPosterior
    private var clock: EvidenceClock
    /// Sums of squared errors, indexed by cluster instead of path.
    private var errors: PathOutcomes

    init(settings: FalconSettings = FalconSettings(), clusters: ClusterModels, cost: Cost) {
        self.settings = settings
        self.cost = cost
        weights = clusters.weights.flatMap { $0 }
        self.clusters = clusters.weights.count
        head = LinearPosterior(prior: LinearPrior(size: 9, lambda: settings.lambda))
        clock = EvidenceClock(halfLife: settings.halfLife)
        errors = PathOutcomes(halfLife: settings.memory)
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let count = candidates.count
        var costs = InlineArray<16, Double>(repeating: 0)
        var deliveries = InlineArray<16, Double>(repeating: 0)
        for index in 0..<count {
            let estimate = evaluate(candidates[index], burst)
            costs[index] = estimate.cost
            deliveries[index] = estimate.delivery
        }
        let rule = ck_choice(
            ratio: settings.ratio, slack: settings.slack, epsilon: settings.epsilon)
        distribution.chooseLeast(rule, costs.span, deliveries.span, among: candidates)
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard feedback.action.count == 1 else { return }
        let target = cost.residual(
            predictedDelivery: feedback.predictedDelivery, outcome: feedback.outcome)
        let time = feedback.now
        let features = feedback.features
        for index in 0..<clusters {
            let error = target - prediction(index, features)
            errors.add(
                path: PathID(index), at: time, value: min(error * error, 100), isLate: false)
        }
        elect()
        let (decay, weight) = clock.advance(to: time)
        let rest = target - prediction(cluster, features)
        var x = FalconPolicy.quick(features)
        withUnsafeMutablePointer(to: &x) { pointer in
            pointer.withMemoryRebound(to: Double.self, capacity: 12) { values in
                head.learn(values, target: rest, decay: decay, weight: weight, time: time)
            }
        }
    }

    /// Activates the cluster with the least errors if it is clearly better.
    private mutating func elect() {
        var best = cluster
        for index in 0..<clusters
        where errors.sums(of: PathID(index)).total < errors.sums(of: PathID(best)).total {
            best = index
        }
        guard best != cluster else { return }
        let own = errors.sums(of: PathID(cluster)).total
        guard errors.sums(of: PathID(best)).total < 0.9 * own - 0.1 else { return }
        cluster = best
        switches &+= 1
        head.startAnew()
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        evaluate(candidate, burst).cost
    }

    private func evaluate(
        _ candidate: borrowing Candidate, _ burst: BurstContext
    ) -> (cost: Double, delivery: Double) {
        let features = candidate.features
        var x = FalconPolicy.quick(features)
        let (mean, spread) = withUnsafePointer(to: &x) { pointer in
            pointer.withMemoryRebound(to: Double.self, capacity: 12) { head.predictAffine($0) }
        }
        let sum = prediction(cluster, features) + mean
        let expected = cost.expectation(of: candidate, residual: sum, burst: burst)
        let bonus = spread > 0 ? settings.alpha * min(spread, 1e12).squareRoot() : 0
        return (expected.logDelivery - bonus + expected.price, expected.delivery)
    }

    /// A cluster's own prediction of the residual.
    private func prediction(_ cluster: Int, _ features: FeatureVector) -> Double {
        let base = cluster &* FalconPolicy.size
        var sum = weights[base &+ FeatureSchema.count]
        for index in 0..<FeatureSchema.count { sum += weights[base &+ index] * features[index] }
        return sum
    }

    /// The head's features, a one, and zeros as padding to whole vectors.
    private static func quick(_ features: FeatureVector) -> InlineArray<12, Double> {
        var x = InlineArray<12, Double>(repeating: 0)
        for index in 0..<8 { x[index] = features[fast[index].rawValue] }
        x[8] = 1
        return x
    }
}

extension FalconPolicy {
    static let descriptor = PolicyDescriptor(
        "falcon", "offline models of kinds of networks, fast online correction",
        source: "Wu 2022",
        settings: FalconSettings(),
        needs: { _ in PolicyNeeds().with { $0.model = true } }
    ) { settings, materials throws(LearningError) in
        FalconPolicy(
            settings: settings, clusters: ClusterModels(model: materials.model),
            cost: materials.cost)
    }
}
