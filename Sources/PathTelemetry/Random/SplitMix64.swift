/// SplitMix64: a counter and a one-to-one hash of it, 64 bits each.
///
/// It seeds `SeededGenerator`, and gives many short streams that are distinguished by a number,
/// such as one per link or per block of a bootstrap. It is not for keys. Source: Steele, Lea,
/// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
public struct SplitMix64: RandomNumberGenerator, Hashable, Sendable {
    /// The counter before the next number.
    public var state: UInt64

    @inlinable
    public init(state: UInt64) { self.state = state }

    @inlinable
    @inline(__always)
    public mutating func next() -> UInt64 {
        state &+= SplitMix64.increment
        return SplitMix64.mix(state)
    }

    /// The hash of one value; different values have different hashes.
    @inlinable
    @inline(__always)
    public static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z &>> 31)
    }

    /// The odd number nearest to 2^64 over the golden ratio.
    @inlinable
    @inline(__always)
    public static var increment: UInt64 { 0x9e37_79b9_7f4a_7c15 }
}
