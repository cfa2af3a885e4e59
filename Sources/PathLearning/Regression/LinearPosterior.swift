public import DenseMath
import Glibc

/// What a linear model believes before it sees data: weights and how firmly.
public struct LinearPrior: Sendable, Equatable {
    /// Expected weights.
    public let mean: [Double]
    /// Symmetric positive definite; in units of observations (an observation x adds `x x'`).
    public let precision: Matrix

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

/// Bayesian linear regression that learns one observation at a time and forgets.
///
///     A = A0 + sum g(age) x x'      b = A0 theta0 + sum g(age) x y      theta = A^-1 b
///
/// Only data fades, the prior stays: after `decay`, `A <- g A + (1 - g) A0 + x x'`, so directions
/// that nothing excites return to the prior instead of winding up. The inverse and theta follow by
/// rank-one updates, and are made anew from A after 1,000 of them or when more than two percent of
/// the evidence has faded since (rank-one updates leave out the part of the prior put back).
/// No allocation after `init`. Sources: Russac, Vernade and Cappé, "Weighted Linear Bandits for
/// Non-Stationary Environments", 2019; Sherman and Morrison, 1950.
public struct LinearPosterior: Sendable {
    private static let refreshAfter = 1000
    private static let refreshBelow = 0.98
    private static let renormalizeBelow = 1e-9

    public let size: Int
    /// Doubles from one column to the next in the kernels' layout; also the length of their
    /// vectors, padded with zeros.
    public let stride: Int
    /// Observations taken in.
    public private(set) var observations: UInt64 = 0
    /// Observations refused because they were not finite.
    public private(set) var refused: UInt64 = 0
    /// How often A could not be factored and the data was dropped for the prior.
    public private(set) var resets: UInt64 = 0

    /// One block of memory, changed in place; `Layout` says what is where.
    private var storage: [Double]
    /// The data's A and b are `scale` times what is stored, so that fading costs one product.
    private var scale = 1.0
    private var sinceRefresh = 0
    private var fadedSinceRefresh = 1.0
    /// Fading not yet applied to the inverse.
    private var pendingDecay = 1.0

    public init(prior: LinearPrior) {
        size = prior.mean.count
        stride = SmallKernels.stride(size)
        let layout = Layout(size: size, stride: stride)
        storage = [Double](repeating: 0, count: layout.count)
        for column in 0..<size {
            for row in 0..<size {
                let value = prior.precision[row, column]
                storage[layout.priorPrecision + row + column * stride] = value
                storage[layout.priorMoment + row] += value * prior.mean[column]
            }
        }
        refresh()
    }

    // MARK: Handle

    /// Takes in one observation after fading the older ones by `decay` (0...1).
    ///
    /// - Parameter x: `stride` doubles, zero beyond `size`.
    public mutating func learn(_ x: UnsafePointer<Double>, target: Double, decay: Double = 1) {
        var finite = target.isFinite
        for index in 0..<size where !x[index].isFinite { finite = false }
        fade(decay)
        guard finite else {
            refused &+= 1
            return
        }
        observations &+= 1
        sinceRefresh &+= 1
        let (size, stride, scale) = (self.size, self.stride, self.scale)
        let layout = Layout(size: size, stride: stride)
        let pending = pendingDecay
        let exact =
            fadedSinceRefresh < LinearPosterior.refreshBelow
            || sinceRefresh >= LinearPosterior.refreshAfter
        let usable = storage.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let base = buffer.baseAddress else { return false }
            let scratch = base + layout.scratch
            let weight = (1 / scale).squareRoot()
            for index in 0..<stride { scratch[index] = x[index] * weight }
            SmallKernels.addOuter(base + layout.gram, scratch, size: size, stride: stride)
            let moment = base + layout.moment
            let weighted = target / scale
            for index in 0..<size { moment[index] += x[index] * weighted }
            guard !exact else { return false }
            return SmallKernels.recursiveLeastSquares(
                inverse: base + layout.inverse, theta: base + layout.theta, x, target: target,
                decay: pending, size: size, stride: stride, scratch: scratch) > 0
        }
        pendingDecay = 1
        if !usable { refresh() }
    }

    /// Lets the data fade by a factor (0...1) without a new observation.
    public mutating func fade(_ decay: Double) {
        guard decay < 1, decay >= 0 else { return }
        // Data that has faded to nothing is gone; the scale stays a normal number.
        scale *= max(decay, 1e-6)
        fadedSinceRefresh *= decay
        pendingDecay *= max(decay, 1e-6)
        guard scale < LinearPosterior.renormalizeBelow else { return }
        let layout = Layout(size: size, stride: stride)
        for index in 0..<(size * stride) { storage[layout.gram + index] *= scale }
        for index in 0..<stride { storage[layout.moment + index] *= scale }
        scale = 1
    }

