import Glibc

/// A stream of SplitMix64; one an aspect of one direction of one path.
///
/// Loss and jitter share a stream and draw from it exactly as the testbed's emulator does, so that
/// seed, path, direction and count of packets give the same losses there and here.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct LinkRandom: Sendable {
    private var state: UInt64

    init(state: UInt64) { self.state = state }

    /// The stream of loss and jitter.
    ///
    /// Hashed: a plain sum would give neighbouring seeds the same stream, shifted.
    init(seed: UInt64, path: Int, direction: LinkDirection) {
        let position = UInt64(truncatingIfNeeded: path) &* 2 &+ UInt64(direction.rawValue)
        state = LinkRandom.mix(LinkRandom.mix(seed) &+ position)
    }

    /// A one-to-one hash of 64 bits: the output function of SplitMix64.
    static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z &>> 31)
    }

    /// A stream of its own, whatever is drawn from this one afterwards.
    func branch(_ salt: UInt64) -> LinkRandom {
        LinkRandom(state: LinkRandom.mix(LinkRandom.mix(state ^ salt) &+ salt))
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return LinkRandom.mix(state)
    }

    /// Uniform in `[0, 1)`, 53 bits.
    mutating func uniform() -> Double { Double(next() &>> 11) * 0x1p-53 }

    /// Standard normal deviate, cut at four (Box and Muller 1958).
    mutating func normal() -> Double {
        let u = 1 - uniform()
        let v = uniform()
        let z = (-2 * log(u)).squareRoot() * cos(2 * Double.pi * v)
        return max(-4, min(4, z))
    }
}
