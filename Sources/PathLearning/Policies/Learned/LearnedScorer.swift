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
    /// Variance of log delivery, a tenth either way, that is left where a path's errors show none.
    private static let leastVariance = 0.01
    /// One over a temperature at which only the least cost has a share.
    private static let decisive = 1e9
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
        first.least_variance = LearnedScorer.leastVariance
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
        let estimates = memory + 4 * PathID.limit
        let overdue = SafeSet.overdue(candidates) { index, isOverdue in
            estimates[index] = SteadyPolicy.estimate(candidates[index], isOverdue: isOverdue)
        }
        let perPrice = cost.price(bytes: burst.bytes, pricePerGB: 1)
        let current = burst.currentPath?.index ?? -1
        let deadline = burst.trafficClass == .message ? burst.deadline.seconds : 0
        let isFinite = candidates.withKernel { first, step, count in
            ck_learned_costs(
                terms, perPrice, deadline, current, weights, FeatureSchema.count, stride, first,
                step, count,
                memory) != 0
        }
        return LearnedEvaluation(rows: memory, overdue: overdue, isFinite: isFinite ?? false)
    }

    /// The candidates that are not left: bit k for candidate k.
    ///
    /// One whose reply is overdue is left when the steady rule would move from it.
    @inline(__always)
    static func kept(
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
        var scorer = self
        return scorer.evaluate(copy candidate, burst: burst) { $0.rows[0] }
    }

    /// The result of a message that was expected of an outcome's inputs, seconds, with the weights
    /// of now.
    mutating func expectedResult(_ feedback: borrowing Feedback) -> Double {
        var candidate = Candidate(path: feedback.path)
        candidate.features = feedback.features
        candidate.predictedDelivery = feedback.predictedDelivery
        return evaluate(candidate, burst: feedback.burst) { $0.results[0] }
    }

    /// Reads a number of the evaluation of a single candidate.
    @inline(__always)
    private mutating func evaluate(
        _ candidate: Candidate, burst: BurstContext, _ number: (LearnedEvaluation) -> Double
    ) -> Double {
        let one: InlineArray<1, Candidate> = [candidate]
        return withUnsafeTemporaryAllocation(
            of: Double.self, capacity: LearnedEvaluation.capacity
        ) { buffer in
            buffer.baseAddress.map { number(evaluate(one.span, burst: burst, in: $0)) } ?? .nan
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

    /// Writes the distribution of the least cost, and the safe set's shares of `epsilon`.
    ///
    /// - Returns: the candidate with the least cost.
    @inline(__always)
    mutating func fillLeast(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        _ evaluation: LearnedEvaluation
    ) -> Int {
        let members = LearnedScorer.kept(candidates, evaluation)
        var decisive = rule
        decisive.sharpness = LearnedScorer.decisive
        candidates.withKernel { first, step, count in
            distribution.withSingles(count) {
                ck_choose_softly(&decisive, evaluation.rows, members, first, step, count, $0, $1)
            }
        }
        var best = -1
        for index in candidates.indices where members & (1 &<< UInt32(index)) != 0 {
            if best < 0 || evaluation.rows[index] < evaluation.rows[best] { best = index }
        }
        return max(0, best)
    }
}

/// Results for the candidates, in rows of sixteen numbers.
struct LearnedEvaluation {
    static let capacity = 5 * PathID.limit

    /// Costs, P(late), expected deliveries, expected results of messages (a late one counts as
    /// twice its deadline), and the steady rule's estimates; times in seconds.
    let rows: UnsafeMutablePointer<Double>
    /// Bit mask of candidates whose reply is overdue.
    let overdue: UInt32
    /// Whether all costs are finite.
    let isFinite: Bool

    var results: UnsafeMutablePointer<Double> { rows + 3 * PathID.limit }
    var estimates: UnsafeMutablePointer<Double> { rows + 4 * PathID.limit }
}
