import COpenBLAS

/// Matrix products by OpenBLAS on one thread.
///
/// Callers that use several threads give each its own rows: for few columns OpenBLAS's own threads
/// cost more than they gain. Results may differ in the last bits between kinds of processor.
public enum BLAS {
    /// Evaluated before the first call of the library.
    private static let ready: Void = openblas_set_num_threads(1)

    /// The kernel that OpenBLAS selected for this processor, for measurements.
    public static var coreName: String {
        _ = ready
        return openblas_get_corename().map { String(cString: $0) } ?? "unknown"
    }

    /// The number of threads of the library, which is one.
    public static var threads: Int {
        _ = ready
        return Int(openblas_get_num_threads())
    }

    /// `C = alpha op(A) op(B) + beta C`.
    public static func gemm(
        alpha: Double = 1, _ a: Matrix, transposeA: Bool = false, _ b: Matrix,
        transposeB: Bool = false, beta: Double = 0, into c: inout Matrix
    ) throws(DenseMathError) {
        let m = transposeA ? a.columns : a.rows
        let k = transposeA ? a.rows : a.columns
        let n = transposeB ? b.rows : b.columns
        let inner = transposeB ? b.columns : b.rows
        guard k == inner, c.rows == m, c.columns == n else {
            throw .dimensionMismatch(
                operation: "gemm", expected: "(\(m) x \(k)) (\(k) x \(n))",
                actual: "B \(inner) x \(n), C \(c.rows) x \(c.columns)")
        }
        guard m > 0, n > 0 else { return }
        _ = ready
        cblas_dgemm(
            CblasColMajor, transposeA ? CblasTrans : CblasNoTrans,
            transposeB ? CblasTrans : CblasNoTrans, blasint(m), blasint(n), blasint(k), alpha,
            a.elements, blasint(max(1, a.rows)), b.elements, blasint(max(1, b.rows)), beta,
            &c.elements, blasint(max(1, c.rows)))
    }

    /// `C = alpha A'A + beta C`, lower triangle only.
    public static func gram(
        alpha: Double = 1, _ a: Matrix, beta: Double = 0, into c: inout Matrix
    ) throws(DenseMathError) {
        guard c.rows == a.columns, c.columns == a.columns else {
            throw .dimensionMismatch(
                operation: "gram", expected: "\(a.columns) x \(a.columns)",
                actual: "\(c.rows) x \(c.columns)")
        }
        gram(
            alpha: alpha, a.elements, rows: a.rows, stride: max(1, a.rows), columns: a.columns,
            beta: beta, into: &c.elements)
    }

    /// The same over the first `rows` rows of a block whose columns are `stride` apart.
    static func gram(
        alpha: Double, _ a: UnsafePointer<Double>, rows: Int, stride: Int, columns: Int,
        beta: Double, into c: UnsafeMutablePointer<Double>
    ) {
        guard columns > 0 else { return }
        _ = ready
        cblas_dsyrk(
            CblasColMajor, CblasLower, CblasTrans, blasint(columns), blasint(rows), alpha, a,
            blasint(stride), beta, c, blasint(columns))
    }

    /// `C = C + A'A`, lower triangle, of a column-major block whose columns are `stride` apart.
    ///
    /// - Parameters:
    ///   - c: `columns` columns of `width` doubles each.
    ///   - width: `columns` by default.
    public static func accumulateGram(
        _ a: UnsafePointer<Double>, rows: Int, stride: Int, columns: Int,
        into c: UnsafeMutablePointer<Double>, width: Int? = nil
    ) {
        guard columns > 0 else { return }
        _ = ready
        cblas_dsyrk(
            CblasColMajor, CblasLower, CblasTrans, blasint(columns), blasint(rows), 1, a,
            blasint(stride), 1, c, blasint(width ?? columns))
    }

    /// Initialises the library before several threads call it at once.
    static func prepare() { _ = ready }

    /// `B = B L^-T` for the rows of a panel; part of the blocked factorisation.
    static func solvePanel(
        lower: UnsafePointer<Double>, size: Int, panel: UnsafeMutablePointer<Double>, rows: Int,
        stride: Int
    ) {
        _ = ready
        cblas_dtrsm(
            CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, blasint(rows),
            blasint(size), 1, lower, blasint(stride), panel, blasint(stride))
    }

    /// `C = C - A A'`, lower triangle; part of the blocked factorisation.
    static func downdate(
        _ c: UnsafeMutablePointer<Double>, size: Int, panel: UnsafePointer<Double>, columns: Int,
        stride: Int
    ) {
        _ = ready
        cblas_dsyrk(
            CblasColMajor, CblasLower, CblasNoTrans, blasint(size), blasint(columns), -1, panel,
            blasint(stride), 1, c, blasint(stride))
    }
}
