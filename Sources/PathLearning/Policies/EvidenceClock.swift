import Glibc
import PathTelemetry

/// A clock by which all evidence of a learner is discounted; outcomes may come late and out of
/// order.
struct EvidenceClock: Sendable {
    /// Half-life of evidence, seconds.
    let halfLife: Double
    private var latest: Instant?

    init(halfLife: Double) { self.halfLife = halfLife }

    /// Advances to the time of an outcome.
    ///
    /// - Returns: the factor for older evidence, and the weight of the outcome itself, which is
    ///   below one if a later outcome came before it.
    mutating func advance(to time: Instant) -> (decay: Double, weight: Double) {
        guard let last = latest else {
            latest = time
            return (1, 1)
        }
        let fading = exp2(-(time - last).seconds.magnitude / halfLife)
        guard time > last else { return (1, fading) }
        latest = time
        return (fading, 1)
    }
}
