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
    var offsets = PathOffsets()
    /// Added to the logit of P(late).
    var lateCorrection = 0.0
    /// What one standard error of a path's offset takes off its cost.
    var optimism = 0.0
    /// Variance of the residuals over all paths.
    var variance = 0.0

    /// Writes the distribution.
    ///
    /// - Returns: false, and nothing written, when a score is not finite.
    func fill(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        burst: BurstContext
    ) -> Bool {
        withUnsafeTemporaryAllocation(
            of: Double.self, capacity: LearnedScorer.scratch
        ) { buffer -> Bool in
            guard let scratch = buffer.baseAddress,
                evaluate(candidates, burst: burst, scratch)
            else { return false }
            fill(&distribution, candidates, scratch)
            return true
        }
    }

    /// The cost of one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        let one: InlineArray<1, Candidate> = [copy candidate]
        return withUnsafeTemporaryAllocation(
            of: Double.self, capacity: LearnedScorer.scratch
        ) { buffer in
            guard let scratch = buffer.baseAddress else { return .nan }
            _ = evaluate(one.span, burst: burst, scratch)
            return scratch[0]
        }
    }

    /// Six rows of sixteen: residuals that become costs, logits that become P(late), deliveries,
    /// and what is needed on the way.
    private static let scratch = 6 * PathID.limit

    /// Costs to the first row of the scratch memory, P(late) to the second, expected deliveries in
    /// seconds to the third.
    ///
    /// - Returns: false when one is not finite.
    private func evaluate(
        _ candidates: Span<Candidate>, burst: BurstContext, _ costs: UnsafeMutablePointer<Double>
    ) -> Bool {
        let count = candidates.count
        let risks = costs + PathID.limit
        let deliveries = risks + PathID.limit
        let logarithms = deliveries + PathID.limit
        candidates.withFeatures { features, step in
            weights.withUnsafeBufferPointer { buffer in
                guard let theta = buffer.baseAddress else { return }
                SmallKernels.score(
                    theta: theta, models: 2, p: nil, size: FeatureSchema.count,
                    stride: stride, x: features, step: step, count: count, means: costs,
                    spreads: deliveries)
            }
        }
        let whole = (count + 3) & ~3
        for index in 0..<whole {
            let prediction = index < count ? candidates[index].predictedDelivery : 1
            deliveries[index] = prediction > 1e-4 ? prediction : 1e-4
            // The exponential of this is the odds against being late.
            risks[index] = -(risks[index] + lateCorrection)
        }
        SmallKernels.logarithms(deliveries, into: logarithms, count: count)
        SmallKernels.exponentials(risks, into: risks, count: count)
        let perPrice = cost.price(bytes: burst.bytes, pricePerGB: 1)
        var check = 0.0
        for index in 0..<count {
            let path = candidates[index].path
            check += costs[index] * 0
            let error =
                costs[index] + offsets.offset(path)
                + 0.5 * offsets.variance(path, usual: variance)
            let longer = min(max(error, Cost.lowest), Cost.highest)
            let late = 1 / (1 + risks[index])
            let bonus = optimism * offsets.uncertainty(path).squareRoot()
            let stays = burst.currentPath == nil || burst.currentPath == path
            let leaving = stays ? 0 : settings.switching
            logarithms[index] += longer
            risks[index] = late
            costs[index] =
                logarithms[index] - bonus + cost.lateness * late
                + perPrice * candidates[index].traits.pricePerGB + leaving
            check += costs[index] * 0
        }
        SmallKernels.exponentials(logarithms, into: deliveries, count: count)
        return check == 0
    }

    private func fill(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        _ costs: UnsafeMutablePointer<Double>
    ) {
        let count = candidates.count
        let risks = costs + PathID.limit
        let deliveries = risks + PathID.limit
        let shares = deliveries + PathID.limit
        let overdue = SteadyPolicy.overdue(candidates)
        var cheapest = -1
        for index in 0..<count where overdue & (1 &<< UInt32(index)) == 0 {
            if cheapest < 0 {
                cheapest = index
            } else if costs[index] < costs[cheapest] {
                cheapest = index
            }
        }
        let least = costs[max(0, cheapest)]
        let slowest = settings.ratio * deliveries[max(0, cheapest)] + settings.slack
        let riskiest = risks[max(0, cheapest)] + settings.risk
        var safe: UInt32 = 0
        for index in 0..<count
        where overdue & (1 &<< UInt32(index)) == 0 && deliveries[index] <= slowest
            && risks[index] <= riskiest
        {
            safe |= 1 &<< UInt32(index)
        }
        let sharpness = 1 / settings.temperature
        for index in 0..<((count + 3) & ~3) {
            let isSafe = index < count && safe & (1 &<< UInt32(index)) != 0
            shares[index] = isSafe ? (least - costs[index]) * sharpness : -700
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
