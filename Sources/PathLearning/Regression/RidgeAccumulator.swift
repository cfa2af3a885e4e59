public import DenseMath

/// The sufficient statistics of ridge regression, in constant memory.
///
/// Accumulators of parts of the data can be merged, so training on many files or machines needs one
/// merge. Any number of penalties can be solved from the same sums.
public struct RidgeAccumulator: Sendable {
    /// Number of features.
    public let size: Int
    private var moments: CentredMoments
    /// Rows refused for a wrong length, a number that is not finite, or a negative weight.
    public private(set) var refused: UInt64 = 0

    /// - Precondition: `size` is above zero.
    public init(size: Int) {
        self.size = size
        moments = CentredMoments(columns: size + 1)
    }

    /// Continues from the state of another accumulator, whose last column is the target.
    ///
    /// - Throws: `LearningError.training` if the numbers are not the state of an accumulator.
    public init(_ state: CentredMoments.State, refused: UInt64) throws(LearningError) {
        do throws(DenseMathError) {
            moments = try CentredMoments(state)
        } catch {
            throw .training("unusable statistics: \(error)")
        }
        guard moments.columns > 1 else { throw .training("statistics without features") }
        size = moments.columns - 1
        self.refused = refused
    }

    /// The state, as numbers that a file can store.
    public var state: CentredMoments.State { moments.state }

    /// Number of rows added.
    public var count: UInt64 { moments.count }
    /// Sum of their weights.
    public var totalWeight: Double { moments.totalWeight }

    /// Adds a row whose last element is the target.
    public mutating func add(row: UnsafeBufferPointer<Double>, weight: Double = 1) {
        if !moments.add(row, weight: weight) { refused &+= 1 }
    }

    /// Adds a row.
    public mutating func add(_ features: [Double], target: Double, weight: Double = 1) {
        if !moments.add(features + [target], weight: weight) { refused &+= 1 }
    }

    /// Adds all rows of another accumulator of the same size.
    public mutating func merge(_ other: RidgeAccumulator) throws(LearningError) {
        do throws(DenseMathError) {
            try moments.merge(other.moments)
        } catch {
            throw .training("cannot merge statistics: \(error)")
        }
        refused &+= other.refused
    }

    /// Minimises `sum w (y - theta'x - c)^2 + lambda |theta|^2`; the intercept is not penalised.
    ///
    /// Rows are centred before solving. A matrix that cannot be factored, or only with a condition
    /// number beyond 1e14, gets the smallest ridge that suffices, which `jitter` reports.
    ///
    /// - Parameters:
    ///   - intercept: false fixes c at zero.
    ///   - excluded: a feature whose weight is fixed at zero.
    public func solve(
        lambda: Double, intercept: Bool = true, excluding excluded: Int? = nil
    ) throws(LearningError) -> RidgeSolution {
        guard lambda >= 0, lambda.isFinite else {
            throw .training("lambda \(lambda) is not usable: give zero or a positive number")
        }
        let weight = totalWeight
        guard weight > 0 else { throw .training("no rows with a weight above zero") }
        let (means, scatter) = moments.result()
        var gram = Matrix(rows: size, columns: size)
        var target = [Double](repeating: 0, count: size)
        let about = intercept ? 0 : weight
        for column in 0..<size {
            for row in 0..<size {
                gram[row, column] = scatter[row, column] + about * means[row] * means[column]
            }
            gram[column, column] += lambda
            target[column] = scatter[column, size] + about * means[column] * means[size]
        }
        if let excluded, excluded >= 0, excluded < size {
            for index in 0..<size {
                gram[index, excluded] = 0
                gram[excluded, index] = 0
            }
            gram[excluded, excluded] = 1
            target[excluded] = 0
        }
        do throws(DenseMathError) {
            let factor = try Cholesky.regularized(gram)
            let weights = try factor.solve(target)
            var constant = 0.0
            if intercept {
                var sum = CompensatedSum()
                sum.add(means[size])
                for index in 0..<size { sum.add(-weights[index] * means[index]) }
                constant = sum.value
            }
            guard weights.allSatisfy(\.isFinite), constant.isFinite else {
                throw DenseMathError.nonFinite(operation: "ridge solution")
            }
            return RidgeSolution(
                weights: weights, intercept: constant, lambda: lambda, jitter: factor.jitter,
                reciprocalCondition: factor.reciprocalCondition,
                squaredError: squaredError(weights: weights, intercept: constant))
        } catch {
            throw .training("lambda \(lambda): \(error)")
        }
    }

    /// `sum w (y - theta'x - c)^2` over the added rows, for any weights and constant.
    public func squaredError(weights: [Double], intercept: Double) -> Double {
        guard weights.count == size else { return .nan }
        let (means, scatter) = moments.result()
        var sum = CompensatedSum()
        var bias = means[size] - intercept
        sum.add(scatter[size, size])
        for column in 0..<size {
            bias -= weights[column] * means[column]
            sum.add(-2 * weights[column] * scatter[column, size])
            for row in 0..<size {
                sum.add(weights[column] * weights[row] * scatter[row, column])
            }
        }
        sum.add(totalWeight * bias * bias)
        return max(0, sum.value)
    }

    /// `sum w (y - mean)^2`.
    var targetScatter: Double { moments.result().scatter[size, size] }

    /// `sum w (x, 1)(x, 1)'` with `lambda` added to the diagonal; the constant is last.
    func precision(lambda: Double) -> Matrix {
        let (means, scatter) = moments.result()
        let weight = totalWeight
        var result = Matrix(rows: size + 1, columns: size + 1)
        for column in 0..<size {
            for row in 0..<size {
                // Multiplying the means first keeps the result exactly symmetric.
                result[row, column] =
                    scatter[row, column] + weight * (means[row] * means[column])
            }
            result[size, column] = weight * means[column]
            result[column, size] = weight * means[column]
        }
        result[size, size] = weight
        for index in 0...size { result[index, index] += lambda }
        return result
    }
}

/// Weights of a ridge regression for one penalty.
public struct RidgeSolution: Sendable, Equatable {
    public let weights: [Double]
    /// The intercept; zero if it was fixed there.
    public let intercept: Double
    public let lambda: Double
    /// Addition to the penalty that was needed to factor the matrix; usually zero.
    public let jitter: Double
    /// Estimated reciprocal condition number of the matrix (1-norm).
    public let reciprocalCondition: Double
    /// Weighted sum of squared residuals over the rows.
    public let squaredError: Double
}
