public import DenseMath
public import PathTelemetry

/// A trained linear model of `Cost.residual`, and the amount of data behind it.
public struct RidgeModel: Sendable, Equatable {
    /// Weights in the order of the schema, precision and penalty.
    public let head: LinearHead

    /// One weight per feature, in the order of the schema.
    public var weights: [Double] { head.weights }
    public var intercept: Double { head.intercept }
    /// `sum w (x, 1)(x, 1)' + lambda I`, the constant last: size `FeatureSchema.count + 1`.
    var precision: Matrix { head.precision }
    /// Sum of the rows' weights.
    public var totalWeight: Double { head.totalWeight }
    public var lambda: Double { head.lambda }

    /// - Throws: `ModelProblem.notAModel` for sizes that do not match the schema, `.nonFinite` for
    ///   numbers that are not finite or a precision that is not positive definite.
    public init(
        weights: [Double], intercept: Double, precision: Matrix, totalWeight: Double,
        lambda: Double
    ) throws(ModelProblem) {
        try self.init(
            head: LinearHead(
                weights: weights, intercept: intercept, precision: precision,
                totalWeight: totalWeight, lambda: lambda))
    }

    /// - Throws: `ModelProblem.notAModel` for a head that does not match the schema.
    public init(head: LinearHead) throws(ModelProblem) {
        guard head.weights.count == FeatureSchema.count else {
            throw .notAModel(
                "\(head.weights.count) weights of the residual, expected \(FeatureSchema.count)")
        }
        self.head = head
    }

    /// The expected residual for these features.
    public func predict(_ features: borrowing FeatureVector) -> Double {
        var sum = head.intercept
        for index in 0..<FeatureSchema.count { sum += head.weights[index] * features[index] }
        return sum
    }

    /// The model as a prior that counts as at most `limit` observations, so that a sender still
    /// adapts to its paths, with at least `lambda` on the diagonal.
    func prior(limit: Double, lambda: Double) throws(LearningError) -> LinearPrior {
        try head.prior(limit: limit, lambda: lambda)
    }
}
