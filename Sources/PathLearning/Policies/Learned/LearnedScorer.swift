import CKernels
import PathTelemetry

/// The state that a decision of the learned policy needs, separate from the state for learning.
struct LearnedScorer: Sendable {
    let settings: LearnedSettings
    let cost: Cost
    /// Offset from the weights of the residual to those of P(late), doubles.
    let stride: Int
    var weights: [Double]
    /// The terms of the cost besides the weights: one element, in its own memory.
    var terms: [ck_learned]
    /// The rule that turns costs into probabilities.
    private var rule: ck_choice

    init(settings: LearnedSettings, cost: Cost, stride: Int) {
        self.settings = settings
        self.cost = cost
        self.stride = stride
        weights = [Double](repeating: 0, count: 2 * stride)
        var first = ck_learned()
        first.lateness = cost.lateness
        first.lowest = Cost.lowest
        first.highest = Cost.highest
        first.switching = settings.switching
        terms = [first]
        rule = ck_choice(ratio: settings.ratio, slack: settings.slack, epsilon: settings.epsilon)
        rule.risk = settings.risk
        rule.sharpness = 1 / settings.temperature
    }

    /// Evaluates the candidates; `memory` holds the result.
    ///
    /// It is mutating because only mutable storage has an address; a reading method would copy it
    /// first.
    @inline(__always)
    mutating func evaluate(
        _ candidates: Span<Candidate>, burst: BurstContext, in memory: UnsafeMutablePointer<Double>
    ) -> LearnedEvaluation {
        // Before the kernel, so that the processor works on both at once.
        let estimates = memory + 3 * PathID.limit
        let overdue = SafeSet.overdue(candidates) { index, isOverdue in
            estimates[index] = SteadyPolicy.estimate(candidates[index], isOverdue: isOverdue)
        }
        let perPrice = cost.price(bytes: burst.bytes, pricePerGB: 1)
        let current = burst.currentPath?.index ?? -1
        let isFinite = candidates.withKernel { first, step, count in
            ck_learned_costs(
                terms, perPrice, current, weights, FeatureSchema.count, stride, first, step, count,
                memory) != 0
        }
        return LearnedEvaluation(rows: memory, overdue: overdue, isFinite: isFinite ?? false)
    }

    /// The candidates that are not left: bit k for candidate k.
    ///
    /// One whose reply is overdue is left when the steady rule would move from it.
    @inline(__always)
    private static func kept(
        _ candidates: Span<Candidate>, _ evaluation: LearnedEvaluation
    ) -> UInt32 {
        var kept = SafeSet.all(candidates)
        let overdue = evaluation.overdue
        guard overdue != 0 else { return kept }
        var best = Double.infinity
        for index in candidates.indices { best = min(best, evaluation.estimates[index]) }
        for index in candidates.indices where overdue & (1 &<< UInt32(index)) != 0 {
            if SteadyPolicy.moves(from: evaluation.estimates[index], to: best) {
                kept &= ~(1 &<< UInt32(index))
            }
        }
        return kept
    }

    /// The cost of one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        let one: InlineArray<1, Candidate> = [copy candidate]
        var scorer = self
        return withUnsafeTemporaryAllocation(
            of: Double.self, capacity: LearnedEvaluation.capacity
        ) { buffer in
            buffer.baseAddress.map { scorer.evaluate(one.span, burst: burst, in: $0).rows[0] }
                ?? .nan
        }
    }

    /// Writes the distribution.
    ///
    /// It is mutating because only mutable storage has an address; a reading method would copy it
    /// first.
    @inline(__always)
    mutating func fill(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        _ evaluation: LearnedEvaluation
    ) {
        let members = LearnedScorer.kept(candidates, evaluation)
        candidates.withKernel { first, step, count in
            distribution.withSingles(count) {
                ck_choose_softly(&rule, evaluation.rows, members, first, step, count, $0, $1)
            }
        }
    }
}

/// Results for the candidates, in rows of sixteen numbers.
struct LearnedEvaluation {
    static let capacity = 4 * PathID.limit

    /// Costs, P(late), expected deliveries, and the steady rule's estimates, seconds.
    let rows: UnsafeMutablePointer<Double>
    /// Bit mask of candidates whose reply is overdue.
    let overdue: UInt32
    /// Whether all costs are finite.
    let isFinite: Bool

    var estimates: UnsafeMutablePointer<Double> { rows + 3 * PathID.limit }
}
