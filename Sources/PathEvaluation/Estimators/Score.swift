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
        switch name {
        case .ipsClip: Score(.clip(lambda), .reward)
        case .drClip: Score(.clip(lambda), .residual)
        case .switchDR: Score(.switchOff(lambda), .residual)
        case .drOS: Score(.shrink(lambda), .residual)
        case .sgIPS, .subGaussianIPS: Score(.subGaussian(lambda), .reward)
        case .sgDR, .subGaussianDR: Score(.subGaussian(lambda), .residual)
        case .ips: Score(.plain, .reward)
        case .dr: Score(.plain, .residual)
        case .mrdr: Score(.plain, .robustResidual)
        case .snips, .dm, .sndr, .replay, .cressieRead: nil
        }
    }

    /// The numbers from which one is chosen if none is given.
    var grid: [Double] {
        guard lambda == nil else { return [] }
        switch name {
        case .ipsClip, .drClip, .switchDR, .drOS: return Estimator.clips
        case .sgIPS, .sgDR, .subGaussianIPS, .subGaussianDR: return Estimator.corrections
        case .ips, .snips, .dm, .dr, .sndr, .mrdr, .replay, .cressieRead: return []
        }
    }

    /// Candidates for the largest weight.
    static let clips = [1.0, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    /// Candidates for the sub-Gaussian correction.
    static let corrections = [
        0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5,
    ]

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
