import DenseMath
import PathTelemetry

/// What a policy believes of a linear model's weights.
protocol LinearBelief: Sendable {
    /// The expected target of `(x, 1)` and the share of its variance that comes from the weights.
    func predictAffine(_ x: UnsafePointer<Double>) -> (mean: Double, spread: Double)

    /// Takes in an observation.
    ///
    /// - Parameters:
    ///   - x: features, a one, and zeros up to whole vectors.
    ///   - decay: by which older evidence has faded since the latest observation.
    ///   - weight: of this observation: below one when it comes late.
    ///   - time: when its outcome became known.
    mutating func learn(
        _ x: UnsafeMutablePointer<Double>, target: Double, decay: Double, weight: Double,
        time: Instant)

    /// Lets go of all evidence but the prior.
    mutating func startAnew()
}

extension LinearPosterior: LinearBelief {
    mutating func learn(
        _ x: UnsafeMutablePointer<Double>, target: Double, decay: Double, weight: Double,
        time: Instant
    ) {
        guard weight < 1 else {
            learn(x, target: target, decay: decay)
            return
        }
        let root = weight.squareRoot()
        for index in 0..<stride { x[index] *= root }
        learn(x, target: target * root, decay: decay)
    }

    mutating func startAnew() {
        // A fade is bounded, so that the scale stays a normal number: twice is nothing left.
        fade(0)
        fade(0)
        refresh()
    }
}
