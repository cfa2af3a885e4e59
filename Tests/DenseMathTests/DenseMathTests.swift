import Testing

@testable import DenseMath

/// A deterministic source of numbers in -1 ..< 1.
struct Numbers {
    var state: UInt64
    mutating func next() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(Int64(bitPattern: state) >> 11) * 0x1p-52
    }
    mutating func matrix(_ rows: Int, _ columns: Int) -> Matrix {
        var m = Matrix(rows: rows, columns: columns)
        for index in m.elements.indices { m.elements[index] = next() }
        return m
    }
    /// A random Gram matrix with a tenth on the diagonal.
    mutating func positiveDefinite(_ size: Int) throws -> Matrix {
        var result = Matrix(diagonal: 0.1, size: size)
        try BLAS.gram(matrix(size + 3, size), beta: 1, into: &result)
        result.mirrorLower()
        return result
    }
}

func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
}

/// `A x`, written out.
func times(_ a: Matrix, _ x: [Double]) -> [Double] {
    (0..<a.rows).map { row in (0..<a.columns).reduce(0) { $0 + a[row, $1] * x[$1] } }
}

@Suite struct BLASTests {
    @Test func oneThread() {
        #expect(BLAS.threads == 1)
        #expect(BLAS.coreName != "unknown")
    }

    @Test func productsOfKnownMatrices() throws {
        let a = try Matrix(rows: 2, columns: 3, elements: [1, 4, 2, 5, 3, 6])
        var c = Matrix(rows: 2, columns: 2)
        try BLAS.gemm(a, a, transposeB: true, into: &c)
        #expect(c.elements == [14, 32, 32, 77])
        var gram = Matrix(rows: 3, columns: 3)
        try BLAS.gram(a, into: &gram)
        gram.mirrorLower()
        #expect(gram.elements == [17, 22, 27, 22, 29, 36, 27, 36, 45])
    }

    @Test func sizesThatDoNotFitAreRefused() {
        let a = Matrix(rows: 2, columns: 3)
        var c = Matrix(rows: 2, columns: 2)
        #expect(throws: DenseMathError.self) { try BLAS.gemm(a, a, into: &c) }
        #expect(throws: DenseMathError.self) { try Matrix(rows: 2, columns: .max, elements: []) }
        #expect(throws: DenseMathError.self) { try Cholesky(a) }
    }
}

@Suite struct CholeskyTests {
    @Test(arguments: [1, 2, 5, 24, 25, 63, 64, 65, 130, 200])
    func solvesWhatItFactored(size: Int) throws {
        var numbers = Numbers(state: UInt64(size))
        let a = try numbers.positiveDefinite(size)
        let x = (0..<size).map { _ in numbers.next() }
        let b = times(a, x)
        let factor = try Cholesky(a)
        #expect(largestDifference(try factor.solve(b), x) < 1e-9)

        var product = Matrix(rows: size, columns: size)
        try BLAS.gemm(factor.factor, factor.factor, transposeB: true, into: &product)
        #expect(largestDifference(product.elements, a.elements) < 1e-12 * Double(size))

        let inverse = factor.inverse()
        try BLAS.gemm(a, inverse, into: &product)
        #expect(
            largestDifference(product.elements, Matrix(diagonal: 1, size: size).elements) < 1e-9)
        // The estimate is exact or a little optimistic (Higham: within a factor of three).
        let truth = 1 / (a.norm1 * inverse.norm1)
        #expect(factor.reciprocalCondition >= truth * 0.999)
        #expect(factor.reciprocalCondition <= truth * 3)
    }

    @Test func determinantOfADiagonal() throws {
        var a = Matrix(rows: 2, columns: 2)
        a[0, 0] = 4
        a[1, 1] = 0.5
        #expect((try Cholesky(a).logDeterminant - 0.6931471805599453).magnitude < 1e-15)
    }

    @Test func singularMatricesNameTheColumnAndAreMendedByJitter() throws {
        let a = try Matrix(rows: 2, columns: 2, elements: [1, 1, 1, 1])
        #expect(throws: DenseMathError.notPositiveDefinite(column: 1, pivot: 0)) {
            try Cholesky(a)
        }
        let mended = try Cholesky.regularized(a)
        #expect(mended.jitter > 0 && mended.jitter <= 1e-8)
        let x = try mended.solve([2, 2])
        #expect((x[0] - 1).magnitude < 1e-3 && (x[1] - 1).magnitude < 1e-3)
        var indefinite = a
        indefinite[1, 1] = -1
        #expect(throws: DenseMathError.self) { try Cholesky.regularized(indefinite) }
        var infinite = a
        infinite[0, 0] = .nan
        #expect(throws: DenseMathError.nonFinite(operation: "Cholesky")) {
            try Cholesky(infinite)
        }
    }
}

