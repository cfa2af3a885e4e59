import DenseMath
import Glibc
import PathTelemetry

/// Predicts the residual (how much longer deliveries take than the heuristic predicts) by a mixture
/// of three predictors, weighted by their recent likelihood: zero (the heuristic itself), a slow
/// and a fast regression.
struct ResidualMixture: Sendable {
    /// Features and a constant.
    static let size = FeatureSchema.count + 1
    /// Half-life of the predictors' likelihoods, seconds.
    private static let memory = 4.0

    private(set) var slow: LinearPosterior
    private(set) var fast: LinearPosterior
    private var mixture = LikelihoodMixture(count: 3, floor: 0.01)
    /// Discounted mean squared error of each predictor.
    private var squares: InlineArray<3, Double> = [0.1, 0.1, 0.1]
    /// The mixture's weights, `stride` doubles; the heuristic contributes zeros.
    private(set) var theta: [Double]
    /// The same without the heuristic.
    private var modelTheta: [Double]
    private let lambda: Double
    private let slowRate: Double
    private let fastRate: Double

    /// - Parameter prior: prior of both regressions; a prior of another size is ignored.
    init(settings: LearnedSettings, prior: LinearPrior?) {
        let flat = LinearPrior(size: ResidualMixture.size, lambda: settings.lambda)
        let prior = prior?.mean.count == ResidualMixture.size ? prior ?? flat : flat
        slow = LinearPosterior(prior: prior)
        fast = LinearPosterior(prior: prior)
        theta = [Double](repeating: 0, count: slow.stride)
        modelTheta = theta
        lambda = settings.lambda
        slowRate = 1 / settings.slow
        fastRate = 1 / settings.fast
        mix()
    }

    var stride: Int { slow.stride }
    /// Mean squared error of the mixture's best predictor.
    var variance: Double { min(squares[0], min(squares[1], squares[2])) }
    /// The share of the heuristic.
    var heuristicShare: Double { mixture.weight(0) }
    /// How often a regression had to drop its data.
    var resets: UInt64 { slow.resets &+ fast.resets }

    /// The prediction of the models alone.
    func modelMean(_ x: UnsafePointer<Double>) -> Double {
        modelTheta.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { SmallKernels.dot($0, x, length: buffer.count) } ?? .nan
        }
    }

    /// The prediction of the mixture.
    func mean(_ x: UnsafePointer<Double>) -> Double {
        theta.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { SmallKernels.dot($0, x, length: buffer.count) } ?? .nan
        }
    }

    /// Learns one outcome.
    ///
    /// - Parameters:
    ///   - x: features and a one, padded with zeros to `stride`.
    ///   - isCensored: the delivery took `target` or longer, so a longer prediction counts as
    ///     correct.
    ///   - elapsed: seconds since the previous outcome.
    mutating func learn(
        _ x: UnsafePointer<Double>, target: Double, isCensored: Bool, elapsed: Double
    ) {
        let memory = exp2(-elapsed / ResidualMixture.memory)
        let slowDecay = exp2(-elapsed * slowRate)
        let fastDecay = exp2(-elapsed * fastRate)
        let predictions: InlineArray<3, Double> = [0, slow.mean(x), fast.mean(x)]
        var evidence = InlineArray<4, Double>(repeating: 0)
        for index in 0..<3 {
            let prediction = min(max(predictions[index], -8), 8)
            let error = isCensored && prediction > target ? 0 : target - prediction
            evidence[index] = LikelihoodMixture.logLikelihood(
                mean: 0, variance: max(1e-3, squares[index]), target: error)
            // The mean covers about twenty to fifty outcomes.
            let rate = max(0.05 * (1 - memory), 0.02)
            squares[index] += rate * (min(error * error, 4) - squares[index])
        }
        mixture.learn(logLikelihoods: evidence, decay: memory)
        learn(&slow, x, target, isCensored, decay: slowDecay)
        learn(&fast, x, target, isCensored, decay: fastDecay)
        mix()
    }

    private func learn(
        _ posterior: inout LinearPosterior, _ x: UnsafePointer<Double>, _ target: Double,
        _ isCensored: Bool, decay: Double
    ) {
        if isCensored, posterior.mean(x) >= target {
            posterior.fade(decay)
        } else {
            posterior.learn(x, target: target, decay: decay)
        }
    }

    /// Drops what was learned and returns to the prior or to no prior.
    mutating func forget(keepingPrior: Bool) {
        if keepingPrior {
            slow.forget()
            fast.forget()
        } else {
            slow.forget(lambda: lambda)
            fast.forget(lambda: lambda)
        }
        mixture = LikelihoodMixture(count: 3, floor: 0.01)
        squares = [0.1, 0.1, 0.1]
        mix()
    }

    private mutating func mix() {
        let (slowShare, fastShare) = (mixture.weight(1), mixture.weight(2))
        let models = slowShare + fastShare
        let count = slow.stride
        slow.withWeights { slowWeights, _, _ in
            fast.withWeights { fastWeights, _, _ in
                for index in 0..<count {
                    let sum = slowShare * slowWeights[index] + fastShare * fastWeights[index]
                    theta[index] = sum
                    modelTheta[index] = sum / models
                }
            }
        }
    }
}
