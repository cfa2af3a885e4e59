import Testing

@testable import PathEvaluation

/// Eight decisions with the values of the authors' programs (Hadad 2021, Zhan 2021).
@Suite struct AdaptiveVectorTests {
    private static let contexts = [0, 1, 0, 1, 1, 0, 1, 0]
    private static let actions = [0, 1, 1, 0, 1, 0, 1, 0]
    private static let rewards = [0.20, 0.50, 0.30, 0.10, 0.80, 0.40, 0.60, 0.25]
    /// The probability of action 1 in contexts 0 and 1, by decision.
    private static let chances = [
        [0.5, 0.5], [0.5, 0.5], [0.4, 0.6], [0.3, 0.6], [0.3, 0.7], [0.2, 0.8], [0.2, 0.9],
        [0.1, 0.9],
    ]
    private static let count = 8

    private static func propensities(_ decision: Int, context: Int) -> [Double] {
        let chance = chances[decision][context]
        return [1 - chance, chance]
    }

    /// The mean of earlier rewards of a cell, and one half counted once.
    private static func model(_ decision: Int, _ action: Int, context: Int?) -> Double {
        var (sum, number) = (0.5, 1.0)
        for earlier in 0..<decision
        where actions[earlier] == action && (context == nil || contexts[earlier] == context) {
            sum += rewards[earlier]
            number += 1
        }
        return sum / number
    }

    /// The scores of a policy, given its probabilities in each context.
    private static func scores(_ policy: (_ context: Int) -> [Double]) -> [Double] {
        (0..<count).map { decision in
            let context = contexts[decision]
            let chances = propensities(decision, context: context)
            var score = 0.0
            for (action, share) in policy(context).enumerated() {
                let expected = model(decision, action, context: context)
                score += share * expected
                if actions[decision] == action {
                    score += share * (rewards[decision] - expected) / chances[action]
                }
            }
            return score
        }
    }

    private static func target(_ context: Int) -> [Double] { context == 0 ? [1, 0] : [0, 1] }

    private static func difference(_ context: Int) -> [Double] {
        context == 0 ? [0, 0] : [-1, 1]
    }

    private static func variance(
        _ policy: @escaping (Int) -> [Double]
    ) -> (_ decision: Int, _ other: Int) -> Double {
        { decision, other in
            ContextualWeights.variance(
                policy: policy(contexts[other]),
                propensities: propensities(decision, context: contexts[other]))
        }
    }

    private static func weighted(
        _ scores: [Double], _ weights: [Double]
    ) -> (value: Double, variance: Double) {
        var sums = AdaptiveSums(.uniform)
        for (score, weight) in zip(scores, weights) { sums.add(score, weight: weight) }
        return (sums.mean, sums.variance)
    }

    private static func isEqual(
        _ found: (value: Double, variance: Double), _ value: Double, _ variance: Double
    ) -> Bool {
        (found.value - value).magnitude < 1e-10 && (found.variance - variance).magnitude < 1e-10
    }

    @Test func scoresAgree() {
        let expected = [
            -0.1, 0.5, 0.35, 0.5, 0.9285714286, 0.4125, 0.6, 0.2370370370,
        ]
        for (found, value) in zip(Self.scores(Self.target), expected) {
            #expect((found - value).magnitude < 1e-10)
        }
    }

    @Test func valuesByContextFreeWeightsAgree() {
        let scores = Self.scores(Self.target)
        let ones = [Double](repeating: 1, count: 8)
        #expect(Self.isEqual(Self.weighted(scores, ones), 0.4285135582, 0.0095640117))
        for (rule, value, variance) in [
            (AdaptiveRule.stable, 0.4367617461, 0.0087489056),
            (.least, 0.4433850245, 0.0081421253),
        ] {
            let weights = ContextualWeights.byMean(
                rule, count: 8, variance: Self.variance(Self.target))
            #expect(Self.isEqual(Self.weighted(scores, weights), value, variance), "\(rule)")
        }
    }

    @Test func valuesByContextualWeightsAgree() {
        let scores = Self.scores(Self.target)
        for (rule, value, variance) in [
            (AdaptiveRule.stable, 0.4369393300, 0.0088400612),
            (.least, 0.4442424242, 0.0083376663),
        ] {
            let found = ContextualWeights.estimate(
                rule, scores: scores, variance: Self.variance(Self.target))
            #expect(Self.isEqual(found, value, variance), "\(rule): \(found)")
        }
    }

    @Test func differencesOfTwoPoliciesAgree() {
        // Where the context is zero both policies take action zero.
        let scores = Self.scores(Self.difference)
        let ones = [Double](repeating: 1, count: 8)
        #expect(Self.isEqual(Self.weighted(scores, ones), 0.2410714286, 0.0159402902))
        for (rule, value, variance) in [
            (AdaptiveRule.stable, 0.2348713368, 0.0197615671),
            (.least, 0.2056707668, 0.0213779225),
        ] {
            let weights = ContextualWeights.byMean(
                rule, count: 8, regularised: true, variance: Self.variance(Self.difference))
            let found = Self.weighted(scores, weights)
            #expect(Self.isEqual(found, value, variance), "\(rule): \(found)")
        }
    }

    @Test func armsWithoutContextsAgree() {
        let propensities = Self.chances.map { $0[0] }
        let scores = (0..<8).map { decision in
            let expected = Self.model(decision, 1, context: nil)
            return Self.actions[decision] == 1
                ? expected + (Self.rewards[decision] - expected) / propensities[decision]
                : expected
        }
        let ones = [Double](repeating: 1, count: 8)
        #expect(Self.isEqual(Self.weighted(scores, ones), 0.6317361111, 0.0252053572))
        let constant = AllocationRate.constant.weights(propensities)
        #expect(Self.isEqual(Self.weighted(scores, constant), 0.6109399813, 0.0272939751))
        let twoPoint = AllocationRate.twoPoint(0.5).weights(propensities)
        #expect(Self.isEqual(Self.weighted(scores, twoPoint), 0.5980436414, 0.0255147322))
        // All of the variance is spent, and constant rates give the root of the propensity.
        let spent = zip(constant, propensities).reduce(0) { $0 + $1.0 * $1.0 / $1.1 }
        #expect((spent - 1).magnitude < 1e-12)
        for (weight, propensity) in zip(constant, propensities) {
            #expect((weight * 8.0.squareRoot() - propensity.squareRoot()).magnitude < 1e-12)
        }
    }
}
