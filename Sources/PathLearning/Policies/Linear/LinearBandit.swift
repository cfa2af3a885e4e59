import DenseMath
import Glibc
import PathTelemetry

/// Policies that learn a linear model of the heuristic's error, with weights shared by all paths,
/// and differ in how its predictions become probabilities.
///
/// For a candidate with features x, prediction h and price p, the expected cost is `c = ln h +
/// theta'(x, 1) + price`, and its uncertainty is `s = sqrt((x, 1)' A^-1 (x, 1))`, where theta is
/// learned on `Cost.residual`. Among the n candidates of the safe set (as in lin-ucb):
///
///     epsilon-greedy         the least c gets 1 - epsilon
///     softmax                exp(-c / temperature)
///     discounted-lin-ucb     the least c - alpha s; Russac, Vernade, Cappé, "Weighted Linear
///                            Bandits for Non-Stationary Environments", 2019, with a reset when
///                            `ChangeDetector` detects a change
///     sliding-lin-ucb        the same on a window; Cheung, Simchi-Levi, Zhu, "Learning to Optimize
///                            under Non-Stationarity", 2019
///     lin-ts                 the probability that an independent draw from N(c, (scale s)^2) is
///                            the least; Agrawal and Goyal, "Thompson Sampling for Contextual
///                            Bandits with Linear Payoffs", 2013
///     squarecb               1 / (n + gamma sqrt(N) (c - least c)), the rest to the least, where N
///                            is the discounted evidence; Foster and Rakhlin, "Beyond UCB:
///                            Optimal and Efficient Contextual Bandits with Regression
///                            Oracles", 2020
///
/// and then each gets a share of epsilon. Outside the safe set the probability is zero. One clock
/// discounts the evidence of all paths, so that unused paths become uncertain and are tried again.
struct LinearBandit<Belief: LinearBelief>: Policy {
    let settings: LinearBanditSettings
    private let cost: Cost
    private(set) var belief: Belief
    private(set) var detector: ChangeDetector
    private var clock: EvidenceClock
    /// Discounted number of observations.
    private(set) var evidence = 0.0

    init(settings: LinearBanditSettings, cost: Cost, belief: Belief) {
        self.settings = settings
        self.cost = cost
        self.belief = belief
        detector = ChangeDetector(threshold: settings.change)
        clock = EvidenceClock(halfLife: settings.halfLife)
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let count = candidates.count
        var costs = InlineArray<16, Double>(repeating: 0)
        var spreads = InlineArray<16, Double>(repeating: 0)
        var deliveries = InlineArray<16, Double>(repeating: 0)
        for index in 0..<count {
            let estimate = evaluate(candidates[index], burst: burst)
            costs[index] = estimate.cost
            spreads[index] = estimate.deviation
            deliveries[index] = estimate.delivery
        }
        let safe = SafeSet.members(
            candidates, deliveries: deliveries.span, ratio: settings.ratio, slack: settings.slack)
        if settings.rule == .linTS, safe != 0 {
            for index in 0..<16 { spreads[index] *= settings.strength }
            distribution.leaveOpen(
                candidates, means: costs, deviations: spreads, members: safe,
                epsilon: settings.epsilon)
            return
        }
        var shares = InlineArray<16, Double>(repeating: 0)
        explore(costs, spreads, safe, into: &shares)
        let floor = settings.epsilon / Double(max(1, safe.nonzeroBitCount))
        for index in 0..<count {
            let isSafe = safe & (1 &<< UInt32(index)) != 0
            distribution.append(
                PathSet(candidates[index].path),
                isSafe ? floor + (1 - settings.epsilon) * shares[index] : 0)
        }
    }

    /// The rule's own probabilities, before epsilon is distributed.
    private func explore(
        _ costs: borrowing InlineArray<16, Double>, _ spreads: borrowing InlineArray<16, Double>,
        _ safe: UInt32, into shares: inout InlineArray<16, Double>
    ) {
        switch settings.rule {
        case .epsilonGreedy:
            shares[least(costs, spreads, safe, optimism: 0)] = 1
        case .discountedLinUCB, .slidingLinUCB:
            shares[least(costs, spreads, safe, optimism: settings.strength)] = 1
        case .softmax:
            let best = costs[least(costs, spreads, safe, optimism: 0)]
            var total = 0.0
            for index in 0..<16 where safe & (1 &<< UInt32(index)) != 0 {
                shares[index] = exp(-(costs[index] - best) / settings.strength)
                total += shares[index]
            }
            for index in 0..<16 { shares[index] /= total }
        case .linTS: break
        case .squareCB:
            let best = least(costs, spreads, safe, optimism: 0)
            let gamma = settings.strength * evidence.squareRoot()
            let number = Double(safe.nonzeroBitCount)
            var rest = 1.0
            for index in 0..<16 where safe & (1 &<< UInt32(index)) != 0 && index != best {
                shares[index] = 1 / (number + gamma * (costs[index] - costs[best]))
                rest -= shares[index]
            }
            shares[best] = max(0, rest)
        }
    }

    private func least(
        _ costs: borrowing InlineArray<16, Double>, _ spreads: borrowing InlineArray<16, Double>,
        _ safe: UInt32, optimism: Double
    ) -> Int {
        var best = 0
        var lowest = Double.infinity
        for index in 0..<16 where safe & (1 &<< UInt32(index)) != 0 {
            let value = costs[index] - optimism * spreads[index]
            if value < lowest {
                best = index
                lowest = value
            }
        }
        return best
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard feedback.action.count == 1 else { return }
        let (decay, weight) = clock.advance(to: feedback.now)
        let target = cost.residual(
            predictedDelivery: feedback.predictedDelivery, outcome: feedback.outcome)
        var x = AffineFeatures(feedback.features)
        let place = feedback.path.index
        let time = feedback.now
        x.withPointer { values in
            let (mean, spread) = belief.predictAffine(values)
            let isNew = detector.notice(error: target - mean, spread: spread, place: place)
            if isNew {
                belief.startAnew()
                evidence = 0
            }
            evidence = evidence * decay + weight
            belief.learn(values, target: target, decay: decay, weight: weight, time: time)
        }
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        let estimate = evaluate(candidate, burst: burst)
        switch settings.rule {
        case .discountedLinUCB, .slidingLinUCB:
            return estimate.cost - settings.strength * estimate.deviation
        default: return estimate.cost
        }
    }

    /// Expected cost, its standard deviation for unit noise, and the expected delivery, seconds.
    ///
    /// The results are finite for all features.
    @inline(__always)
    private func evaluate(
        _ candidate: borrowing Candidate, burst: BurstContext
    ) -> (cost: Double, deviation: Double, delivery: Double) {
        let features = candidate.features
        let (mean, spread) = features.span.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { belief.predictAffine($0) } ?? (mean: 0, spread: 0)
        }
        let expected = cost.expectation(of: candidate, residual: mean, burst: burst)
        let deviation = spread > 0 ? min(spread, 1e12).squareRoot() : 0
        return (expected.logDelivery + expected.price, deviation, expected.delivery)
    }
}
