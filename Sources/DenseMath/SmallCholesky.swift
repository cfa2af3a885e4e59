import CKernels

/// Cholesky factorisation in memory of the caller, without allocation.
public enum SmallCholesky {
    /// Replaces the lower triangle of A by L with `A = L L'`; the upper triangle is not changed.
    ///
    /// The algorithm is right-looking, by columns.
    /// - Returns: nil, or the first column whose pivot is not positive.
    public static func factor(
        _ a: UnsafeMutablePointer<Double>, size: Int, stride: Int
    ) -> Int? {
        let failed = ck_cholesky(a, size, stride)
        return failed < 0 ? nil : failed
    }

    /// `x = L^-1 x`.
    public static func forward(
        _ l: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>, size: Int, stride: Int
    ) {
        for column in 0..<size {
            let current = l + column &* stride
            let value = x[column] / current[column]
            x[column] = value
            guard value != 0 else { continue }
            var row = column &+ 1
            while row < size {
                x[row] -= value * current[row]
                row &+= 1
            }
        }
    }

    /// `x = L^-T x`.
    public static func backward(
        _ l: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>, size: Int, stride: Int
    ) {
        var column = size &- 1
        while column >= 0 {
            let current = l + column &* stride
            var value = x[column]
            var row = column &+ 1
            while row < size {
                value -= current[row] * x[row]
                row &+= 1
            }
            x[column] = value / current[column]
            column &-= 1
        }
    }

    /// Writes `(L L')^-1`, exactly symmetric and with zero padding.
    ///
    /// - Parameter scratch: `size * stride` doubles.
    public static func invert(
        _ l: UnsafePointer<Double>, size: Int, stride: Int,
        into inverse: UnsafeMutablePointer<Double>, scratch: UnsafeMutablePointer<Double>
    ) {
        ck_invert(l, size, stride, inverse, scratch)
    }

    /// The same with its own scratch memory.
    public static func invert(
        _ l: UnsafePointer<Double>, size: Int, stride: Int,
        into inverse: UnsafeMutablePointer<Double>
    ) {
        withUnsafeTemporaryAllocation(of: Double.self, capacity: max(1, size * stride)) {
            if let scratch = $0.baseAddress {
                ck_invert(l, size, stride, inverse, scratch)
            }
        }
    }
}
