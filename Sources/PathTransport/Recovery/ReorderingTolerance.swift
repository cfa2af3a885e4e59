import PathTelemetry

/// How far a packet of one path may lag behind others before it counts as lost.
///
/// Until packets are seen to overtake each other the rules are those of RFC 9002, section 6.1: three
/// packets above, or 9/8 of a round trip. From then on time alone decides, as in RFC 8985: the number
/// of packets that overtake one grows with the rate, while the time by which it is late does not.
struct ReorderingTolerance {
    /// Packets above a missing one that mean lost (RFC 9002, 6.1.1), while the order is kept.
    static let packetThreshold: UInt64 = 3
    /// Reordering is forgotten when none was seen for this long.
    static let memory = TimeDelta.seconds(10)

    /// Whether packets overtake each other on the path.
    private(set) var isReordering = false
    private var seenAt = Instant.zero
    /// The longest round trip of a packet that had been declared lost.
    private var longest = TimeDelta.zero

    /// Takes a packet that was acknowledged after `distance` newer ones had been reported.
    ///
    /// - Parameters:
    ///   - wasLost: whether it had been declared lost.
    ///   - age: the time since it was sent.
    mutating func handleOvertaken(
        distance: UInt64, wasLost: Bool, age: TimeDelta, now: Instant
    ) {
        if wasLost {
            isReordering = true
            longest = max(longest, age)
        }
        if wasLost || distance >= ReorderingTolerance.packetThreshold { seenAt = now }
    }

    /// Forgets reordering that has ended; called before losses are looked for.
    mutating func forget(now: Instant) {
        guard isReordering, now - seenAt > ReorderingTolerance.memory else { return }
        isReordering = false
        longest = .zero
    }

    /// Packets above a missing one that mean lost; the largest number when time alone decides.
    var packetThreshold: UInt64 { isReordering ? .max : ReorderingTolerance.packetThreshold }

    /// How long after its departure a missing packet is lost, if a newer one was acknowledged.
    ///
    /// With reordering this is at least the probe time-out's smoothed round trip and four variations,
    /// and at least what a packet took that was declared lost in error; at most twice the former.
    func lossDelay(_ rtt: borrowing RTTEstimator) -> TimeDelta {
        guard isReordering else { return rtt.lossDelay }
        let usual = rtt.smoothed + rtt.variation * Int64(4)
        return max(max(rtt.lossDelay, usual), min(longest + longest / 8, usual * Int64(2)))
    }
}
