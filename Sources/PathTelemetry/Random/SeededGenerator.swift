/// The random generator of simulations and policies: xoshiro256++, seeded through SplitMix64.
///
/// The same seed gives the same sequence on every machine. `split` makes an independent stream, so
/// that more draws in one place do not change those of another. It is not for keys. Source:
/// Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var s0: UInt64
    private var s1: UInt64
    private var s2: UInt64
    private var s3: UInt64

    public init(seed: UInt64) {
        var words = SplitMix64(state: seed)
        s0 = words.next()
        s1 = words.next()
        s2 = words.next()
        s3 = words.next()
    }

    public mutating func next() -> UInt64 {
        let sum = s0 &+ s3
        let result = ((sum &<< 23) | (sum &>> 41)) &+ s0
        let t = s1 &<< 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = (s3 &<< 45) | (s3 &>> 19)
        return result
    }

    /// Makes a generator whose stream is independent of later draws from this one.
    public mutating func split() -> SeededGenerator { SeededGenerator(seed: next()) }
}
