public import CKernels

/// Kernels for small symmetric matrices, without allocation and without BLAS: below a size of about
/// 64 a call to BLAS costs more than the computation.
///
/// Matrices are column-major with `stride` doubles per column, and vectors have `stride` elements;
/// `stride` is the size rounded up to a multiple of four, and the padding is zero, so that every
/// loop runs over whole vectors. The kernels of decisions and updates are in C, where the compiler
/// builds them for AVX2 and for the baseline processor; results are equal on both.
public enum SmallKernels {
    @usableFromInline typealias Lanes = SIMD4<Double>

    /// The size rounded up to whole vectors.
    @inlinable
    public static func stride(_ size: Int) -> Int { (size &+ 3) & ~3 }

    @inline(__always)
    static func load(_ pointer: UnsafePointer<Double>, _ index: Int) -> Lanes {
        UnsafeRawPointer(pointer + index).loadUnaligned(as: Lanes.self)
    }
    @inline(__always)
    static func store(_ value: Lanes, _ pointer: UnsafeMutablePointer<Double>, _ index: Int) {
        UnsafeMutableRawPointer(pointer + index).storeBytes(of: value, as: Lanes.self)
    }
    @inline(__always)
    static func sum(_ v: Lanes) -> Double { (v[0] + v[2]) + (v[1] + v[3]) }

    /// `x'y` over `length` elements, a multiple of four.
    public static func dot(
        _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, length: Int
    ) -> Double {
        var total = Lanes(repeating: 0)
        var index = 0
        while index < length {
            total += load(x, index) * load(y, index)
            index &+= 4
        }
        return sum(total)
    }

    /// `x'A x` for symmetric A, from its lower triangle by blocks of four; it stores nothing.
    ///
    /// - Parameter length: elements of x to use, a multiple of four.
    public static func quadraticForm(
        _ a: UnsafePointer<Double>, _ x: UnsafePointer<Double>, length: Int, stride: Int
    ) -> Double {
        var total = Lanes(repeating: 0)
        var row = 0
        while row < length {
            // Four columns go into four sums, so that additions do not depend on each other.
            var s0 = Lanes(repeating: 0)
            var s1 = s0
            var s2 = s0
            var s3 = s0
            var column = a + row
            var index = 0
            while index < row {
                s0 += Lanes(repeating: x[index]) * load(column, 0)
                s1 += Lanes(repeating: x[index &+ 1]) * load(column, stride)
                s2 += Lanes(repeating: x[index &+ 2]) * load(column, 2 &* stride)
                s3 += Lanes(repeating: x[index &+ 3]) * load(column, 3 &* stride)
                column += 4 &* stride
                index &+= 4
            }
            let below = (s0 + s1) + (s2 + s3)
            // The block on the diagonal counts once, and elements below it twice.
            s0 = Lanes(repeating: x[index]) * load(column, 0)
            s1 = Lanes(repeating: x[index &+ 1]) * load(column, stride)
            s2 = Lanes(repeating: x[index &+ 2]) * load(column, 2 &* stride)
            s3 = Lanes(repeating: x[index &+ 3]) * load(column, 3 &* stride)
            total += load(x, row) * ((below + below) + ((s0 + s1) + (s2 + s3)))
            row &+= 4
        }
        return sum(total)
    }

    /// `theta'(x, 1)` and `(x, 1)'P(x, 1)` for symmetric P.
    ///
    /// - Parameters:
    ///   - theta: `length + 1` weights.
    ///   - p: `length + 1` columns.
    ///   - length: elements of x, a multiple of four.
    public static func predictAffine(
        theta: UnsafePointer<Double>, inverse p: UnsafePointer<Double>, _ x: UnsafePointer<Double>,
        length: Int, stride: Int
    ) -> (mean: Double, spread: Double) {
        let last = p + length &* stride
        return (
            dot(theta, x, length: length) + theta[length],
            quadraticForm(p, x, length: length, stride: stride)
                + 2 * dot(last, x, length: length) + last[length]
        )
    }

    /// `A = A + w x x'` on the lower triangle; it works by whole vectors, so elements above it may
    /// change.
    public static func addOuter(
        _ a: UnsafeMutablePointer<Double>, _ x: UnsafePointer<Double>, weight: Double = 1,
        size: Int, stride: Int
    ) {
        ck_add_outer_lower(a, x, weight, size, stride)
    }

