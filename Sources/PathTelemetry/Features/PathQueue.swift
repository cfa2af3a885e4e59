/// What a path holds, and when it will have delivered that: a virtual queue in place of the real one,
/// which a sender cannot see.
///
/// Of the bytes in flight those sent within the least round trip may still propagate; the others wait
/// in a queue, which drains at the rate at which queued packets were seen to arrive. The latest known
/// arrival starts the count. When not even the oldest unanswered packet is answered in time, the link
/// pauses, and the pause is expected to last for one and a half times as long as it has lasted: pauses
/// of radio links have heavy tails. A mean of delays shows all this a round trip later, and follows a
/// queue up and down. Times are seconds from now.
public struct PathQueue: Sendable {
    /// The rest of a pause for each second that it has lasted.
    private static let rest = 1.5
    /// How long hosts may be busy and a receiver may hold an acknowledgement back.
    public static let slack = TimeDelta.milliseconds(8)
    /// Bytes of a usual packet.
    private static let packet = 1200.0

    /// The least delay from sending to arrival, and the least round trip.
    public let leastDelay: Double
    public let leastRTT: Double
    /// How long the link has paused; zero or less if it has not.
    public let pause: Double
    /// Seconds that the queue needs for a byte.
    public let perByte: Double
    /// When the first of the unanswered bytes begins to arrive, and when the last has arrived; in the
    /// past if it has.
    let start: Double
    let end: Double

    /// - Parameters:
    ///   - leastDelay: one-way.
    ///   - rate: what the controller expects, bytes per second, above zero.
    ///   - age: of the oldest unanswered packet.
    ///   - sinceReply: since the latest reply; infinite without one.
    ///   - flight: bytes in flight.
    @inline(__always)
    init(
        leastDelay: Double, leastRTT: Double, rate: Double, age: Double, sinceReply: Double,
        flight: Double, _ evidence: inout PathEvidence
    ) {
        self.leastDelay = leastDelay
        self.leastRTT = leastRTT
        perByte = evidence.serviceTime(expected: rate)
        // Of a packet that later ones overtook only the latest reply counts: it was lost.
        let replied = sinceReply + leastRTT
        let held = replied < age ? replied : age
        pause = held - leastRTT - PathQueue.packet * perByte - PathQueue.slack.seconds
        start = leastDelay - held + (pause >= 0 ? (1 + PathQueue.rest) * pause : 0)
        end = start + flight * perByte
    }

    /// When a packet that is sent now arrives, apart from its own service.
    public var arrival: Double {
        @inline(__always) get { end > leastDelay ? end : leastDelay }
    }

    /// When an unanswered packet arrives.
    ///
    /// - Parameters:
    ///   - bytes: in flight up to its end.
    ///   - age: since it was sent.
    public func arrival(upTo bytes: Int, age: Double) -> Double {
        max(start + Double(bytes) * perByte, leastDelay - age)
    }
}

extension PathQueue {
    /// Reads the queue of a path outside decisions.
    ///
    /// - Parameters:
    ///   - evidence: of the path's estimator.
    ///   - clockOffset: receiver's clock minus sender's, if known.
    public init(
        _ snapshot: borrowing PathSnapshot, evidence: borrowing PathEvidence,
        clockOffset: TimeDelta?, now: Instant
    ) {
        let moment = DecisionMoment(now: now)
        var (snapshot, evidence) = (copy snapshot, copy evidence)
        self = PathReading(&snapshot, &evidence, clockOffset: clockOffset, moment).queue
    }
}
