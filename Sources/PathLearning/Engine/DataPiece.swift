/// A byte range of one stream or message, which a packet of a burst carries.
public struct DataPiece: Sendable, Equatable {
    /// The stream or message; their keys are distinct.
    let owner: UInt64
    var lower: UInt64
    var upper: UInt64

    /// Makes a range of a stream, by its number.
    public init(stream: UInt64, offset: UInt64, length: Int) {
        owner = stream << 1
        lower = offset
        upper = offset &+ UInt64(max(0, length))
    }

    /// Makes a range of a message, by its number; an empty message counts as one byte.
    public init(message: UInt64, offset: Int, length: Int) {
        owner = message << 1 | 1
        lower = UInt64(max(0, offset))
        upper = lower &+ UInt64(max(1, length))
    }

    var isEmpty: Bool { lower >= upper }
    /// How many bytes there are.
    var count: UInt64 { upper &- lower }

    /// Whether the ranges overlap.
    func overlaps(_ other: DataPiece) -> Bool {
        owner == other.owner && lower < other.upper && upper > other.lower
    }
}
