import PathTelemetry

/// What one ACK frame says about one path, for a congestion controller.
///
/// Bytes count whole UDP payloads of ack-eliciting packets, as in RFC 9002, section 2.
struct AckEvent: Sendable {
    /// When the frame was processed.
    var now: Instant
    /// Bytes that this frame acknowledged for the first time.
    var ackedBytes: Int
    /// The largest packet number that the frame newly acknowledged.
    var largestAcked: UInt64
    /// The largest packet number sent on the path so far.
    var largestSent: UInt64
    /// Bytes in flight without the acknowledged and lost packets.
    var bytesInFlight: Int
    /// Bytes in flight before the frame was processed.
    var priorBytesInFlight: Int
    /// The round trip that this frame measured; nil when it gave no sample (RFC 9002, 5.1).
    var latestRTT: TimeDelta?
    /// The round trip of a packet that others had overtaken, if the frame acknowledged one.
    var overtakenRTT: TimeDelta? = nil
    /// Smoothed round trip after this frame.
    var smoothedRTT: TimeDelta
    /// Windowed minimum of the round trip after this frame.
    var minimumRTT: TimeDelta
    /// What `DeliveryRateEstimator.takeSample` returned for this frame.
    var rateSample: RateSample
    /// Whether the sender had too little data to fill the window when this frame came.
    var isAppLimited: Bool
}

/// Packets of one path that were declared lost together.
struct LossEvent: Sendable {
    /// When loss detection ran.
    var now: Instant
    /// Bytes of the lost packets.
    var lostBytes: Int
    /// Number of lost packets.
    var lostPackets: Int
    /// The smallest and the largest packet number among the lost packets.
    var smallestLost: UInt64 = 0
    var largestLost: UInt64
    /// The largest packet number sent on the path so far.
    var largestSent: UInt64
    /// Bytes in flight without the lost packets.
    var bytesInFlight: Int
    /// Whether the losses span a persistent congestion period (RFC 9002, 7.6).
    var isPersistentCongestion: Bool
    /// The longest time during which every packet was lost, from the first of them to the last.
    var longestRun = TimeDelta.zero
}

/// A packet that was declared lost and acknowledged later: the loss was none.
struct SpuriousLoss: Sendable {
    /// When the acknowledgement was processed.
    var now: Instant
    /// The packet's number.
    var number: UInt64
    /// Its bytes.
    var bytes: Int
}

/// The phase of a congestion controller, for traces and status.
enum CongestionPhase: UInt8, Sendable, CaseIterable {
    /// The window doubles each round trip until it reaches the capacity or a limit.
    case slowStart
    /// Slow start with reduced growth, while a rise of the delay is confirmed (RFC 9406).
    case conservativeSlowStart
    /// Additive or cubic growth of the window.
    case congestionAvoidance
    /// From a loss until the first packet sent after it is acknowledged.
    case recovery
    /// Model-based: doubling the rate each round trip.
    case startup
    /// Model-based: emptying the queue that startup built.
    case drain
    /// Model-based: sending below the estimate until no queue is left.
    case probeDown
    /// Model-based: sending at the estimate.
    case cruise
    /// Model-based: sending above the estimate to look for more bandwidth.
    case probeUp
    /// Model-based: a short dip of the window to measure the round trip without a queue.
    case probeRTT
    /// The path was declared failed; the model is frozen.
    case outage
    /// The path is back; the earlier estimate is being confirmed.
    case restoring
}

/// The congestion control algorithms to choose from.
public enum CongestionAlgorithm: String, Sendable, CaseIterable {
    /// RFC 9438 with HyStart++ (RFC 9406): loss-based.
    case cubic
    /// Model of bandwidth and round-trip time after BBR, which tolerates random loss. The default.
    case modelBased = "model-based"
}
