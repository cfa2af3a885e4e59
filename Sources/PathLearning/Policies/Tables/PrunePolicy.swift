import DenseMath
import Glibc
internal import PathTelemetry

/// Parameters of prune.
public struct PruneSettings: PolicySettings {
    /// Half-life of outcomes, seconds.
    public var halfLife = 5.0
    /// Half the width of the intervals that decide which paths are pruned, in standard errors.
    public var confidence = 2.0
    /// Optimism among the remaining paths.
    public var alpha = 0.3
    /// Probability shared by all answering paths, pruned ones included.
    public var epsilon = 0.02

    public init() {}

    public var fields: [PolicyField<PruneSettings>] {
        [
            PolicyField(
                "half-life", \.halfLife, 1e-3...Double.infinity, "seconds above 0, or inf"),
            PolicyField("confidence", \.confidence, 0...100, "a number from 0 to 100"),
            PolicyField("alpha", \.alpha, 0...1e3, "a number from 0 to 1000"),
            PolicyField("epsilon", \.epsilon, 0...1, "a number from 0 to 1"),
        ]
    }
}

/// Prune, then bandit: excludes paths that are significantly worse, and runs a discounted UCB among
/// the others.
///
/// For each traffic class and path it predicts the logarithm of the delivery time as that of h plus
/// the discounted mean residual of its outcomes, with an interval from their variance. A path is
/// pruned if its lower bound lies above another's upper bound. Among the rest the least `mean -
/// alpha sqrt(variance ln N / n)` is chosen. A path with an overdue reply is excluded while another
/// answers. Sources: Jiang et al., "Via: Improving Internet Telephony Call Quality Using Predictive
/// Relay Selection", 2016; Jiang et al., "Pytheas: Enabling Data-Driven Quality of Experience
/// Optimization Using Group-Based Exploration-Exploitation", 2017 (discounted UCB in groups).
struct PrunePolicy: Policy {
    /// Prior of a residual: one outcome of zero with this variance.
    private static let priorVariance = 0.25

    let settings: PruneSettings
    private let cost: Cost
    private var streams: PathOutcomes
    private var messages: PathOutcomes

    init(settings: PruneSettings = PruneSettings(), cost: Cost = Cost()) {
        self.settings = settings
        self.cost = cost
        streams = PathOutcomes(halfLife: settings.halfLife)
        messages = streams
    }

    private struct Belief {
        var mean: Double
        var error: Double
        var count: Double
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        if burst.trafficClass == .stream {
            streams.advance(to: now)
        } else {
            messages.advance(to: now)
        }
        let answering = SafeSet.answering(candidates)
        var upper = Double.infinity
        var total = 0.0
        for index in 0..<candidates.count where answering & (1 &<< UInt32(index)) != 0 {
            let own = belief(candidates[index], burst)
            upper = min(upper, own.mean + settings.confidence * own.error)
            total += own.count
        }
        let logTotal = max(1, naturalLogarithm(1 + total)).squareRoot()
        var best = -1
        var lowest = Double.infinity
        for index in 0..<candidates.count where answering & (1 &<< UInt32(index)) != 0 {
            let own = belief(candidates[index], burst)
            guard own.mean - settings.confidence * own.error <= upper else { continue }
            let optimistic = own.mean - settings.alpha * own.error * logTotal
            if best < 0 || optimistic < lowest {
                best = index
                lowest = optimistic
            }
        }
        let floor = settings.epsilon / Double(max(1, answering.nonzeroBitCount))
        for index in 0..<candidates.count {
            let share = answering & (1 &<< UInt32(index)) != 0 ? floor : 0
            distribution.append(
                PathSet(candidates[index].path),
                index == best ? share + (1 - settings.epsilon) : share)
        }
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard feedback.action.count == 1 else { return }
        let residual = cost.residual(
            predictedDelivery: feedback.predictedDelivery, outcome: feedback.outcome)
        let late = feedback.outcome.isLate
        if feedback.burst.trafficClass == .stream {
            streams.add(path: feedback.path, at: feedback.now, value: residual, isLate: late)
        } else {
            messages.add(path: feedback.path, at: feedback.now, value: residual, isLate: late)
        }
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        belief(candidate, burst).mean
    }

    /// The predicted cost, and its standard error.
    private func belief(_ candidate: borrowing Candidate, _ burst: BurstContext) -> Belief {
        let sums =
            burst.trafficClass == .stream
            ? streams.sums(of: candidate.path) : messages.sums(of: candidate.path)
        let count = 1 + sums.count
        let residual = sums.total / count
        let scatter = sums.squares - sums.total * residual + PrunePolicy.priorVariance
        let variance = max(1e-3, scatter / count)
        let price = cost.price(bytes: burst.bytes, pricePerGB: candidate.traits.pricePerGB)
        let h = SafeSet.bounded(candidate.predictedDelivery)
        return Belief(
            mean: naturalLogarithm(h) + residual + (price.magnitude < 1e9 ? price : 1e9),
            error: (variance / count).squareRoot(), count: count)
    }
}

extension PrunePolicy {
    static let descriptor = PolicyDescriptor(
        "prune", "drops paths that are clearly worse, UCB among the rest",
        source: "Via 2016, Pytheas 2017",
        settings: PruneSettings()
    ) { settings, materials throws(LearningError) in
        PrunePolicy(settings: settings, cost: materials.cost)
    }
}
