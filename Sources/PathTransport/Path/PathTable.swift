import PathTelemetry

/// The paths of a connection, each used in place.
///
/// A path is several kilobytes. An array would copy it for every getter; this table lends its
/// elements, which are not copyable.
struct PathTable: ~Copyable {
    private let base: UnsafeMutablePointer<Path>
    private(set) var count = 0
    /// The only path that may carry data, if the policy is bound to one.
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

// Only the table owns the memory, so it may move to another thread.
extension PathTable: @unchecked Sendable {}