    /// Makes inverse and theta anew from A and b.
    public mutating func refresh() {
        sinceRefresh = 0
        fadedSinceRefresh = 1
        pendingDecay = 1
        if solve() { return }
        resets &+= 1
        let layout = Layout(size: size, stride: stride)
        for index in 0..<(size * stride) { storage[layout.gram + index] = 0 }
        for index in 0..<stride { storage[layout.moment + index] = 0 }
        scale = 1
        _ = solve()
    }

    /// - Returns: false when A is not positive definite or the solution is not finite.
    private mutating func solve() -> Bool {
        let (size, stride, scale) = (self.size, self.stride, self.scale)
        let layout = Layout(size: size, stride: stride)
        return storage.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let base = buffer.baseAddress else { return false }
            let factor = base + layout.factor
            let gram = base + layout.gram
            let prior = base + layout.priorPrecision
            for index in 0..<(size &* stride) { factor[index] = prior[index] + scale * gram[index] }
            guard SmallCholesky.factor(factor, size: size, stride: stride) == nil else {
                return false
            }
            let theta = base + layout.theta
            for index in 0..<size {
                theta[index] =
                    base[layout.priorMoment &+ index] + scale * base[layout.moment &+ index]
            }
            SmallCholesky.forward(factor, theta, size: size, stride: stride)
            SmallCholesky.backward(factor, theta, size: size, stride: stride)
            for index in 0..<size where !theta[index].isFinite { return false }
            SmallCholesky.invert(
                factor, size: size, stride: stride, into: base + layout.inverse)
            return true
        }
    }

    // MARK: Read

    /// The expected target and `x' A^-1 x`, the share of its variance that comes from the weights.
    ///
    /// - Parameter x: `stride` doubles, zero beyond `size`.
    public func predict(_ x: UnsafePointer<Double>) -> (mean: Double, spread: Double) {
        let layout = Layout(size: size, stride: stride)
        return storage.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return (0, 0) }
            return (
                SmallKernels.dot(base + layout.theta, x, length: stride),
                form(base + layout.inverse, x)
            )
        }
    }

    /// The same for `(x, 1)`, where `size` is one more than the elements of x.
    ///
    /// - Parameter x: `size - 1` doubles, which must be a multiple of four.
    func predictAffine(_ x: UnsafePointer<Double>) -> (mean: Double, spread: Double) {
        let layout = Layout(size: size, stride: stride)
        let length = size &- 1
        return storage.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return (0, 0) }
            let theta = base + layout.theta
            let inverse = base + layout.inverse
            let last = inverse + length &* stride
            return (
                SmallKernels.dot(theta, x, length: length) + theta[length],
                SmallKernels.quadraticForm(inverse, x, length: length, stride: stride)
                    + 2 * SmallKernels.dot(last, x, length: length) + last[length]
            )
        }
    }

    /// `x'A x` where the last block of columns may reach beyond the matrix.
    private func form(_ a: UnsafePointer<Double>, _ x: UnsafePointer<Double>) -> Double {
        let whole = size & ~3
        var result = SmallKernels.quadraticForm(a, x, length: whole, stride: stride)
        for column in whole..<size {
            let current = a + column &* stride
            result += 2 * x[column] * SmallKernels.dot(current, x, length: whole)
            for row in whole..<size { result += x[column] * x[row] * current[row] }
        }
        return result
    }

    /// The weights.
    public var theta: [Double] {
        let layout = Layout(size: size, stride: stride)
        return Array(storage[layout.theta..<(layout.theta + size)])
    }

    /// One weight, without making an array.
    func weight(_ index: Int) -> Double {
        storage[Layout(size: size, stride: stride).theta + index]
    }

    /// `A`, prior and data.
    public var precision: Matrix {
        let layout = Layout(size: size, stride: stride)
        return matrix {
            storage[layout.priorPrecision + $0 + $1 * stride]
                + scale * storage[layout.gram + $0 + $1 * stride]
        }
    }

    /// `b`, prior and data.
    public var moment: [Double] {
        let layout = Layout(size: size, stride: stride)
        return (0..<size).map {
            storage[layout.priorMoment + $0] + scale * storage[layout.moment + $0]
        }
    }

    /// `A^-1` as the decisions see it.
    public var covariance: Matrix {
        let layout = Layout(size: size, stride: stride)
        return matrix { storage[layout.inverse + $0 + $1 * stride] }
    }

    private func matrix(_ element: (Int, Int) -> Double) -> Matrix {
        var result = Matrix(rows: size, columns: size)
        for column in 0..<size {
            for row in 0..<size { result[row, column] = element(row, column) }
        }
        return result
    }

    /// Offsets into `storage`: four square matrices, then vectors.
    private struct Layout {
        let priorPrecision = 0
        let gram: Int
        let inverse: Int
        let factor: Int
        let priorMoment: Int
        let moment: Int
        let theta: Int
        let scratch: Int
        let count: Int

        @inline(__always)
        init(size: Int, stride: Int) {
            let square = size &* stride
            gram = square
            inverse = 2 &* square
            factor = 3 &* square
            priorMoment = 4 &* square
            moment = priorMoment &+ stride
            theta = moment &+ stride
            scratch = theta &+ stride
            count = scratch &+ stride
        }
    }
}
