/// The errors of this room.
public enum DenseMathError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The sizes of the operands do not match.
    case dimensionMismatch(operation: String, expected: String, actual: String)
    /// The pivot of this column is not positive: the matrix is singular or indefinite.
    case notPositiveDefinite(column: Int, pivot: Double)
    /// An operand contains a number that is not finite.
    case nonFinite(operation: String)

    public var description: String {
        switch self {
        case .dimensionMismatch(let operation, let expected, let actual):
            "\(operation): expected \(expected), got \(actual)"
        case .notPositiveDefinite(let column, let pivot):
            "not positive definite: pivot \(pivot) in column \(column); "
                + "add a ridge penalty or drop columns that depend on others"
        case .nonFinite(let operation):
            "\(operation): an operand is not finite; clean the data first"
        }
    }
}
