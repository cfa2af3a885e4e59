import CKernels
import Glibc

/// What features are made of.
extension FeatureSchema {
    /// Seconds between reconfigurations of the Starlink constellation, on UTC.
    private static let gridPeriod = 15.0

    /// The constants of all scalings, made once.
    nonisolated(unsafe) static let scalings: UnsafePointer<ck_scaling> = {
        let table = UnsafeMutablePointer<ck_scaling>.allocate(capacity: 1)
        let columns = UnsafeMutableRawPointer(table).bindMemory(
            to: Double.self, capacity: 6 * count)
        for feature in Feature.allCases {
            let scaling = feature.scaling
            let place = feature.rawValue
            columns[place] = scaling.low
            columns[count + place] = scaling.high
            columns[2 * count + place] = 1 / scaling.reference
            columns[3 * count + place] = scaling.curve == .logarithmOfOnePlus ? 1 : 0
            columns[4 * count + place] = 1 / scaling.divisor
            columns[5 * count + place] = scaling.curve == .linear ? 0 : 1
        }
        return UnsafePointer(table)
    }()

    /// The rate that a burst given to the path now can expect, bytes per second, above zero.
    ///
    /// The controller's pacing rate where it has one (a delivery rate measured while there was
    /// little to send says too little), else the delivery rate, else window over RTT; never above
    /// the user's limit.
    ///
    /// - Parameter measured: mean delivery rate, zero before a sample.
    @inline(__always)
    static func expectedRate(
        _ snapshot: borrowing PathSnapshot, measured: Double
    ) -> Double {
        var rate = snapshot.pacingRate
        if !(rate > 0) || !rate.isFinite {
            rate = max(measured, snapshot.deliveryRate)
        }
        if !(rate > 0) || !rate.isFinite {
            rate = Double(snapshot.congestionWindow) / max(1e-3, snapshot.smoothedRTT.seconds)
        }
        return max(1000, min(rate, snapshot.traits.rateLimit))
    }

    @inline(__always)
    static func age(_ instant: Instant?, _ now: Instant) -> Double {
        instant.map { (now - $0).seconds } ?? .infinity
    }

    @inline(__always)
    static func gridPhase(
        _ kind: LinkKind, _ utc: Instant
    ) -> (sine: Double, cosine: Double) {
        guard kind == .starlink else { return (0, 0) }
        let period = Int64(gridPeriod * 1e9)
        let phase = Double(utc.nanoseconds % period) * (2 * Double.pi / Double(period))
        return (sin(phase), cos(phase))
    }
}