    /// Updates the inverse and the solution for one more observation of weight w, with older ones
    /// discounted by `decay`.
    ///
    /// `P = A^-1` and `theta = A^-1 b` become those of `decay A + w x x'` and `decay b + w x y`: `P
    /// = (P - v v' / s) / decay` with `v = P x`, `s = decay / w + x'v`, and `theta = theta + v (y -
    /// theta'x) / s`. The result is exactly symmetric. Source: Sherman and Morrison, 1950;
    /// recursive least squares with forgetting, Haykin, "Adaptive Filter Theory", chapter 10.
    ///
    /// - Parameter scratch: `stride` doubles.
    /// - Returns: `s`; if it is not positive or not finite, nothing was changed.
    @discardableResult
    public static func recursiveLeastSquares(
        inverse p: UnsafeMutablePointer<Double>, theta: UnsafeMutablePointer<Double>,
        _ x: UnsafePointer<Double>, target: Double, weight: Double = 1, decay: Double, size: Int,
        stride: Int, scratch: UnsafeMutablePointer<Double>
    ) -> Double {
        ck_observe(p, theta, x, target, weight, decay, size, stride, scratch)
    }

    /// The result of adding an observation.
    public enum Taken: Sendable {
        /// A number is not finite, or the weight not above zero; nothing changed.
        case refused
        /// A and b contain it; inverse and theta have to be recomputed.
        case pending
        case taken
    }

    /// Adds one observation to a regression, without discounting: to the lower triangle of `A` and
    /// to `b` with weight `share`, and to inverse and theta like `recursiveLeastSquares` with
    /// `weight`.
    ///
    /// - Parameter inverse: nil leaves inverse and theta unchanged.
    @inlinable
    public static func take(
        gram: UnsafeMutablePointer<Double>, moment: UnsafeMutablePointer<Double>,
        inverse: UnsafeMutablePointer<Double>?, theta: UnsafeMutablePointer<Double>,
        _ x: UnsafePointer<Double>, target: Double, weight: Double, share: Double, size: Int,
        stride: Int, scratch: UnsafeMutablePointer<Double>
    ) -> Taken {
        switch ck_take(
            gram, moment, inverse, theta, x, target, weight, share, size, stride, scratch)
        {
        case 0: .refused
        case 1: .pending
        default: .taken
        }
    }

    /// The most candidates of `score`, which is also the stride of its rows of means.
    public static let candidateLimit = 16

    /// Linear scores of candidates for features x and a constant: `theta'(x, 1)` for each of
    /// `models` vectors of weights, and `(x, 1)'P(x, 1)` if P is given.
    ///
    /// - Parameters:
    ///   - theta: `models` vectors of `size + 1` weights, `stride` apart.
    ///   - p: symmetric, `size + 1` columns `stride` apart.
    ///   - size: features, a multiple of four, at most 24.
    ///   - x: features of the first candidate; the next ones follow every `step` doubles.
    ///   - count: candidates, 1...16.
    ///   - means: `models` rows of 16.
    ///   - spreads: 16 elements; not written without P.
    @inlinable
    public static func score(
        theta: UnsafePointer<Double>, models: Int, p: UnsafePointer<Double>?, size: Int,
        stride: Int, x: UnsafePointer<Double>, step: Int, count: Int,
        means: UnsafeMutablePointer<Double>, spreads: UnsafeMutablePointer<Double>
    ) {
        ck_score(theta, models, p, size, stride, x, step, count, means, spreads)
    }

    /// Natural logarithms of positive normal numbers, in whole groups of four.
    @inlinable
    public static func logarithms(
        _ x: UnsafePointer<Double>, into result: UnsafeMutablePointer<Double>, count: Int
    ) {
        ck_log(x, result, count)
    }

    /// Exponentials of finite numbers, clamped to exp(-700...700), in whole groups of four.
    static func exponentials(
        _ x: UnsafePointer<Double>, into result: UnsafeMutablePointer<Double>, count: Int
    ) {
        ck_exp(x, result, count)
    }

    /// The instruction set in use, for measurements.
    public static var target: String { String(cString: ck_target()) }
}
