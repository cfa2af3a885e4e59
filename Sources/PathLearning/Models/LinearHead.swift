public import DenseMath

/// Weights of a linear model over any features, and the amount of data behind them.
///
/// A residual model, a P(late) model and the last layer of a network share it; `prior` turns each
/// into the prior of an online model.
public struct LinearHead: Sendable, Equatable {
    /// One weight per feature.
    public let weights: [Double]
    public let intercept: Double
    /// Second derivative of the fitted loss, the constant last: size `weights.count + 1`.
    ///
    /// For squared error that is `sum w (x, 1)(x, 1)' + lambda I`; for the logistic loss each row
    /// counts with `w p (1 - p)`.
    let precision: Matrix
    /// Sum of the rows' weights.
    public let totalWeight: Double
    public let lambda: Double

    /// - Throws: `ModelProblem.notAModel` for sizes that do not match, `.nonFinite` for numbers
    ///   that are not finite or a precision that is not positive definite.
    public init(
        weights: [Double], intercept: Double, precision: Matrix, totalWeight: Double,
        lambda: Double
    ) throws(ModelProblem) {
        let size = weights.count + 1
        guard precision.rows == size, precision.columns == size else {
            throw .notAModel(
                "\(weights.count) weights with a precision of \(precision.rows) x "
                    + "\(precision.columns); expected \(size) x \(size)")
        }
        guard weights.allSatisfy(\.isFinite) else { throw .nonFinite(tensor: "weights") }
        guard intercept.isFinite else { throw .nonFinite(tensor: "intercept") }
        guard precision.isFinite else { throw .nonFinite(tensor: "precision") }
        guard totalWeight >= 0, totalWeight.isFinite else {
            throw .nonFinite(tensor: "total_weight")
        }
        guard lambda > 0, lambda.isFinite else { throw .nonFinite(tensor: "lambda") }
        do throws(DenseMathError) {
            _ = try Cholesky(precision)
        } catch {
            throw .notAModel("its precision is not positive definite: \(error)")
        }
        self.weights = weights
        self.intercept = intercept
        self.precision = precision
        self.totalWeight = totalWeight
        self.lambda = lambda
    }

    /// The head as a prior that counts as at most `limit` observations, so that a sender still
    /// adapts to its paths, with at least `lambda` on the diagonal.
    func prior(limit: Double, lambda: Double) throws(LearningError) -> LinearPrior {
        var scaled = precision
        let factor = totalWeight > limit ? limit / totalWeight : 1
        for index in scaled.elements.indices { scaled.elements[index] *= factor }
        for index in 0..<scaled.rows { scaled[index, index] += lambda }
        return try LinearPrior(mean: weights + [intercept], precision: scaled)
    }
}
