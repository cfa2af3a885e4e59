import DenseMath
import PathTelemetry

/// What the actions of a decision are expected to cost, and with that what a policy would have done.
struct ExpectedCosts {
    let burst: BurstContext
    let rule: Cost
    /// By path number: log delivery time with lateness, and the price of 10^9 bytes.
    var costs = InlineArray<16, Double>(repeating: .infinity)
    var prices = InlineArray<16, Double>(repeating: 0)

    init(burst: BurstContext, rule: Cost) {
        self.burst = burst
        self.rule = rule
    }

    /// The price of 10^9 bytes on all paths of an action.
    func price(of action: PathSet) -> Double {
        var sum = 0.0
        var rest = action
        while let path = rest.popFirst() { sum += prices[path.index & 15] }
        return sum
    }

    /// The cost of an action: the best path's, with the price of all; waiting counts as late.
    func cost(of action: PathSet) -> Double {
        var best = Double.infinity
        var rest = action
        while let path = rest.popFirst() { best = min(best, costs[path.index & 15]) }
        guard best < .infinity else {
            return naturalLogarithm(min(max(burst.deadline.seconds, 1e-4), 1e6)) + rule.lateness
        }
        return best + rule.price(bytes: burst.bytes, pricePerGB: price(of: action))
    }

    /// The probability of an action in a distribution.
    static func probability(
        of action: PathSet, in distribution: borrowing ActionDistribution
    ) -> Double {
        let count = distribution.count
        return distribution.withSpans { actions, shares in
            for index in 0..<count where actions[index] == action { return shares[index] }
            return 0
        }
    }

    /// What a policy with a distribution of its own would have done.
    ///
    /// - Parameters:
    ///   - own: the policy's distribution.
    ///   - taken: the action that was taken.
    ///   - made: the distribution from which it was drawn.
    func opinion(
        _ own: borrowing ActionDistribution, _ taken: PathSet, _ made: borrowing ActionDistribution
    ) -> JudgedDecision.Opinion {
        var opinion = JudgedDecision.Opinion()
        for index in 0..<own.count where own[index] > 0 {
            add(own.action(index), own[index], to: &opinion, taken, made)
        }
        return opinion
    }

    /// What a policy that always takes one action would have done.
    func opinion(
        _ action: PathSet, _ taken: PathSet, _ made: borrowing ActionDistribution
    ) -> JudgedDecision.Opinion {
        var opinion = JudgedDecision.Opinion()
        add(action, 1, to: &opinion, taken, made)
        return opinion
    }

    private func add(
        _ action: PathSet, _ share: Double, to opinion: inout JudgedDecision.Opinion,
        _ taken: PathSet, _ made: borrowing ActionDistribution
    ) {
        if action == taken { opinion.agreement += share }
        if share > opinion.greatest {
            opinion.greatest = share
            opinion.isMatch = action == taken
        }
        let chance = ExpectedCosts.probability(of: action, in: made)
        if chance > 0 {
            opinion.weightSquare += share * share / chance
        } else {
            opinion.unsupported += share
        }
        opinion.expectedCost += share * cost(of: action)
        opinion.pricePerGB += share * price(of: action)
    }
}
