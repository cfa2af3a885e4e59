import PathTelemetry

/// The paths of a connection, each used where it lies.
///
/// A path is several kilobytes. An array would hand out copies to every getter; this table lends
/// its elements, and they cannot be copied at all.
struct PathTable: ~Copyable {
    private let base: UnsafeMutablePointer<Path>
    private(set) var count = 0
    /// The one path that may carry data, where the policy is bound to it.
    let boundPath: PathID?

    init(boundPath: PathID?) {
        self.boundPath = boundPath
        base = .allocate(capacity: PathID.limit)
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    var isEmpty: Bool { count == 0 }
    var indices: Range<Int> { 0..<count }

    subscript(index: Int) -> Path {
        @inline(__always)
        unsafeAddress {
            precondition(index >= 0 && index < count, "no such path")
            return UnsafePointer(base + index)
        }
        @inline(__always)
        unsafeMutableAddress {
            precondition(index >= 0 && index < count, "no such path")
            return base + index
        }
    }

    /// Adds a path; there are never more than `PathID.limit`.
    mutating func append(_ path: consuming Path) {
        precondition(count < PathID.limit, "more paths than there are numbers")
        (base + count).initialize(to: path)
        count += 1
    }
}

// The memory is the table's alone, so the table may move to another thread.
extension PathTable: @unchecked Sendable {}
