import DenseMath

/// Estimates from the sums.
extension OffPolicySums {
    /// One estimator's value over the added rows, with its standard error.
    ///
    /// - Parameter tuning: how lambda is chosen if none is given.
    /// - Returns: nil if its scores were not kept, or if it needs a model and none exists.
    public func estimate(_ estimator: Estimator, tuning: Tuning = Tuning()) -> Estimate? {
        let kind = estimator.kind
        if kind.needs.contains(.model), !hasModel { return nil }
        switch kind.computation {
        case .sums(let value): return value(self, estimator)
        case .adaptive: return AdaptiveSums.estimate(adaptive, estimator)
        case .mean(let moments): return estimate(estimator, moments(self))
        case .scores(let score):
            guard kind.number != nil else {
                return moments(of: score(1)).map { estimate(estimator, $0) }
            }
            guard let lambda = estimator.lambda ?? tuned(estimator, tuning)?.lambda else {
                return nil
            }
            return moments(of: score(lambda)).map { estimate(estimator, $0, lambda: lambda) }
        }
    }

    func estimate(
        _ estimator: Estimator, _ moments: Moments, lambda: Double? = nil
    ) -> Estimate {
        Estimate(
            estimator: estimator, value: moments.mean, standardError: moments.standardError,
            count: moments.count, lambda: lambda)
    }

    /// The mean reward of the logged decisions.
    public var recorded: Estimate { estimate(.ips, logged) }

    /// The gain of the evaluated policy over the logged one, paired by decision (DR).
    var gainOverLogged: Estimate { estimate(.dr, gain) }

    // MARK: Weights

    /// Mean of the weights, which should be one if propensities are right, and its standard error.
    public var meanWeight: (value: Double, standardError: Double) {
        (weights.mean, weights.standardError)
    }

    /// Kish's effective sample size: the equivalent number of equally weighted decisions.
    public var effectiveSampleSize: Double {
        let squares = weightSquares.value
        return squares > 0 ? weights.sum * weights.sum / squares : 0
    }

    /// The mean of w^2: one plus the chi-squared divergence of the policies.
    var secondMoment: Double { weightSquares.value / Double(max(1, count)) }

    /// The largest weight's share of the total weight.
    public var largestWeightShare: Double {
        weights.sum > 0 ? largestWeight / weights.sum : 0
    }
}
