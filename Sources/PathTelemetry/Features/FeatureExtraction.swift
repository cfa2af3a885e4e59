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
    @inline(__always)
    public static func extract(
        from snapshot: borrowing PathSnapshot, estimator: borrowing PathEstimator,
        burst: BurstContext, utcOffset: TimeDelta, now: Instant, into vector: inout FeatureVector
    ) {
        let smoothed = snapshot.smoothedRTT.seconds
        let least = snapshot.minRTT < snapshot.smoothedRTT ? snapshot.minRTT.seconds : smoothed
        let rate = expectedRate(snapshot, estimator)
        let perRTT = smoothed > 0 ? 1 / smoothed : 0
        set(.smoothedRTT, smoothed, &vector)
        set(.rttVariation, snapshot.rttVariation.seconds * perRTT, &vector)
        set(.minRTT, least, &vector)
        set(.rttSlope, estimator.rttSlope, &vector)
        set(.delayExcess, estimator.delayExcess, &vector)
        set(.jitterP90, estimator.jitterP90, &vector)
        set(.deliveryRate, rate, &vector)
        set(.rateVariation, estimator.rateVariation, &vector)
        set(.lossShort, estimator.lossShareShort, &vector)
        set(.lossLong, estimator.lossShareLong, &vector)
        set(.lossBurst, Double(estimator.lastLossBurst), &vector)
        set(.sinceLoss, age(estimator.lastLoss, now), &vector)
        let lastReply = snapshot.lastReply == nil ? estimator.lastReply : snapshot.lastReply
        set(.sinceReply, age(lastReply, now), &vector)
        let unanswered = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        set(.unansweredAge, unanswered * perRTT, &vector)
        // One packet on both sides keeps an idle path's ratio finite.
        let inFlight = (Double(snapshot.bytesInFlight) + 1200) / (rate * least + 1200)
        set(.inFlight, inFlight, &vector)
        set(.pacingDelay, snapshot.pacingDelay.seconds, &vector)
        set(.probeTimeouts, Double(snapshot.probeTimeouts), &vector)
        set(.burstBytes, Double(burst.bytes), &vector)
        set(.deadline, burst.deadline.seconds, &vector)
        set(.currentPath, burst.currentPath == snapshot.path ? 1 : 0, &vector)
        set(.price, snapshot.traits.pricePerGB, &vector)
        setGrid(snapshot.traits.kind, now + utcOffset, &vector)
        set(.predictionGap, 1, &vector)
    }

    /// Sets the feature that compares a candidate with the best of the others.
    @inline(__always)
    public static func setPredictionGap(
        _ prediction: Double, bestOther: Double, in vector: inout FeatureVector
    ) {
        guard bestOther > 0 else { return }
        set(.predictionGap, prediction / bestOther, &vector)
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

    private static func setGrid(_ kind: LinkKind, _ utc: Instant, _ vector: inout FeatureVector) {
        guard kind == .starlink else {
            vector[Feature.gridSine.rawValue] = 0
            vector[Feature.gridCosine.rawValue] = 0
            return
        }
        let period = Int64(gridPeriod * 1e9)
        let phase = Double(utc.nanoseconds % period) * (2 * Double.pi / Double(period))
        vector[Feature.gridSine.rawValue] = sin(phase)
        vector[Feature.gridCosine.rawValue] = cos(phase)
    }
}
