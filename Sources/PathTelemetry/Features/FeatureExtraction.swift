import CKernels
import Glibc

/// The features that one path has by itself; the gap to the other candidates is filled in later.
extension FeatureSchema {
    /// Seconds between reconfigurations of the Starlink constellation, on UTC.
    private static let gridPeriod = 15.0

    /// Fills a vector with everything known of one path at the time of a decision.
    ///
    /// `predictionGap` is left as "no other candidate" (zero); `setPredictionGap` sets it.
    ///
    /// - Parameters:
    ///   - utcOffset: UTC minus the clock of `now`, for the 15 s grid.
    ///   - memory: what was computed before; kept by whoever asks again and again.
    @inline(__always)
    public static func extract(
        from snapshot: borrowing PathSnapshot, estimator: borrowing PathEstimator,
        burst: BurstContext, utcOffset: TimeDelta, now: Instant, memory: inout FeatureMemory,
        into vector: inout FeatureVector
    ) {
        let smoothed = snapshot.smoothedRTT.seconds
        let least = snapshot.minRTT < snapshot.smoothedRTT ? snapshot.minRTT.seconds : smoothed
        let rate = expectedRate(snapshot, estimator)
        let perRTT = smoothed > 0 ? 1 / smoothed : 0
        let lastReply = snapshot.lastReply == nil ? estimator.lastReply : snapshot.lastReply
        let unanswered = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        // One packet on both sides keeps an idle path's ratio finite.
        let inFlight = (Double(snapshot.bytesInFlight) + 1200) / (rate * least + 1200)
        let grid = gridPhase(snapshot.traits.kind, now + utcOffset)
        // In the order of `Feature`.
        var raw: InlineArray<24, Double> = [
            smoothed, snapshot.rttVariation.seconds * perRTT, least, estimator.rttSlope,
            estimator.delayExcess, estimator.jitterP90, rate, estimator.rateVariation,
            estimator.lossShareShort, estimator.lossShareLong, Double(estimator.lastLossBurst),
            age(estimator.lastLoss, now),
            age(lastReply, now), unanswered * perRTT, inFlight, snapshot.pacingDelay.seconds,
            Double(snapshot.probeTimeouts), Double(burst.bytes), burst.deadline.seconds,
            burst.currentPath == snapshot.path ? 1 : 0,
            snapshot.traits.pricePerGB, grid.sine, grid.cosine, 1,
        ]
        memory.withPath(snapshot.path) { scale(&raw, memory: $0, into: &vector) }
    }

    /// Scales raw quantities in the order of `Feature`; the same as `Scaling.apply` for each, to
    /// the last bit.
    @inline(__always)
    static func scale(
        _ raw: inout InlineArray<24, Double>, memory: UnsafeMutablePointer<Double>,
        into vector: inout FeatureVector
    ) {
        withUnsafePointer(to: &raw) { source in
            withUnsafeMutablePointer(to: &vector) { target in
                ck_scale(
                    scalings, UnsafeRawPointer(source).assumingMemoryBound(to: Double.self),
                    memory, UnsafeMutableRawPointer(target).assumingMemoryBound(to: Double.self))
            }
        }
    }

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

    /// Sets the feature that compares a candidate with the best of the others.
    @inline(__always)
    public static func setPredictionGap(
        _ prediction: Double, bestOther: Double, in vector: inout FeatureVector
    ) {
        guard bestOther > 0 else { return }
        set(.predictionGap, prediction / bestOther, &vector)
    }

    /// The same for up to 16 candidates at once: ratios to the best other in, features out.
    public static func scaleGaps(
        _ ratios: UnsafePointer<Double>, into features: UnsafeMutablePointer<Double>, count: Int
    ) {
        ck_scale_one(scalings, Feature.predictionGap.rawValue, ratios, features, count)
    }

    /// The rate that a burst given to the path now can expect, bytes per second, above zero.
    ///
    /// The controller's pacing rate where it has one (a delivery rate measured while there was
    /// little to send says too little), else the delivery rate, else window over RTT; never above
    /// the user's limit.
    public static func expectedRate(
        _ snapshot: borrowing PathSnapshot, _ estimator: borrowing PathEstimator
    ) -> Double {
        var rate = snapshot.pacingRate
        if !(rate > 0) || !rate.isFinite {
            rate = max(estimator.deliveryRate, snapshot.deliveryRate)
        }
        if !(rate > 0) || !rate.isFinite {
            rate = Double(snapshot.congestionWindow) / max(1e-3, snapshot.smoothedRTT.seconds)
        }
        return max(1000, min(rate, snapshot.traits.rateLimit))
    }

    @inline(__always)
    private static func set(_ feature: Feature, _ raw: Double, _ vector: inout FeatureVector) {
        vector[feature.rawValue] = feature.scaling.apply(raw)
    }

    @inline(__always)
    private static func age(_ instant: Instant?, _ now: Instant) -> Double {
        instant.map { (now - $0).seconds } ?? .infinity
    }

    @inline(__always)
    private static func gridPhase(
        _ kind: LinkKind, _ utc: Instant
    ) -> (sine: Double, cosine: Double) {
        guard kind == .starlink else { return (0, 0) }
        let period = Int64(gridPeriod * 1e9)
        let phase = Double(utc.nanoseconds % period) * (2 * Double.pi / Double(period))
        return (sin(phase), cos(phase))
    }
}
