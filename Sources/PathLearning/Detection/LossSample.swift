/// What one decision says about a policy's loss, with the least loss it could have said.
///
/// Scores are costs from zero to one, such as `min(T, 2 D) / 2 D` of a delivery time T and a
/// deadline D, where a late burst is one.
package struct LossSample: Sendable, Equatable {
    /// An unbiased estimate of the loss; more is worse.
    package var loss: Double
    /// The loss is at least minus this number, which does not depend on the outcome.
    package var bound: Double

    package init(loss: Double, bound: Double) {
        self.loss = loss
        self.bound = bound
    }

    /// Who chose the action of a decision in which a model and a rule disagree.
    package enum Chosen: Sendable {
        case model, rule, other
    }

    /// The doubly robust difference of the scores of two actions, of which one was drawn.
    ///
    /// It is `(1[model] - 1[rule]) / p (C - q) + q_model - q_rule`, whose mean is what the model
    /// loses to the rule in this decision, whatever the expectations are, as long as they were known
    /// before the outcome. Its variance is that of the errors of the expectations over the smaller
    /// probability. A decision in which both agree has no sample.
    ///
    /// - Parameters:
    ///   - chosen: whose action was taken.
    ///   - score: the score of the taken action.
    ///   - expected: the expected scores of the model's action and of the rule's, in 0...1.
    ///   - probability: the probabilities with which these two actions were drawn.
    package static func disagreement(
        _ chosen: Chosen, score: Double, expected: (model: Double, rule: Double),
        probability: (model: Double, rule: Double)
    ) -> LossSample {
        let prior = expected.model - expected.rule
        let correction =
            switch chosen {
            case .model: (score - expected.model) / probability.model
            case .rule: (expected.rule - score) / probability.rule
            case .other: 0.0
            }
        let least = max(
            (1 - expected.rule) / probability.rule, expected.model / probability.model)
        // A third action gives the sample no correction, so `least` has to cover the prior alone.
        return LossSample(loss: correction + prior, bound: max(least, 0) - prior)
    }

    /// The difference of the scores of two copies of a burst, one by each action.
    ///
    /// - Parameters:
    ///   - scores: the scores of both copies; nil if this disagreement was not copied.
    ///   - probability: the share of disagreements that is copied.
    package static func copies(
        _ scores: (model: Double, rule: Double)?, probability: Double
    ) -> LossSample {
        LossSample(
            loss: scores.map { ($0.model - $0.rule) / probability } ?? 0, bound: 1 / probability)
    }

    /// What a score exceeds a multiple of the expected one by: it needs no exploration, and sees
    /// only gross losses.
    ///
    /// - Parameters:
    ///   - score: the score of the taken action, whichever it was.
    ///   - factor: the tolerated multiple, such as 1.5.
    ///   - expected: what the rule would have expected to score, above zero.
    package static func excess(
        _ score: Double, over factor: Double, expected: Double
    ) -> LossSample {
        LossSample(loss: score - factor * expected, bound: factor * expected)
    }
}
