import Glibc

/// How an estimator's number is chosen among candidates.
public struct Tuning: Hashable, Sendable {
    /// The rule of choice.
    public enum Method: String, Hashable, Sendable, CaseIterable {
        /// The least biased candidate whose interval overlaps all wider ones. Source: Tucker and
        /// Lee, "Improved estimator selection for off-policy evaluation", 2021 (SLOPE++, after Su,
        /// Srinath and Krishnamurthy, 2020).
        case slope
        /// The least estimated mean squared error, with an upper bound of the bias.
        /// Source: Su et al., "Doubly robust off-policy evaluation with shrinkage", 2020.
        case mse
    }

    public var method = Method.slope
    /// For `mse`: adds the deviation bound to the estimate of the bias.
    var usesBiasBound = true
    /// Probability with which the bounds may fail.
    public var delta = 0.05
    /// The candidates; nil means each estimator's own.
    public var grid: [Double]?

    public init(method: Method = .slope, usesBiasBound: Bool = true, grid: [Double]? = nil) {
        self.method = method
        self.usesBiasBound = usesBiasBound
        self.grid = grid
    }
}

extension OffPolicySums {
    /// The number chosen for an estimator, and each candidate's estimated squared error (`mse`).
    ///
    /// - Returns: nil if no candidate's score was kept.
    func tuned(
        _ estimator: Estimator, _ tuning: Tuning
    ) -> (lambda: Double, errors: [Double])? {
        let grid = tuning.grid ?? estimator.grid
        var candidates: [(lambda: Double, moments: Moments)] = []
        for lambda in grid {
            if let moments = estimator.score(lambda).flatMap({ self.moments(of: $0) }) {
                candidates.append((lambda, moments))
            }
        }
        guard let last = candidates.last, count > 1 else {
            return candidates.first.map { ($0.lambda, []) }
        }
        if estimator.kind.number?.choice == .byTheorem {
            let wanted = theoremCorrection(delta: tuning.delta)
            let nearest = candidates.min {
                log($0.lambda / wanted).magnitude < log($1.lambda / wanted).magnitude
            }
            return ((nearest ?? last).lambda, [])
        }
        switch tuning.method {
        case .slope: return (slope(candidates, delta: tuning.delta), [])
        case .mse:
            let plain = estimator.kind.needs.contains(.model) ? doublyRobust.mean : inverse.mean
            let errors = candidates.map { candidate in
                squaredError(candidate.moments, plain: plain, tuning: tuning)
            }
            var best = 0
            for index in errors.indices where errors[index] < errors[best] { best = index }
            return (candidates[best].lambda, errors)
        }
    }

    /// (2 ln(1 / delta) / (3 n mean w^2))^(1/2).
    ///
    /// Source: Metelli, Russo and Restelli, "Subgaussian and differentiable importance sampling
    /// for off-policy evaluation and learning", 2021, theorem 5.1 with alpha = 2.
    func theoremCorrection(delta: Double) -> Double {
        let bottom = 3 * Double(count) * secondMoment
        return bottom > 0 ? min(1, (2 * log(1 / delta) / bottom).squareRoot()) : 1
    }

    private func squaredError(_ moments: Moments, plain: Double, tuning: Tuning) -> Double {
        let number = Double(count)
        var bias = (plain - moments.mean).magnitude
        if tuning.usesBiasBound {
            let level = log(2 / tuning.delta)
            bias += (2 * secondMoment * level / number).squareRoot()
            bias += 2 * largestWeight * level / (3 * number)
        }
        return moments.scatter / number / number + bias * bias
    }

    private func slope(_ candidates: [(lambda: Double, moments: Moments)], delta: Double) -> Double
    {
        let number = Double(count)
        let t = StudentDistribution.quantile(1 - delta, freedom: number - 1)
        let all = candidates.enumerated().map { order, candidate in
            (
                order: order, lambda: candidate.lambda, value: candidate.moments.mean,
                width: (candidate.moments.scatter / number / (number - 1)).squareRoot() * t
            )
        }.sorted { $0.width == $1.width ? $0.order < $1.order : $0.width > $1.width }
        let constant = 6.0.squareRoot() - 1
        var accepted = 0
        for index in all.indices {
            let agrees = all[..<index].allSatisfy { other in
                (other.value - all[index].value).magnitude
                    <= all[index].width + constant * other.width
            }
            guard agrees else { break }
            accepted = index
        }
        return all[accepted].lambda
    }
}
