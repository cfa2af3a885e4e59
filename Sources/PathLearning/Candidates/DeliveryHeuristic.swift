public import PathTelemetry

/// The prediction h(x) that every policy can start from: seconds from now until a burst given to
/// a path has arrived.
///
///     h = wait + bytes / rate + one-way delay + overdue
///
/// `wait` is the longer of the pacer's queue and the time until the window has room for the burst.
/// `overdue` is the age of the oldest unanswered packet beyond what its reply should have taken,
/// so a path that falls silent gets worse by itself before anything is declared lost.
public struct DeliveryHeuristic: Sendable {
    public init() {}

    /// - Parameters:
    ///   - rate: the rate that the burst can expect, bytes per second.
    ///   - delay: the estimated one-way delay, seconds.
    public func predict(
        snapshot: borrowing PathSnapshot, bytes: Int, rate: Double, delay: Double,
        unansweredAge: Double
    ) -> Double {
        let size = Double(max(0, bytes))
        let excess = Double(snapshot.bytesInFlight) + size - Double(snapshot.congestionWindow)
        let wait = max(snapshot.pacingDelay.seconds, excess / rate, 0)
        // A single lost packet has no news of its own before this: not yet a silence.
        let expected =
            snapshot.smoothedRTT.seconds + max(4 * snapshot.rttVariation.seconds, 0.01)
        let overdue = max(0, unansweredAge - expected)
        return max(1e-4, wait + size / rate + delay + overdue)
    }
}
