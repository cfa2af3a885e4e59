import DenseMath

/// Estimates from the sums.
extension OffPolicySums {
    /// One estimator's value over the added rows, with its standard error.
    ///
    /// - Parameter tuning: how lambda is chosen if none is given.
    /// - Returns: nil if its scores were not kept, or if it needs a model and there is none.
    public func estimate(_ estimator: Estimator, tuning: Tuning = Tuning()) -> Estimate? {
        if estimator.name.needsModel, !hasModel { return nil }
        switch estimator.name {
        case .snips: return selfNormalised
        case .sndr: return selfNormalisedDoublyRobust
        case .dm: return estimate(estimator, direct)
        case .replay:
            return estimate(estimator, matched, count: matched.count)
        case .cressieRead:
            let likelihood = CressieRead(self, largestWeight: estimator.lambda ?? .infinity)
            return Estimate(
                estimator: estimator, value: likelihood.value,
                standardError: selfNormalised.standardError, count: count,
                lambda: estimator.lambda)
        case .ips, .dr, .mrdr:
            return estimator.score(1).flatMap { moments(of: $0) }.map { estimate(estimator, $0) }
        default:
            guard let lambda = estimator.lambda ?? tuned(estimator, tuning)?.lambda else {
                return nil
            }
            return estimator.score(lambda).flatMap { moments(of: $0) }.map {
                estimate(estimator, $0, lambda: lambda)
            }
        }
    }

    private func estimate(
        _ estimator: Estimator, _ moments: Moments, count: Int? = nil, lambda: Double? = nil
    ) -> Estimate {
        Estimate(
            estimator: estimator, value: moments.mean, standardError: moments.standardError,
            count: count ?? moments.count, lambda: lambda)
    }

    /// se^2 = sum (w (r - v) / mean w)^2 / (n (n - 1)).
    private var selfNormalised: Estimate {
        let value = inverse.sum / weights.sum
        var error = 0.0
        if count > 1, weights.sum > 0 {
            let from = value - logged.origin
            let squares =
                squaresDistanceSquare.value - 2 * from * squaresDistance.value
                + from * from * weightSquares.value
            error = ratioError(squares)
        }
        return Estimate(estimator: .snips, value: value, standardError: error, count: count)
    }

    private func ratioError(_ squares: Double) -> Double {
        let mean = weights.mean
        let number = Double(count)
        return (max(0, squares) / (mean * mean * number * (number - 1))).squareRoot()
    }

    /// The influence of a row is (d - mean d) + w (e - c) / mean w, with c = sum w e / sum w.
    ///
    /// If all rewards are equal there is nothing to estimate: the value is that reward.
    private var selfNormalisedDoublyRobust: Estimate {
        if count > 0, leastReward == greatestReward {
            return Estimate(
                estimator: .sndr, value: leastReward, standardError: 0, count: count)
        }
        let correction = residual.value / weights.sum
        let value = direct.mean + correction
        var error = 0.0
        if count > 1, weights.sum > 0 {
            let mean = weights.mean
            let from = direct.mean - direct.origin
            let cross =
                (directResidual.value - from * residual.value)
                - correction * (directWeight.value - from * weights.sum)
            let squares =
                residualSquares.value - 2 * correction * residualWeight.value
                + correction * correction * weightSquares.value
            let all = direct.scatter + 2 * cross / mean + squares / (mean * mean)
            let number = Double(count)
            error = (max(0, all) / (number * (number - 1))).squareRoot()
        }
        return Estimate(estimator: .sndr, value: value, standardError: error, count: count)
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
