import CKernels

/// Weighted means and the weighted scatter matrix about them, of streamed rows.
///
/// Rows are collected in column-major blocks; each block is centred by its own means before `syrk`,
/// and blocks and accumulators are merged by the formula for two samples. So columns with a large
/// mean and a small variance keep their precision (plain sums of products lose it), and merged
/// parts from different machines equal one pass, within rounding. Source: Chan, Golub and LeVeque,
/// "Algorithms for computing the sample variance", 1983.
public struct CentredMoments: Sendable {
    public let columns: Int
    /// Number of rows added.
    public private(set) var count: UInt64 = 0
    /// Sum of their weights.
    public private(set) var weight = 0.0

    private var means: [Double]
    /// `sum w (x - mean)(x - mean)'`, lower triangle.
    private var scatter: Matrix

    private let gram: GramBlock
    /// Empty until the first row, as sums that are only stored or merged need no block.
    private var block: [Double]
    private var weights: [Double]
    private var filled = 0

    /// - Precondition: `columns` is above zero.
    public init(columns: Int) {
        precondition(columns > 0)
        self.columns = columns
        gram = GramBlock(columns: columns)
        means = [Double](repeating: 0, count: columns)
        scatter = Matrix(rows: columns, columns: columns)
        block = []
        weights = []
    }

    // MARK: Handle

    /// Adds one row.
    ///
    /// - Returns: false, with nothing changed, if the row has the wrong length, a number is not
    ///   finite, or the weight is negative. A row of weight zero is accepted without effect on the
    ///   sums.
    @discardableResult
    public mutating func add(_ row: UnsafeBufferPointer<Double>, weight: Double = 1) -> Bool {
        guard row.count == columns, weight >= 0, weight.isFinite, let values = row.baseAddress,
            ck_finite(values, columns) != 0
        else { return false }
        let slot = filled
        if slot == 0, block.isEmpty {
            block = [Double](repeating: 0, count: gram.room)
            weights = [Double](repeating: 0, count: gram.capacity)
        }
        block.withUnsafeMutableBufferPointer { block in
            for column in 0..<columns {
                block[gram.place(row: slot, column: column)] = values[column]
            }
        }
        weights[slot] = weight
        filled += 1
        count &+= 1
        if filled == gram.capacity { flush() }
        return true
    }

    /// Adds one row.
    @discardableResult
    public mutating func add(_ row: [Double], weight: Double = 1) -> Bool {
        row.withUnsafeBufferPointer { add($0, weight: weight) }
    }

    /// Adds all rows of another accumulator with the same number of columns.
    public mutating func merge(_ other: CentredMoments) throws(DenseMathError) {
        guard other.columns == columns else {
            throw .dimensionMismatch(
                operation: "CentredMoments.merge", expected: "\(columns) columns",
                actual: "\(other.columns)")
        }
        var other = other
        other.flush()
        flush()
        merge(weight: other.weight, means: other.means, scatter: other.scatter.elements)
        count &+= other.count
    }

    // MARK: Read

    /// Weighted means, and the scatter about them with both triangles filled.
    public func result() -> (means: [Double], scatter: Matrix) {
        var whole = self
        whole.flush()
        whole.scatter.mirrorLower()
        return (whole.means, whole.scatter)
    }

    /// The sum of the weights, including rows that are still in the block.
    public var totalWeight: Double {
        var sum = weight
        for slot in 0..<filled { sum += weights[slot] }
        return sum
    }

    // MARK: State

    /// The complete state, as numbers that a file can store.
    public struct State: Sendable, Equatable {
        public var count: UInt64
        public var weight: Double
        /// One mean per column.
        public var means: [Double]
        /// Scatter about the means, with both triangles.
        public var scatter: Matrix

        public init(count: UInt64, weight: Double, means: [Double], scatter: Matrix) {
            self.count = count
            self.weight = weight
            self.means = means
            self.scatter = scatter
        }
    }

    /// The state, from which `init(_:)` continues with the same bits.
    public var state: State {
        var whole = self
        whole.flush()
        whole.scatter.mirrorLower()
        return State(
            count: whole.count, weight: whole.weight, means: whole.means, scatter: whole.scatter)
    }

    /// Continues from a state.
    ///
    /// - Throws: `DenseMathError` if sizes differ, a number is not finite, or the weight or a
    ///   variance is negative.
    public init(_ state: State) throws(DenseMathError) {
        let columns = state.means.count
        guard columns > 0, state.scatter.rows == columns, state.scatter.columns == columns else {
            throw .dimensionMismatch(
                operation: "CentredMoments", expected: "\(columns) x \(columns)",
                actual: "\(state.scatter.rows) x \(state.scatter.columns)")
        }
        var isSound = state.weight >= 0 && state.weight.isFinite && state.scatter.isFinite
        for index in 0..<columns {
            if !state.means[index].isFinite || state.scatter[index, index] < 0 { isSound = false }
        }
        guard isSound else { throw .nonFinite(operation: "moments from a state") }
        self.init(columns: columns)
        count = state.count
        weight = state.weight
        means = state.means
        scatter = state.scatter
    }

    // MARK: Blocks

    private mutating func flush() {
        let rows = filled
        filled = 0
        var total = CompensatedSum()
        for slot in 0..<rows { total.add(weights[slot]) }
        let blockWeight = total.value
        guard blockWeight > 0 else { return }
        var blockMeans = [Double](repeating: 0, count: columns + 3)
        var sums = [Double](repeating: 0, count: gram.sumsRoom)
        var blockScatter = [Double](repeating: 0, count: columns * columns)
        let isWeighted = weights[..<rows].contains { $0 != 1 }
        let roots = isWeighted ? weights[..<rows].map { $0.squareRoot() } : []
        block.withUnsafeMutableBufferPointer { block in
            guard let base = block.baseAddress else { return }
            if isWeighted {
                gram.centre(
                    base, rows: rows, weights: weights, roots: roots, total: blockWeight,
                    means: &blockMeans)
            } else {
                gram.centre(
                    base, rows: rows, weights: nil, roots: nil, total: blockWeight,
                    means: &blockMeans)
            }
            gram.add(base, rows: rows, into: &sums)
        }
        gram.addLower(sums, into: &blockScatter, width: columns)
        merge(weight: blockWeight, means: blockMeans, scatter: blockScatter)
    }

    private mutating func merge(weight other: Double, means: [Double], scatter: [Double]) {
        guard other > 0 else { return }
        let total = weight + other
        let share = other / total
        let factor = weight * share
        let size = columns
        let difference = (0..<size).map { means[$0] - self.means[$0] }
        self.scatter.elements.withUnsafeMutableBufferPointer { target in
            for column in 0..<size {
                let scaled = factor * difference[column]
                for row in column..<size {
                    target[row &+ column &* size] +=
                        scatter[row &+ column &* size] + scaled * difference[row]
                }
            }
        }
        for index in 0..<size { self.means[index] += share * difference[index] }
        weight = total
    }
}
