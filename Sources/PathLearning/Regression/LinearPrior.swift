public import DenseMath

/// What a linear model believes before it sees data: weights and how firmly.
public struct LinearPrior: Sendable, Equatable {
    /// Expected weights.
    public let mean: [Double]
    /// Symmetric positive definite; in units of observations (an observation x adds `x x'`).
    let precision: Matrix

    /// - Throws: `LearningError.training` when sizes differ, a number is not finite, or the
    ///   precision is not positive definite.
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

    /// Weights of zero with the same precision for each: ridge regression.
    ///
    /// - Precondition: `lambda` is above zero.
    public init(size: Int, lambda: Double) {
        precondition(lambda > 0 && lambda.isFinite)
        mean = [Double](repeating: 0, count: size)
        precision = Matrix(diagonal: lambda, size: size)
    }
}
