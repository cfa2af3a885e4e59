import Glibc

/// Weights of up to four predictors by the likelihood of recent outcomes.
///
/// The evidence is `L <- g L + log p(y)`, with `g` from the elapsed time and a half-life; weights
/// are `exp L`, normalised, and at least `floor` each, so that no predictor is lost for ever. It
/// does not allocate. Source: Raftery, Kárný and Ettler, "Online prediction under model uncertainty
/// via dynamic model averaging", 2010, equation 16.
public struct LikelihoodMixture: Sendable, Equatable {
    /// The most predictors of one mixture.
    public static let capacity = 4

    public let count: Int
    private let floor: Double
    private var evidence: InlineArray<4, Double>
    private var shares: InlineArray<4, Double>

    public static func == (left: LikelihoodMixture, right: LikelihoodMixture) -> Bool {
        guard left.count == right.count, left.floor == right.floor else { return false }
        for index in 0..<left.count where left.evidence[index] != right.evidence[index] {
            return false
        }
        return true
    }

    /// - Parameter count: number of predictors, clamped to 1 ... 4.
    public init(count: Int, floor: Double = 1e-3) {
        self.count = min(max(1, count), LikelihoodMixture.capacity)
        self.floor = min(max(0, floor), 0.2)
        evidence = InlineArray(repeating: 0)
        shares = InlineArray(repeating: 1 / Double(self.count))
    }

    /// The weight of a predictor, 0...1; the weights sum to one.
    public func weight(_ index: Int) -> Double {
        precondition(index >= 0 && index < count)
        return shares[index]
    }

    /// The logarithm of the normal density, for predictors with a mean and a variance.
    @inline(__always)
    static func logLikelihood(mean: Double, variance: Double, target: Double) -> Double {
        let spread = max(variance, 1e-12)
        let error = target - mean
        return -0.5 * (error * error / spread + log(2 * Double.pi * spread))
    }

    /// Adds each predictor's log likelihood of one outcome, after discounting older evidence by
    /// `decay`.
    ///
    /// Numbers that are not finite count as very unlikely.
    public mutating func learn(logLikelihoods: InlineArray<4, Double>, decay: Double) {
        let fading = decay >= 0 && decay <= 1 ? decay : 1
        var best = -Double.infinity
        for index in 0..<count {
            let value = logLikelihoods[index]
            // The bounds keep a single extreme outcome from dominating for ever.
            evidence[index] =
                fading * evidence[index] + (value.isNaN ? -30 : min(max(value, -30), 30))
            best = max(best, evidence[index])
        }
        var sum = 0.0
        for index in 0..<count {
            evidence[index] -= best
            shares[index] = exp(evidence[index])
            sum += shares[index]
        }
        for index in 0..<count {
            shares[index] = floor + (1 - Double(count) * floor) * shares[index] / sum
        }
    }
}
