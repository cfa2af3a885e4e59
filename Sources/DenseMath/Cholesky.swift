/// The factorisation `A = L L'` of a symmetric positive definite matrix.
///
/// It uses our own kernel up to 64 columns, and blocks of 64 with BLAS beyond that (Golub and Van
/// Loan, "Matrix Computations", algorithm 4.2.x, right-looking).
public struct Cholesky: Sendable {
    private static let block = 64

    /// L in the lower triangle; the upper one is zero.
    public let factor: Matrix
    /// Addition to the diagonal that was needed to factor it; usually zero.
    public let jitter: Double
    /// 1-norm of the matrix, for the estimate of the condition number.
    private let norm: Double

    public var size: Int { factor.rows }

    /// Reads only the lower triangle.
    public init(_ matrix: Matrix) throws(DenseMathError) {
        try self.init(matrix, jitter: 0)
    }

    /// Factors the matrix after adding the smallest ridge that suffices.
    ///
    /// It tries 0, 1e-12, 1e-10, 1e-8, 1e-6 and 1e-4 times the mean diagonal, until the matrix is
    /// positive definite with a condition number below 1e14.
    public static func regularized(_ matrix: Matrix) throws(DenseMathError) -> Cholesky {
        var mean = 0.0
        for index in 0..<min(matrix.rows, matrix.columns) { mean += matrix[index, index].magnitude }
        mean /= Double(max(1, matrix.rows))
        var refusal = DenseMathError.notPositiveDefinite(column: 0, pivot: 0)
        for relative in [0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4] {
            do throws(DenseMathError) {
                let result = try Cholesky(matrix, jitter: relative * mean)
                if result.reciprocalCondition > 1e-14 { return result }
            } catch {
                guard case .notPositiveDefinite = error else { throw error }
                refusal = error
            }
        }
        throw refusal
    }

    private init(_ matrix: Matrix, jitter: Double) throws(DenseMathError) {
        guard matrix.rows == matrix.columns else {
            throw .dimensionMismatch(
                operation: "Cholesky", expected: "a square matrix",
                actual: "\(matrix.rows) x \(matrix.columns)")
        }
        guard matrix.isFinite, jitter.isFinite else { throw .nonFinite(operation: "Cholesky") }
        var work = matrix
        let size = matrix.rows
        for column in 0..<size {
            work[column, column] += jitter
            for row in 0..<column { work[row, column] = 0 }
        }
        var whole = work
        whole.mirrorLower()
        norm = whole.norm1
        let failed = work.elements.withUnsafeMutableBufferPointer { buffer -> Int? in
            guard let base = buffer.baseAddress else { return nil }
            return Cholesky.factorBlocks(base, size: size)
        }
        if let failed {
            throw .notPositiveDefinite(column: failed, pivot: work[failed, failed])
        }
        factor = work
        self.jitter = jitter
    }

    private static func factorBlocks(_ a: UnsafeMutablePointer<Double>, size: Int) -> Int? {
        var start = 0
        while start < size {
            let width = min(block, size - start)
            let corner = a + start + start * size
            if let column = SmallCholesky.factor(corner, size: width, stride: size) {
                return start + column
            }
            let rest = size - start - width
            if rest > 0 {
                BLAS.solvePanel(
                    lower: corner, size: width, panel: corner + width, rows: rest, stride: size)
                BLAS.downdate(
                    corner + width + width * size, size: rest, panel: corner + width,
                    columns: width, stride: size)
            }
            start += width
        }
        return nil
    }

    /// The solution of `A x = b`.
    public func solve(_ b: [Double]) throws(DenseMathError) -> [Double] {
        guard b.count == size else {
            throw .dimensionMismatch(
                operation: "Cholesky.solve", expected: "\(size) elements", actual: "\(b.count)")
        }
        var x = b
        withFactor { l in
            SmallCholesky.forward(l, &x, size: size, stride: size)
            SmallCholesky.backward(l, &x, size: size, stride: size)
        }
        return x
    }

    /// `A^-1`, exactly symmetric.
    public func inverse() -> Matrix {
        var result = Matrix(rows: size, columns: size)
        withFactor { l in
            SmallCholesky.invert(l, size: size, stride: size, into: &result.elements)
        }
        return result
    }

    /// `ln det A`.
    var logDeterminant: Double {
        var sum = CompensatedSum()
        for index in 0..<size { sum.add(2 * logarithm(factor[index, index])) }
        return sum.value
    }

    /// An estimate of `1 / (norm1(A) norm1(A^-1))`, which is never far below the true value.
    ///
    /// Source: Higham, "FORTRAN codes for estimating the one-norm", 1988, algorithm 4.1 (the
    /// method of LAPACK's dpocon).
    public var reciprocalCondition: Double {
        guard size > 0, norm > 0 else { return 0 }
        var x = [Double](repeating: 1 / Double(size), count: size)
        var estimate = 0.0
        withFactor { l in
            for _ in 0..<5 {
                SmallCholesky.forward(l, &x, size: size, stride: size)
                SmallCholesky.backward(l, &x, size: size, stride: size)
                var sum = 0.0
                for value in x { sum += value.magnitude }
                guard sum > estimate else { break }
                estimate = sum
                for index in 0..<size { x[index] = x[index] < 0 ? -1 : 1 }
                SmallCholesky.forward(l, &x, size: size, stride: size)
                SmallCholesky.backward(l, &x, size: size, stride: size)
                var largest = 0
                for index in 0..<size where x[index].magnitude > x[largest].magnitude {
                    largest = index
                }
                for index in 0..<size { x[index] = index == largest ? 1 : 0 }
            }
        }
        return estimate > 0 && estimate.isFinite ? min(1, 1 / (norm * estimate)) : 0
    }

    private func withFactor(_ body: (UnsafePointer<Double>) -> Void) {
        factor.elements.withUnsafeBufferPointer { buffer in
            if let base = buffer.baseAddress { body(base) }
        }
    }
}
