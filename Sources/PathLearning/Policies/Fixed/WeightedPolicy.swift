import Glibc
internal import PathTelemetry

/// The source of the weights of `weighted`.
public struct WeightedSettings: PolicySettings {
    /// 0: those of `--path`; 1: from reliability and latency; 2: learned.
    public var by = 0
    /// Exponent of the share of packets that arrive.
    var reliability = 10.0
    /// Exponent of the round trip, or of the delivery time.
    var latency = 1.0
    /// Half-life of outcomes for learned weights, seconds.
    public var halfLife = 10.0

    public init() {}

    public var fields: [PolicyField<WeightedSettings>] {
        [
            PolicyField("by", \.by, words: ["fixed", "telemetry", "learned"]),
            PolicyField("reliability", \.reliability, 0...1e3, "a number from 0 to 1000"),
            PolicyField("latency", \.latency, 0...100, "a number from 0 to 100"),
            PolicyField(
                "half-life", \.halfLife, 1e-3...Double.infinity, "seconds above 0, or inf"),
        ]
    }
}

/// Chooses among paths with room with probabilities proportional to their weights.
///
///     fixed        the user's weight
///     telemetry    (1 - loss)^reliability / round trip^latency
///     learned      on-time share^reliability / (h exp(mean residual))^latency
///
/// where the round trip is at least the age of the oldest unanswered packet, and the learned parts
/// are means over the path's own discounted outcomes, with one prior outcome of "as predicted, in
/// time".
struct WeightedPolicy: Policy {
    let settings: WeightedSettings
    private let cost: Cost
    private var outcomes: PathOutcomes

    init(settings: WeightedSettings = WeightedSettings(), cost: Cost = Cost()) {
        self.settings = settings
        self.cost = cost
        outcomes = PathOutcomes(halfLife: settings.halfLife)
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let needed = candidates.hasRoom ? 1 : Int.min
        outcomes.advance(to: now)
        var total = 0.0
        for index in 0..<candidates.count where candidates[index].room >= needed {
            total += weight(candidates[index])
        }
        for index in 0..<candidates.count {
            let share = weight(candidates[index]) / total
            distribution.append(
                PathSet(candidates[index].path), candidates[index].room >= needed ? share : 0)
        }
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard settings.by == 2, feedback.action.count == 1 else { return }
        outcomes.add(
            path: feedback.path, at: feedback.now,
            value: cost.residual(
                predictedDelivery: feedback.predictedDelivery, outcome: feedback.outcome),
            isLate: feedback.outcome.isLate)
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        -weight(candidate)
    }

    /// The weight, clamped so that sums are finite and positive.
    private func weight(_ candidate: borrowing Candidate) -> Double {
        let weight =
            switch settings.by {
            case 0: candidate.traits.weight
            case 1:
                merit(
                    arriving: 1 - candidate.lossRate,
                    time: max(candidate.smoothedRTT, candidate.unansweredAge))
            default:
                learned(candidate)
            }
        return weight > 1e-9 ? min(weight, 1e9) : 1e-9
    }

    private func learned(_ candidate: borrowing Candidate) -> Double {
        let sums = outcomes.sums(of: candidate.path)
        let onTime = (1 + sums.count - sums.late) / (1 + sums.count)
        let residual = sums.total / (1 + sums.count)
        // A silent path has no outcomes yet, so the age of its oldest packet counts.
        let time = max(candidate.predictedDelivery * exp(residual), candidate.unansweredAge)
        return merit(arriving: onTime, time: time)
    }

    private func merit(arriving: Double, time: Double) -> Double {
        let share = min(1, max(1e-6, arriving))
        return pow(share, settings.reliability) / pow(max(1e-4, time), settings.latency)
    }
}

extension WeightedPolicy {
    static let descriptor = PolicyDescriptor(
        "weighted", "at random by weight: by=fixed (--path), telemetry or learned",
        settings: WeightedSettings()
    ) { settings, materials throws(LearningError) in
        WeightedPolicy(settings: settings, cost: materials.cost)
    }
}
