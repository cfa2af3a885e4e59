internal import DenseMath

/// Bayesian linear regression that learns online and discounts old observations.
///
///     A = A0 + sum g(age) w x x'      b = A0 theta0 + sum g(age) w x y      theta = A^-1 b
///
/// Only data is discounted, not the prior: after `decay`, `A <- g A + (1 - g) A0 + w x x'`, so
/// directions without excitation return to the prior instead of winding up. Rank-one updates
/// maintain the inverse and theta, which are recomputed from A after 1,000 updates or when more
/// than `tolerance` of the evidence was discounted since (rank-one updates omit the returning part
/// of the prior). A factorisation that fails or is worse conditioned than 1e12 is repeated with a
/// ridge of 1e-9, 1e-6 and 1e-3 of the mean diagonal; if that fails too, or a number is not finite,
/// the data is dropped and the prior remains. It does not allocate after `init`. Sources: Russac,
/// Vernade and Cappé, "Weighted Linear Bandits for Non-Stationary Environments", 2019; Sherman and
/// Morrison, 1950.
public struct LinearPosterior: Sendable {
    private static let refreshAfter = 1000
    /// The most doubles between a multiple of 16 bytes and the next multiple of 32.
    private static let slack = 2
    private static let renormalizeBelow = 1e-9
    private static let renormalizeAbove = 1e9
    /// Condition number (1-norm) beyond which a solution is rejected.
    private static let worstCondition = 1e12

    public let size: Int
    /// Doubles per column in the kernels' layout, and length of their zero-padded vectors.
    public let stride: Int
    /// Share of the evidence that may be discounted before the inverse is recomputed; zero means
    /// always.
    public let tolerance: Double
    /// Number of observations learned.
    private(set) var observations: UInt64 = 0
    /// Number of observations refused because they were not finite.
    public private(set) var refused: UInt64 = 0
    /// How often A could only be factored with a ridge.
    private(set) var repairs: UInt64 = 0
    /// How often A could not be factored and the data was dropped.
    private(set) var resets: UInt64 = 0
    /// Condition number of A (1-norm) when the inverse was last recomputed.
    public private(set) var condition = 1.0

    /// One block of memory, changed in place; `Layout` defines its parts.
    private var storage: [Double]
    /// Where the numbers begin in it: at an aligned vector, unless this is a copy that has not
    /// learned.
    private var start = 0
    /// The data's A and b are `scale` times the stored values, so that discounting costs one
    /// multiplication.
    private var scale = 1.0
    private var sinceRefresh = 0
    private var fadedSinceRefresh = 1.0
    /// Discount that is not yet applied to the inverse.
    private var pendingDecay = 1.0
    /// The inverse is this many times the stored values, for the same reason.
    private var inverseScale = 1.0

