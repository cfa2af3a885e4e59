/// How an estimator transforms a weight w before it multiplies a reward or a residual.
public enum WeightRule: Hashable, Sendable {
    case plain
    /// min(w, lambda).
    case clip(Double)
    /// w if w <= lambda, else zero.
    case switchOff(Double)
    /// lambda w / (w^2 + lambda); zero for lambda = 0.
    case shrink(Double)
    /// w / (1 - lambda + lambda w).
    case subGaussian(Double)
}

/// A number for each decision whose mean is an estimate.
public struct Score: Hashable, Sendable {
    /// What the weight multiplies.
    public enum Base: Hashable, Sendable {
        /// The reward.
        case reward
        /// The residual of the reward model, with the direct term added.
        case residual
        /// The same with the robust model.
        case robustResidual
    }

    public var rule: WeightRule
    public var base: Base

    public init(_ rule: WeightRule, _ base: Base) {
        self.rule = rule
        self.base = base
    }
}

extension Estimator {
    /// The score for a number lambda; nil for estimators that are not a mean of scores.
    func score(_ lambda: Double) -> Score? {
        guard case .scores(let score) = kind.computation else { return nil }
        return score(lambda)
    }

    /// The candidates for the number if none is given.
    var grid: [Double] { lambda == nil ? kind.number?.grid ?? [] : [] }

    /// The scores beyond the plain ones that an accumulator must keep for these estimators.
    public static func scores(for estimators: [Estimator]) -> [Score] {
        var scores: [Score] = []
        for estimator in estimators {
            let natural = estimator.grid.isEmpty ? [1] : estimator.grid
            for lambda in estimator.lambda.map({ [$0] }) ?? natural {
                if let score = estimator.score(lambda), !scores.contains(score) {
                    scores.append(score)
                }
            }
        }
        return scores
    }
}
