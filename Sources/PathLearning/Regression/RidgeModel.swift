public import DenseMath
public import PathTelemetry

/// A trained linear model of `Cost.residual`, and how much data stands behind it.
public struct RidgeModel: Sendable, Equatable {
    /// One weight a feature, in the order of the schema.
    public let weights: [Double]
    public let intercept: Double
    /// `sum w (x, 1)(x, 1)' + lambda I`, the constant last: size `FeatureSchema.count + 1`.
    public let precision: Matrix
    /// Sum of the rows' weights.
    public let totalWeight: Double
    public let lambda: Double

    /// - Throws: `ModelProblem.notAModel` for sizes that do not fit the schema,
    ///   `.nonFinite` for numbers that are not finite or a precision that is not positive definite.
    public init(
        weights: [Double], intercept: Double, precision: Matrix, totalWeight: Double,
        lambda: Double
    ) throws(ModelProblem) {
        let size = FeatureSchema.count + 1
        guard weights.count == FeatureSchema.count, precision.rows == size,
            precision.columns == size
        else {
            throw .notAModel(
                "\(weights.count) weights with a precision of \(precision.rows) x "
                    + "\(precision.columns); expected \(FeatureSchema.count) and \(size) x \(size)")
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

    /// The residual expected for these features.
    public func predict(_ features: borrowing FeatureVector) -> Double {
        var sum = intercept
        for index in 0..<FeatureSchema.count { sum += weights[index] * features[index] }
        return sum
    }

    /// The model as a prior that counts for at most `limit` observations, so that a sender still
    /// adapts to the paths it has, with at least `lambda` on the diagonal.
    public func prior(limit: Double, lambda: Double) throws(LearningError) -> LinearPrior {
        var scaled = precision
        let factor = totalWeight > limit ? limit / totalWeight : 1
        for index in scaled.elements.indices { scaled.elements[index] *= factor }
        for index in 0..<scaled.rows { scaled[index, index] += lambda }
        return try LinearPrior(mean: weights + [intercept], precision: scaled)
    }
}
