import DenseMath
import Glibc
import PathTelemetry

/// Learns P(late) online: logistic regression by weighted least squares.
///
/// Each outcome is one step of Newton's method on the logistic loss: weight `w = p (1 - p)` and
/// working target `z + (y - p) / w` go into the same discounted regression as the residual's, so
/// the weights are those of an extended Kalman filter. A logit added to all predictions keeps their
/// mean calibrated while weights lag. Source: Hastie, Tibshirani and Friedman, "The Elements of
/// Statistical Learning", section 4.4.1.
struct LateHead: Sendable {
    /// Half-life of evidence, seconds.
    private static let halfLife = 20.0
    /// Precision of the weights without a model; a single late burst changes the odds by about a
    /// factor e.
    private static let lambda = 10.0
    /// Logit without data: one burst in fifty is late.
    private static let base = -3.9
    private static let leastWeight = 1e-3

    private(set) var posterior: LinearPosterior
    /// The correction added to all logits.
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

    /// The start of a head without a model; made once.
    private static let plain = LinearPosterior(prior: flat)

    /// P(late) of the features.
    func predict(_ x: UnsafePointer<Double>) -> Double {
        LateHead.probability(posterior.mean(x) + correction)
    }

    private static func probability(_ logit: Double) -> Double {
        1 / (1 + exp(-min(max(logit, -30), 30)))
    }

    /// Learns one outcome, `elapsed` seconds after the previous one.
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
