import PathTelemetry

/// A stream of random numbers, for one aspect of one direction of one path.
///
/// Loss and jitter share a stream and draw from it exactly as the testbed's emulator does, so that
/// seed, path, direction and count of packets give the same losses in both.
struct LinkRandom: RandomNumberGenerator, Sendable, Hashable {
    private var stream: SplitMix64

    init(state: UInt64) { stream = SplitMix64(state: state) }

    /// The stream of loss and jitter.
    ///
    /// The seed is hashed, because a plain sum would give neighbouring seeds the same stream,
    /// shifted.
    init(seed: UInt64, path: Int, direction: LinkDirection) {
        let position = UInt64(truncatingIfNeeded: path) &* 2 &+ UInt64(direction.rawValue)
        self.init(state: SplitMix64.mix(SplitMix64.mix(seed) &+ position))
    }

    /// A separate stream, independent of later draws from this one.
    func branch(_ salt: UInt64) -> LinkRandom {
        LinkRandom(state: SplitMix64.mix(SplitMix64.mix(stream.state ^ salt) &+ salt))
    }

    /// The stream of one moment, which is the same however often another moment was drawn from.
    ///
    /// - Parameters:
    ///   - time: nanoseconds after the link's origin.
    ///   - number: of the packet among those of the same moment, from zero.
    func at(_ time: Int64, number: UInt64) -> LinkRandom {
        let moment = SplitMix64.mix(UInt64(bitPattern: time)) &+ number
        return LinkRandom(state: SplitMix64.mix(stream.state ^ SplitMix64.mix(moment)))
    }

    mutating func next() -> UInt64 { stream.next() }

    /// Standard normal deviate, limited to four.
    mutating func boundedNormal() -> Double { max(-4, min(4, normal())) }
}