@Suite struct SmallKernelTests {
    @Test(arguments: [1, 3, 4, 8, 13, 16, 24, 25, 33, 64])
    func agreeWithBLAS(size: Int) throws {
        var numbers = Numbers(state: UInt64(size) + 100)
        let a = try numbers.positiveDefinite(size)
        let stride = SmallKernels.stride(size)
        var padded = [Double](repeating: 0, count: size * stride)
        for column in 0..<size {
            for row in 0..<size { padded[row + column * stride] = a[row, column] }
        }
        var x = [Double](repeating: 0, count: stride)
        for index in 0..<size { x[index] = numbers.next() }
        let short = Array(x.prefix(size))
        let expected = times(a, short)
        let y = expected + [Double](repeating: 0, count: stride - size)
        let whole = size & ~3
        var form = 0.0
        for column in 0..<whole {
            for row in 0..<whole { form += x[row] * x[column] * a[row, column] }
        }
        let kernel = SmallKernels.quadraticForm(padded, x, length: whole, stride: stride)
        #expect((kernel - form).magnitude < 1e-11)
        let product = SmallKernels.dot(x, y, length: stride)
        let truth = zip(short, expected).reduce(0) { $0 + $1.0 * $1.1 }
        #expect((product - truth).magnitude < 1e-11)

        // Recursive least squares against a fresh factorisation.
        let decay = 0.9
        var b = [Double](repeating: 0, count: size)
        for index in 0..<size { b[index] = numbers.next() }
        var theta = try Cholesky(a).solve(b) + [Double](repeating: 0, count: stride - size)
        let inverse = try Cholesky(a).inverse()
        var p = [Double](repeating: 0, count: size * stride)
        for column in 0..<size {
            for row in 0..<size { p[row + column * stride] = inverse[row, column] }
        }
        var scratch = [Double](repeating: 0, count: stride)
        let s = SmallKernels.recursiveLeastSquares(
            inverse: &p, theta: &theta, x, target: 0.7, decay: decay, size: size, stride: stride,
            scratch: &scratch)
        #expect(s > 0)
        var later = a
        for column in 0..<size {
            b[column] = decay * b[column] + 0.7 * x[column]
            for row in 0..<size {
                later[row, column] = decay * a[row, column] + x[row] * x[column]
            }
        }
        let fresh = try Cholesky(later)
        #expect(largestDifference(Array(theta.prefix(size)), try fresh.solve(b)) < 1e-9)
        let freshInverse = fresh.inverse()
        var worst = 0.0
        var isSymmetric = true
        for column in 0..<size {
            for row in 0..<size {
                let value = p[row + column * stride]
                worst = max(worst, (value - freshInverse[row, column]).magnitude)
                if value != p[column + row * stride] { isSymmetric = false }
            }
        }
        #expect(worst < 1e-9)
        #expect(isSymmetric, "to the last bit")
    }

    @Test func anIndefiniteInverseIsLeftAlone() {
        var p = [-4.0, 0, 0, 0]
        var theta = [0.0, 0, 0, 0]
        var scratch = theta
        let s = SmallKernels.recursiveLeastSquares(
            inverse: &p, theta: &theta, [1, 0, 0, 0], target: 1, decay: 1, size: 1, stride: 4,
            scratch: &scratch)
        #expect(s <= 0)
        #expect(p[0] == -4 && theta[0] == 0)
    }
}

@Suite struct CompensatedSumTests {
    @Test func smallTermsAreNotLost() {
        var sum = CompensatedSum()
        sum.add(1e16)
        for _ in 0..<1000 { sum.add(0.1) }
        sum.add(-1e16)
        #expect((sum.value - 100).magnitude < 1e-9)
        var total = CompensatedSum()
        total.add(sum)
        total.add(sum)
        #expect((total.value - 200).magnitude < 1e-9)
    }
}
