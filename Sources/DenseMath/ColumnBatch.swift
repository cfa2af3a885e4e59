/// Rows that are all in memory, a column an array: features, a target and, if any, weights.
///
/// The pointers are read while a call runs, and not kept.
public struct ColumnBatch {
    /// `features` columns, each `rows` long, one after the other `stride` apart.
    public let columns: UnsafePointer<Double>
    public let rows: Int
    public let features: Int
    public let stride: Int
    /// `rows` numbers.
    public let target: UnsafePointer<Double>
    /// `rows` numbers that are not negative, or nil for ones.
    public let weights: UnsafePointer<Double>?

    /// - Parameters:
    ///   - columns: `features` columns of `target.count` rows without gaps.
    /// - Throws: `DenseMathError.dimensionMismatch` when the counts do not fit.
    public init(
        columns: UnsafeBufferPointer<Double>, target: UnsafeBufferPointer<Double>,
        weights: UnsafeBufferPointer<Double>? = nil
    ) throws(DenseMathError) {
        let rows = target.count
        guard rows > 0, columns.count > 0, columns.count % rows == 0,
            weights == nil || weights?.count == rows, let first = columns.baseAddress,
            let targets = target.baseAddress
        else {
            throw .dimensionMismatch(
                operation: "ColumnBatch", expected: "whole columns of \(rows) rows",
                actual: "\(columns.count) elements, \(weights?.count ?? rows) weights")
        }
        self.columns = first
        self.rows = rows
        features = columns.count / rows
        stride = rows
        self.target = targets
        self.weights = weights?.baseAddress
    }
}