    /// - Parameter tolerance: between 0 and 1.
    public init(prior: LinearPrior, tolerance: Double = 0.02) {
        size = prior.mean.count
        stride = SmallKernels.stride(size)
        self.tolerance = tolerance
        let layout = Layout(start: 0, size: size, stride: stride)
        storage = [Double](repeating: 0, count: layout.count + LinearPosterior.slack)
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

    /// Learns one observation after discounting older ones by `decay` (0...1).
    ///
    /// - Parameters:
    ///   - x: `stride` doubles, zero beyond `size`.
    ///   - weight: how many observations it counts as, above zero.
    public mutating func learn(
        _ x: UnsafePointer<Double>, target: Double, weight: Double = 1, decay: Double = 1
    ) {
        age(decay)
        let (size, stride, scale) = (self.size, self.stride, self.scale)
        var start = self.start
        let inverseScale = self.inverseScale / pendingDecay
        let exact =
            1 - fadedSinceRefresh > tolerance
            || sinceRefresh &+ 1 >= LinearPosterior.refreshAfter
            || !(inverseScale < LinearPosterior.renormalizeAbove)
        let taken = storage.withUnsafeMutableBufferPointer { buffer -> SmallKernels.Taken in
            guard let base = buffer.baseAddress else { return .refused }
            start = LinearPosterior.align(base, from: start, size: size, stride: stride)
            let layout = Layout(start: start, size: size, stride: stride)
            // The update from P = c Q to (P - P x x' P / s) / g with s = g / w + x'P x changes Q to
            // Q - Q x x' Q / t with t = g / (w c) + x'Q x, and c to c / g.
            return SmallKernels.take(
                gram: base + layout.gram, moment: base + layout.moment,
                inverse: exact ? nil : base + layout.inverse, theta: base + layout.theta, x,
                target: target, weight: weight * inverseScale, share: weight / scale, size: size,
                stride: stride, scratch: base + layout.scratch)
        }
        self.start = start
        guard taken != .refused else {
            refused &+= 1
            return
        }
        observations &+= 1
        sinceRefresh &+= 1
        self.inverseScale = inverseScale
        pendingDecay = 1
        if taken == .pending { refresh() }
    }

    /// Moves the numbers to an aligned start if needed: half of all arrays begin in the middle of a
    /// vector, a copy has another address than the original, and vectors across two cache lines
    /// cost a fifth of the time of an update.
    @inline(__always)
    private static func align(
        _ base: UnsafeMutablePointer<Double>, from start: Int, size: Int, stride: Int
    ) -> Int {
        let aligned = (Int(bitPattern: base) &>> 3) & slack
        guard aligned != start else { return start }
        let count = Layout(start: 0, size: size, stride: stride).count
        (base + aligned).update(from: base + start, count: count)
        return aligned
    }

    /// Discounts the data by a factor (0...1) without a new observation, so that knowledge about
    /// something idle becomes uncertain again.
    mutating func fade(_ decay: Double) {
        age(decay)
        if 1 - fadedSinceRefresh > tolerance { refresh() }
    }

    private mutating func age(_ decay: Double) {
        guard decay < 1, decay >= 0 else { return }
        // Data that was discounted to almost nothing is lost; the scale stays a normal number.
        scale *= max(decay, 1e-6)
        fadedSinceRefresh *= decay
        pendingDecay *= max(decay, 1e-6)
        guard scale < LinearPosterior.renormalizeBelow else { return }
        let layout = layout
        for index in 0..<(size * stride) { storage[layout.gram + index] *= scale }
        for index in 0..<stride { storage[layout.moment + index] *= scale }
        scale = 1
    }

    /// Recomputes the inverse and theta from A and b.
    mutating func refresh() {
        sinceRefresh = 0
        fadedSinceRefresh = 1
        pendingDecay = 1
        if solve(ridge: 0) { return }
        if solve(ridge: 1e-9) || solve(ridge: 1e-6) || solve(ridge: 1e-3) {
            repairs &+= 1
            return
        }
        resets &+= 1
        forget()
    }

    /// Drops all data and returns to the prior.
    public mutating func forget() {
        let layout = layout
        for index in 0..<(size * stride) { storage[layout.gram + index] = 0 }
        for index in 0..<stride { storage[layout.moment + index] = 0 }
        scale = 1
        sinceRefresh = 0
        fadedSinceRefresh = 1
        pendingDecay = 1
        _ = solve(ridge: 0)
    }

    /// Replaces data and prior by zero weights with a precision of `lambda`, above zero.
    public mutating func forget(lambda: Double) {
        let layout = layout
        for index in 0..<(size * stride) { storage[layout.priorPrecision + index] = 0 }
        for index in 0..<size {
            storage[layout.priorPrecision + index * (stride + 1)] = lambda
            storage[layout.priorMoment + index] = 0
        }
        forget()
    }

    /// - Parameter ridge: share of the mean diagonal that is added to the diagonal.
    /// - Returns: false if A is not positive definite or too badly conditioned, or the solution is
    ///   not finite.
    private mutating func solve(ridge: Double) -> Bool {
        let (size, stride, scale) = (self.size, self.stride, self.scale)
        let layout = layout
        var reached = Double.infinity
        let usable = storage.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let base = buffer.baseAddress else { return false }
            let factor = base + layout.factor
            let gram = base + layout.gram
            let prior = base + layout.priorPrecision
            for index in 0..<(size &* stride) { factor[index] = prior[index] + scale * gram[index] }
            if ridge > 0 {
                var trace = 0.0
                for index in 0..<size { trace += factor[index &* (stride &+ 1)] }
                let added = ridge * trace / Double(size)
                for index in 0..<size { factor[index &* (stride &+ 1)] += added }
            }
            let norm = LinearPosterior.norm(factor, size: size, stride: stride)
            guard norm.isFinite,
                SmallCholesky.factor(factor, size: size, stride: stride) == nil
            else { return false }
            let theta = base + layout.theta
            for index in 0..<size {
                theta[index] =
                    base[layout.priorMoment &+ index] + scale * base[layout.moment &+ index]
            }
            SmallCholesky.forward(factor, theta, size: size, stride: stride)
            SmallCholesky.backward(factor, theta, size: size, stride: stride)
            for index in 0..<size where !theta[index].isFinite { return false }
            let inverse = base + layout.inverse
            SmallCholesky.invert(
                factor, size: size, stride: stride, into: inverse, scratch: base + layout.work)
            reached = norm * LinearPosterior.norm(inverse, size: size, stride: stride)
            return reached <= LinearPosterior.worstCondition
        }
        inverseScale = 1
        if usable { condition = reached }
        return usable
    }

    /// The 1-norm of a symmetric matrix given by its lower triangle.
    private static func norm(_ a: UnsafePointer<Double>, size: Int, stride: Int) -> Double {
        var largest = 0.0
        for column in 0..<size {
            var sum = 0.0
            for row in 0..<size {
                sum += a[row < column ? column &+ row &* stride : row &+ column &* stride].magnitude
            }
            if !(sum <= largest) { largest = sum }
        }
        return largest
    }

