/// Cholesky factorisation on memory of the caller's, without allocation.
public enum SmallCholesky {
    /// Replaces the lower triangle of A by L with `A = L L'`; the upper triangle stays as it is.
    ///
    /// Right-looking, column order.
    /// - Returns: nil, or the first column whose pivot is not positive.
    public static func factor(
        _ a: UnsafeMutablePointer<Double>, size: Int, stride: Int
    ) -> Int? {
        for column in 0..<size {
            let current = a + column &* stride
            let pivot = current[column]
            guard pivot > 0, pivot.isFinite else { return column }
            let root = pivot.squareRoot()
            current[column] = root
            let reciprocal = 1 / root
            var row = column &+ 1
            while row < size {
                current[row] *= reciprocal
                row &+= 1
            }
            var later = column &+ 1
            while later < size {
                let target = a + later &* stride
                let factor = current[later]
                row = later
                while row < size {
                    target[row] -= factor * current[row]
                    row &+= 1
                }
                later &+= 1
            }
        }
        return nil
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

    /// Writes `(L L')^-1`, both triangles alike to the last bit, padding zero.
    public static func invert(
        _ l: UnsafePointer<Double>, size: Int, stride: Int,
        into inverse: UnsafeMutablePointer<Double>
    ) {
        for column in 0..<size {
            let target = inverse + column &* stride
            for row in 0..<stride { target[row] = 0 }
            target[column] = 1
            forward(l, target, size: size, stride: stride)
            backward(l, target, size: size, stride: stride)
        }
        for column in 0..<size {
            var row = column &+ 1
            while row < size {
                inverse[column &+ row &* stride] = inverse[row &+ column &* stride]
                row &+= 1
            }
        }
    }
}
