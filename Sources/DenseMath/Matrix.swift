/// A dense matrix of doubles in column-major order, the order of BLAS.
public struct Matrix: Sendable, Equatable {
    public let rows: Int
    public let columns: Int
    /// Element (i, j) is at `i + j * rows`.
    public var elements: [Double]

    /// Makes a matrix of zeros.
    ///
    /// - Precondition: sizes are not negative.
    public init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        elements = [Double](repeating: 0, count: rows * columns)
    }

    /// Makes a matrix from elements in column-major order.
    public init(rows: Int, columns: Int, elements: [Double]) throws(DenseMathError) {
        let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
        guard rows >= 0, columns >= 0, !overflow, elements.count == count else {
            throw .dimensionMismatch(
                operation: "Matrix", expected: "\(rows) x \(columns) elements",
                actual: "\(elements.count)")
        }
        self.rows = rows
        self.columns = columns
        self.elements = elements
    }

    /// Makes a square matrix with one number on the diagonal.
    public init(diagonal: Double, size: Int) {
        self.init(rows: size, columns: size)
        for index in 0..<size { self[index, index] = diagonal }
    }

    /// An element; both indices count from zero and are bounds-checked.
    public subscript(row: Int, column: Int) -> Double {
        get {
            precondition(row >= 0 && row < rows && column >= 0 && column < columns)
            return elements[row &+ column &* rows]
        }
        set {
            precondition(row >= 0 && row < rows && column >= 0 && column < columns)
            elements[row &+ column &* rows] = newValue
        }
    }

    public var isFinite: Bool { elements.allSatisfy(\.isFinite) }

    /// Copies the lower triangle of a square matrix to the upper one.
    public mutating func mirrorLower() {
        for column in 0..<min(rows, columns) {
            for row in (column + 1)..<max(column + 1, rows) {
                elements[column + row * rows] = elements[row + column * rows]
            }
        }
    }

    /// Largest sum of magnitudes of a column.
    var norm1: Double {
        var largest = 0.0
        for column in 0..<columns {
            var sum = 0.0
            for row in 0..<rows { sum += elements[row + column * rows].magnitude }
            largest = sum > largest || sum.isNaN ? sum : largest
        }
        return largest
    }
}
