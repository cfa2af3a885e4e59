import CKernels
import DenseMath
import PathTelemetry

/// What a decision of the learned policy needs, apart from what learning needs: small, so that it
/// is lent and not copied.
struct LearnedScorer: Sendable {
    let settings: LearnedSettings
    let cost: Cost
    /// Doubles from the weights of the residual to those of P(late).
    let stride: Int
    var weights: [Double]
    /// What costs are made of beside the weights: one, in memory of its own.
    var terms: [ck_learned]

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
    }

    /// Looks at the candidates; the memory holds the result.
    @inline(__always)
    func evaluate(
        _ candidates: Span<Candidate>, burst: BurstContext, in memory: UnsafeMutablePointer<Double>
    ) -> LearnedEvaluation {
        let perPrice = cost.price(bytes: burst.bytes, pricePerGB: 1)
        let current = burst.currentPath?.index ?? -1
        var overdue: UInt32 = 0
        let isFinite = candidates.withKernel { first, step, count in
            ck_learned_costs(
                terms, perPrice, current, weights, FeatureSchema.count, stride, first, step, count,
                memory, &overdue) != 0
        }
        return LearnedEvaluation(
            costs: memory, overdue: overdue, isFinite: isFinite ?? false,
            shares: memory + 4 * PathID.limit)
    }

    /// The cost of one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        let one: InlineArray<1, Candidate> = [copy candidate]
        return withUnsafeTemporaryAllocation(
            of: Double.self, capacity: LearnedEvaluation.capacity
        ) { buffer in
            buffer.baseAddress.map { evaluate(one.span, burst: burst, in: $0).costs[0] } ?? .nan
        }
    }

    /// Writes the distribution.
    @inline(__always)
    func fill(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        _ evaluation: LearnedEvaluation
    ) {
        let count = candidates.count
        let left = SteadyPolicy.left(among: count, overdue: evaluation.overdue) {
            evaluation.estimates[$0]
        }
        var cheapest = -1
        for index in 0..<count where left & (1 &<< UInt32(index)) == 0 {
            if cheapest < 0 {
                cheapest = index
            } else if evaluation.costs[index] < evaluation.costs[cheapest] {
                cheapest = index
            }
        }
        let least = evaluation.costs[max(0, cheapest)]
        let slowest = settings.ratio * evaluation.deliveries[max(0, cheapest)] + settings.slack
        let riskiest = evaluation.risks[max(0, cheapest)] + settings.risk
        let shares = evaluation.shares
        let sharpness = 1 / settings.temperature
        var safe: UInt32 = 0
        for index in 0..<((count + 3) & ~3) {
            let isSafe =
                index < count && left & (1 &<< UInt32(index)) == 0
                && evaluation.deliveries[index] <= slowest && evaluation.risks[index] <= riskiest
            if isSafe { safe |= 1 &<< UInt32(index) }
            shares[index] = isSafe ? (least - evaluation.costs[index]) * sharpness : -700
        }
        SmallKernels.exponentials(shares, into: shares, count: count)
        var sum = 0.0
        for index in 0..<count where safe & (1 &<< UInt32(index)) != 0 { sum += shares[index] }
        let floor = settings.epsilon / Double(max(1, safe.nonzeroBitCount))
        let rest = (1 - settings.epsilon) / sum
        for index in 0..<count {
            distribution.append(
                PathSet(candidates[index].path),
                safe & (1 &<< UInt32(index)) != 0 ? floor + rest * shares[index] : 0)
        }
    }
}

/// What the kernel says of the candidates, and room for their shares: rows of sixteen.
struct LearnedEvaluation {
    static let capacity = 5 * PathID.limit

    let costs: UnsafeMutablePointer<Double>
    /// The candidates whose reply is.
    let overdue: UInt32
    /// All costs are.
    let isFinite: Bool
    let shares: UnsafeMutablePointer<Double>

    var risks: UnsafeMutablePointer<Double> { costs + PathID.limit }
    /// Expected deliveries and the steady rule's estimates, seconds.
    var deliveries: UnsafeMutablePointer<Double> { costs + 2 * PathID.limit }
    var estimates: UnsafeMutablePointer<Double> { costs + 3 * PathID.limit }
}