    // MARK: Read

    /// The expected target and `x' A^-1 x`, the share of its variance that comes from the weights.
    ///
    /// - Parameter x: `stride` doubles, zero beyond `size`.
    public func predict(_ x: UnsafePointer<Double>) -> (mean: Double, spread: Double) {
        let layout = layout
        return storage.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return (0, 0) }
            return (
                SmallKernels.dot(base + layout.theta, x, length: stride),
                inverseScale * form(base + layout.inverse, x)
            )
        }
    }

    /// Only the expected target.
    ///
    /// - Parameter x: `stride` doubles, zero beyond `size`.
    public func mean(_ x: UnsafePointer<Double>) -> Double {
        let layout = layout
        return storage.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { SmallKernels.dot($0 + layout.theta, x, length: stride) } ?? 0
        }
    }

    /// Lends the weights (`stride` doubles), a matrix (columns `stride` apart), and its factor to
    /// `A^-1` to a kernel.
    @inline(__always)
    func withWeights<Result>(
        _ body: (
            _ theta: UnsafePointer<Double>, _ matrix: UnsafePointer<Double>, _ scale: Double
        ) -> Result
    ) -> Result? {
        let layout = layout
        return storage.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map {
                body($0 + layout.theta, $0 + layout.inverse, inverseScale)
            }
        }
    }

    /// The same on mutable storage, which has an address; reading would retain the memory first.
    @inline(__always)
    mutating func withWeightsInPlace<Result>(
        _ body: (
            _ theta: UnsafePointer<Double>, _ matrix: UnsafePointer<Double>, _ scale: Double
        ) -> Result
    ) -> Result? {
        let layout = layout
        let scale = inverseScale
        // A span of storage in place neither retains the memory nor asks whether it is shared.
        let span = storage.span
        return span.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { body($0 + layout.theta, $0 + layout.inverse, scale) }
        }
    }

    /// The same for `(x, 1)`, where `size` is one more than the elements of x.
    ///
    /// - Parameter x: `size - 1` doubles, which must be a multiple of four.
    func predictAffine(_ x: UnsafePointer<Double>) -> (mean: Double, spread: Double) {
        withWeights { theta, matrix, scale in
            let (mean, spread) = SmallKernels.predictAffine(
                theta: theta, inverse: matrix, x, length: size &- 1, stride: stride)
            return (mean, scale * spread)
        } ?? (0, 0)
    }

    /// `x'A x` for sizes that are not a multiple of four, since the last block of columns could
    /// exceed the matrix.
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
        let layout = layout
        return Array(storage[layout.theta..<(layout.theta + size)])
    }

    /// One weight, without making an array.
    func weight(_ index: Int) -> Double {
        storage[layout.theta + index]
    }

    /// The trace of `A^-1`, the total uncertainty of the weights.
    var uncertainty: Double {
        let layout = layout
        var sum = 0.0
        for index in 0..<size { sum += storage[layout.inverse + index * (stride + 1)] }
        return inverseScale * sum
    }

    /// `A` of prior and data.
    var precision: Matrix {
        let layout = layout
        return matrix { row, column in
            let place = max(row, column) + min(row, column) * stride
            return storage[layout.priorPrecision + place] + scale * storage[layout.gram + place]
        }
    }

    /// `b` of prior and data.
    public var moment: [Double] {
        let layout = layout
        return (0..<size).map {
            storage[layout.priorMoment + $0] + scale * storage[layout.moment + $0]
        }
    }

    /// `A^-1` as decisions use it.
    var covariance: Matrix {
        let layout = layout
        return matrix { inverseScale * storage[layout.inverse + $0 + $1 * stride] }
    }

    private func matrix(_ element: (Int, Int) -> Double) -> Matrix {
        var result = Matrix(rows: size, columns: size)
        for column in 0..<size {
            for row in 0..<size { result[row, column] = element(row, column) }
        }
        return result
    }

    private var layout: Layout { Layout(start: start, size: size, stride: stride) }

    /// Offsets into `storage`: five square matrices, then vectors.
    ///
    /// Only the lower triangle of the data's A is valid.
    private struct Layout {
        let priorPrecision: Int
        let gram: Int
        let inverse: Int
        let factor: Int
        let work: Int
        let priorMoment: Int
        let moment: Int
        let theta: Int
        let scratch: Int
        let count: Int

        @inline(__always)
        init(start: Int, size: Int, stride: Int) {
            let square = size &* stride
            priorPrecision = start
            gram = start &+ square
            inverse = start &+ 2 &* square
            factor = start &+ 3 &* square
            work = start &+ 4 &* square
            priorMoment = start &+ 5 &* square
            moment = priorMoment &+ stride
            theta = moment &+ stride
            scratch = theta &+ stride
            count = scratch &+ stride &- start
        }
    }
}
