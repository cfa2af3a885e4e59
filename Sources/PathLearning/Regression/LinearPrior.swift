public import DenseMath

/// The prior of a linear model: expected weights and their precision.
public struct LinearPrior: Sendable, Equatable {
    /// Expected weights.
    public let mean: [Double]
    /// Symmetric positive definite; in units of observations (an observation x adds `x x'`).
    let precision: Matrix

    /// - Throws: `LearningError.training` if sizes differ, a number is not finite, or the precision
    ///   is not positive definite.
    public init(mean: [Double], precision: Matrix) throws(LearningError) {
        guard mean.count == precision.rows, mean.allSatisfy(\.isFinite) else {
            throw .training("the prior's weights do not fit its precision or are not finite")
        }
        do throws(DenseMathError) {
            _ = try Cholesky(precision)
        } catch {
            throw .training("the prior's precision is unusable: \(error)")
        }
        self.mean = mean
        self.precision = precision
    }

    /// Makes zero weights with equal precision, as in ridge regression.
    ///
    /// - Precondition: `lambda` is above zero.
    public init(size: Int, lambda: Double) {
        precondition(lambda > 0 && lambda.isFinite)
        mean = [Double](repeating: 0, count: size)
        precision = Matrix(diagonal: lambda, size: size)
    }
}
