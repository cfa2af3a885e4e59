/// Estimates the share of packets that are lost independently of the sending rate.
///
/// It counts packets that leave while the controller sends below the bandwidth to empty the queue:
/// neither the sender's own queue nor a policer causes their losses.
struct RandomLossEstimator: Sendable {
    /// Weight of the measurement that each probing cycle gives; the first ones weigh more.
    static let weight = 1.0 / 8

    /// The smoothed share, `0 ..< 1`.
    private(set) var share = 0.0

    // Packets whose `priorDelivered` lies in this range were sent during the measurement.
    private var start: Int?
    private var end: Int?
    private var isMeasuring = false
    private var measurements = 0.0
    private var acked = 0.0
    private var lost = 0.0

    /// Begins a measurement: from now on the sender stays below the bandwidth.
    mutating func begin(delivered: Int) {
        finish()
        start = delivered
        end = nil
    }

    /// Ends the measurement for packets sent from now on.
    mutating func end(delivered: Int) {
        if start != nil && end == nil { end = delivered }
    }

    mutating func handleLost(bytes: Int) {
        if isMeasuring { lost += Double(bytes) }
    }

    mutating func handleSpuriousLoss(bytes: Int) {
        if isMeasuring { lost = max(0, lost - Double(bytes)) }
    }

    mutating func handleAck(bytes: Int, sample: RateSample) {
        guard let start else { return }
        if let end, sample.priorDelivered >= end {
            finish()
            return
        }
        if sample.priorDelivered >= start { isMeasuring = true }
        if isMeasuring { acked += Double(bytes) }
    }

    private mutating func finish() {
        if isMeasuring && acked + lost > 0 {
            measurements = min(measurements + 1, 1 / RandomLossEstimator.weight)
            share += (lost / (acked + lost) - share) / measurements
        }
        start = nil
        isMeasuring = false
        acked = 0
        lost = 0
    }
}
