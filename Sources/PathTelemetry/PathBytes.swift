/// Bytes by path, stored inline; counts saturate.
public struct PathBytes: Sendable, Equatable {
    private var counts = InlineArray<16, UInt32>(repeating: 0)
    /// The paths whose count is not zero.
    public private(set) var paths = PathSet.wait

    public init() {}

    @inlinable public var isEmpty: Bool { paths == .wait }

    /// The bytes of one path.
    public subscript(path: PathID) -> Int {
        path.index < PathID.limit ? Int(counts[path.index]) : 0
    }

    /// Adds bytes to a path; a negative number adds nothing.
    public mutating func add(_ bytes: Int, to path: PathID) {
        guard bytes > 0, path.index < PathID.limit else { return }
        let sum = Int(counts[path.index]).addingReportingOverflow(bytes)
        counts[path.index] = sum.overflow ? .max : UInt32(clamping: sum.partialValue)
        paths.insert(PathSet(path))
    }

    /// The bytes of all paths.
    public var total: Int {
        var sum = 0
        for index in counts.indices { sum += Int(counts[index]) }
        return sum
    }

    public static func == (left: PathBytes, right: PathBytes) -> Bool {
        for index in left.counts.indices where left.counts[index] != right.counts[index] {
            return false
        }
        return true
    }
}
