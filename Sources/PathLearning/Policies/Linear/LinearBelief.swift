import DenseMath
import PathTelemetry

/// A policy's posterior of a linear model's weights.
protocol LinearBelief: Sendable {
    /// The expected target of `(x, 1)` and the share of its variance that comes from the weights.
    func predictAffine(_ x: UnsafePointer<Double>) -> (mean: Double, spread: Double)

    /// Learns an observation.
    ///
    /// - Parameters:
    ///   - x: features, a one, and zeros as padding to whole vectors.
    ///   - decay: discount of older evidence since the latest observation.
    ///   - weight: weight of this observation; below one if it comes late.
    ///   - time: when its outcome became known.
    mutating func learn(
        _ x: UnsafeMutablePointer<Double>, target: Double, decay: Double, weight: Double,
        time: Instant)

    /// Drops all evidence and returns to the prior.
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
        // A single fade is bounded, so that the scale stays a normal number; after two nothing is
        // left.
        fade(0)
        fade(0)
        refresh()
    }
}
