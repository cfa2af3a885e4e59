import PathTelemetry

/// Notices during startup that a link is full, before its queue is.
///
/// The link is full while the receiver gets packets more slowly than they were sent and round trips
/// keep growing. Three rounds without growth, by which BBR ends its startup, take so long that a
/// queue as large as the pipe overflows. One of the two signs alone, or a few acknowledgements, may
/// be jitter.
struct FullLink: Sendable {
    /// Acknowledgements in a row that have to show it, and the packets that they acknowledge.
    private static let acknowledgements = 2
    private static let acknowledgedPackets = 20
    /// Packets that a rate has to cover.
    private static let leastPackets = 16
    /// What a round trip may be shorter than the longest before it without ending the growth.
    private static let slack = TimeDelta.microseconds(500)
    /// The least growth that counts: HyStart++ takes an eighth of the round trip as well (RFC 9406,
    /// section 4.3).
    private static let leastGrowth = TimeDelta.milliseconds(2)

    private var count = 0
    private var bytes = 0
    private var longest = TimeDelta.zero
    /// The last round for which the link is taken for full.
    private var lastRound = -1

    /// Takes one acknowledgement.
    ///
    /// - Parameters:
    ///   - minimum: the round trip without a queue.
    ///   - spread: the path's jitter.
    ///   - packetSize: bytes of a packet.
    ///   - round: its number.
    mutating func handleAck(
        _ event: AckEvent, minimum: TimeDelta, spread: TimeDelta, packetSize: Int, round: Int
    ) {
        guard let rtt = event.latestRTT else { return }
        if rtt + FullLink.slack < longest {
            count = 0
            bytes = 0
            longest = rtt
        }
        longest = max(longest, rtt)
        let growth = max(minimum / 8, FullLink.leastGrowth) + spread * Int64(2)
        guard event.rateSample.isSpread, rtt > minimum + growth,
            event.rateSample.delivered >= FullLink.leastPackets &* packetSize
        else {
            count = 0
            bytes = 0
            return
        }
        count &+= 1
        bytes &+= event.ackedBytes
        let isShown =
            count >= FullLink.acknowledgements
            && bytes >= FullLink.acknowledgedPackets &* packetSize
        if isShown { lastRound = round &+ 1 }
    }

    /// Whether the link is taken for full in a round.
    func includes(round: Int) -> Bool { round <= lastRound }
}
