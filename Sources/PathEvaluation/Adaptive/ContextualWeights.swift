/// Weights that differ by context, for logs whose logging policy can be computed in any context.
///
/// Source: Zhan, Hadad, Hirshberg and Athey, 2021, section 3.3.
enum ContextualWeights {
    /// The variance v of a decision's score in one context: the sum over actions of
    /// `pi(a)^2 / e(a)`; with the difference of two policies for pi, that of their difference.
    static func variance(policy: [Double], propensities: [Double]) -> Double {
        var sum = 0.0
        for action in policy.indices where policy[action] != 0 {
            sum += policy[action] * policy[action] / propensities[action]
        }
        return sum
    }

    /// The weight of each decision from the mean variance over the contexts before it.
    ///
    /// - Parameters:
    ///   - count: number of decisions.
    ///   - regularised: counts one decision of variance one before the first, as a difference of
    ///     policies needs, whose variance is zero where they agree. Otherwise the first decision
    ///     takes the mean over all contexts, as the authors' program does.
    ///   - variance: the variance in the context of decision `other` with the policy that made
    ///     decision `decision`.
    static func byMean(
        _ rule: AdaptiveRule, count: Int, regularised: Bool = false,
        variance: (_ decision: Int, _ other: Int) -> Double
    ) -> [Double] {
        (0..<count).map { decision in
            var sum = regularised ? 1.0 : 0
            let contexts = decision == 0 && !regularised ? 0..<count : 0..<decision
            for other in contexts { sum += variance(decision, other) }
            let number = Double(regularised ? decision + 1 : contexts.count)
            return sum > 0 ? rule.weight(sum / number) : 0
        }
    }

    /// The value and its variance with weights `h_t(x)` that differ by context.
    ///
    /// With `Z(x) = sum_t h_t(x)` and `B_t = h_t(X_t) G_t / Z(X_t)` the value is `sum B_t` and its
    /// variance `sum_t (B_t - sum_s h_t(X_s) B_s / Z(X_s))^2`.
    static func estimate(
        _ rule: AdaptiveRule, scores: [Double],
        variance: (_ decision: Int, _ other: Int) -> Double
    ) -> (value: Double, variance: Double) {
        let count = scores.count
        func weight(_ decision: Int, _ other: Int) -> Double {
            let variance = variance(decision, other)
            return variance > 1e-6 ? rule.weight(variance) : 0
        }
        var totals = [Double](repeating: 0, count: count)
        for decision in 0..<count {
            for other in 0..<count { totals[other] += weight(decision, other) }
        }
        let parts = (0..<count).map { place in
            totals[place] > 1e-6 ? weight(place, place) * scores[place] / totals[place] : 0
        }
        var sum = 0.0
        var square = 0.0
        for decision in 0..<count {
            sum += parts[decision]
            var expected = 0.0
            for other in 0..<count where totals[other] > 1e-6 {
                expected += weight(decision, other) * parts[other] / totals[other]
            }
            square += (parts[decision] - expected) * (parts[decision] - expected)
        }
        return (sum, square)
    }
}
