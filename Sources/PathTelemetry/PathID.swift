/// The number of a path within one connection; also part of every packet's nonce.
public struct PathID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The most paths of a connection at once.
    public static let limit = 16

    /// `0 ..< limit`.
    public var rawValue: UInt8

    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    @inlinable
    public init(_ index: Int) { rawValue = UInt8(truncatingIfNeeded: index) }

    /// The number as an index into per-path arrays.
    @inlinable
    public var index: Int { Int(rawValue) }

    @inlinable
    public static func < (left: PathID, right: PathID) -> Bool { left.rawValue < right.rawValue }
}

/// A set of paths.
///
/// As a policy's action it is the paths that carry a copy each; empty means *wait*.
public struct PathSet: OptionSet, Hashable, Sendable {
    public var rawValue: UInt16

    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    /// The set of one path.
    @inlinable
    public init(_ path: PathID) { rawValue = 1 &<< UInt16(path.rawValue) }

    /// The action of waiting.
    @inlinable
    public static var wait: PathSet { PathSet(rawValue: 0) }

    /// Whether the path is in the set.
    @inlinable
    public func contains(_ path: PathID) -> Bool { rawValue & (1 &<< UInt16(path.rawValue)) != 0 }
    /// The number of paths in the set.
    @inlinable
    public var count: Int { rawValue.nonzeroBitCount }
    /// The path with the lowest number, or nil for the empty set.
    @inlinable
    public var first: PathID? {
        rawValue == 0 ? nil : PathID(rawValue: UInt8(rawValue.trailingZeroBitCount))
    }
    /// Removes and returns the path with the lowest number.
    @inlinable
    public mutating func popFirst() -> PathID? {
        guard let path = first else { return nil }
        rawValue &= rawValue &- 1
        return path
    }
}
