import Glibc
import PathTelemetry

/// One clock on which all evidence of a learner fades: outcomes may come late and out of order.
struct EvidenceClock: Sendable {
    /// Time after which evidence counts half, seconds.
    let halfLife: Double
    private var latest: Instant?

    init(halfLife: Double) { self.halfLife = halfLife }

    /// Takes note of an outcome.
    ///
    /// - Returns: what older evidence is multiplied with, and what the outcome itself counts: less
    ///   than one when it is older than another that was there before.
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
