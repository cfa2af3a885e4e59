import PathTelemetry

/// A stream of random numbers; one an aspect of one direction of one path.
///
/// Loss and jitter share a stream and draw from it exactly as the testbed's emulator does, so that
/// seed, path, direction and count of packets give the same losses there and here.
struct LinkRandom: RandomNumberGenerator, Sendable, Hashable {
    private var stream: SplitMix64

    init(state: UInt64) { stream = SplitMix64(state: state) }

    /// The stream of loss and jitter.
    ///
    /// Hashed: a plain sum would give neighbouring seeds the same stream, shifted.
    init(seed: UInt64, path: Int, direction: LinkDirection) {
        let position = UInt64(truncatingIfNeeded: path) &* 2 &+ UInt64(direction.rawValue)
        self.init(state: SplitMix64.mix(SplitMix64.mix(seed) &+ position))
    }

    /// A stream of its own, whatever is drawn from this one afterwards.
    func branch(_ salt: UInt64) -> LinkRandom {
        LinkRandom(state: SplitMix64.mix(SplitMix64.mix(stream.state ^ salt) &+ salt))
    }

    mutating func next() -> UInt64 { stream.next() }

    /// Standard normal deviate, cut at four.
    mutating func boundedNormal() -> Double { max(-4, min(4, normal())) }
}
