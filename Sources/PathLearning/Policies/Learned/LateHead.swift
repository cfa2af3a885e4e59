import DenseMath
import Glibc
import PathTelemetry

/// P(late), learned one outcome at a time: logistic regression by weighted least squares.
///
/// Each outcome is one step of Newton's method on the logistic loss: weight `w = p (1 - p)` and
/// working target `z + (y - p) / w` go into the same regression that forgets as the residual's, so
/// the weights are those of an extended Kalman filter. A logit added to all predictions keeps their
/// mean right while weights lag. Source: Hastie, Tibshirani and Friedman, "The Elements of
/// Statistical Learning", section 4.4.1.
struct LateHead: Sendable {
    /// Time after which evidence counts half, seconds.
    private static let halfLife = 20.0
    /// Precision of the weights without a model: a late burst alone moves the odds by about e.
    private static let lambda = 10.0
    /// Without data one burst of fifty is late.
    private static let base = -3.9
    private static let leastWeight = 1e-3

    private(set) var posterior: LinearPosterior
    /// Added to all logits.
    private(set) var correction = 0.0

    init(prior: LinearPrior?) {
        posterior = LinearPosterior(
            prior: prior?.mean.count == ResidualMixture.size
                ? prior ?? LateHead.flat : LateHead.flat)
    }

    private static var flat: LinearPrior {
        let plain = LinearPrior(size: ResidualMixture.size, lambda: lambda)
        var mean = plain.mean
        mean[FeatureSchema.count] = base
        return (try? LinearPrior(mean: mean, precision: plain.precision)) ?? plain
    }

    /// What a head without a model starts from; made once.
    private static let plain = LinearPosterior(prior: flat)

    /// `1 / (1 + exp(-z))` of the features.
    func predict(_ x: UnsafePointer<Double>) -> Double {
        LateHead.probability(posterior.mean(x) + correction)
    }

    private static func probability(_ logit: Double) -> Double {
        1 / (1 + exp(-min(max(logit, -30), 30)))
    }

    /// Takes in one outcome after seconds without one.
    mutating func learn(_ x: UnsafePointer<Double>, isLate: Bool, elapsed: Double) {
        let logit = min(max(posterior.mean(x), -12), 12)
        let p = LateHead.probability(logit)
        let y = isLate ? 1.0 : 0.0
        let weight = max(p * (1 - p), LateHead.leastWeight)
        let decay = exp2(-elapsed / LateHead.halfLife)
        let corrected = LateHead.probability(logit + correction)
        correction = min(max(correction * decay + 0.05 * (y - corrected), -3), 3)
        posterior.learn(x, target: logit + (y - p) / weight, weight: weight, decay: decay)
    }

    mutating func forget(keepingPrior: Bool) {
        correction = 0
        if keepingPrior { posterior.forget() } else { posterior = LateHead.plain }
    }
}
