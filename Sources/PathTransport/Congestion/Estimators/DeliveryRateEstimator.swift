import PathTelemetry

/// The delivery state when a packet is sent; it is kept with the packet until its ACK.
///
/// The `P.*` fields of draft-ietf-ccwg-bbr, section 4.1.1 (delivery rate sampling, first published
/// as draft-cheng-iccrg-delivery-rate-estimation).
struct DeliveryState: Sendable {
    /// Bytes delivered on the path before the packet was sent.
    var delivered: Int
    /// Bytes lost on the path before the packet was sent.
    var lost: Int
    /// When the latest of those was acknowledged.
    var deliveredTime: Instant
    /// When the first packet of the current sampling flight was sent.
    var firstSentTime: Instant
    /// The receiver's clock at the latest delivery; nil when it is not known.
    var receivedTime: Instant?
    /// Bytes in flight including the packet.
    var bytesInFlight: Int
    /// Whether the sender had run out of data when it sent the packet.
    var isAppLimited: Bool
}

/// The delivery rate that one ACK frame measured.
struct RateSample: Sendable {
    /// Bytes per second; zero when the frame allowed no estimate.
    var rate = 0.0
    /// The time over which the rate was taken.
    var interval = TimeDelta.zero
    /// From sending to acknowledging the packet the sample is based on; zero if none exists.
    var rtt = TimeDelta.zero
    /// Whether the sampled packets were sent while the sender lacked data; the rate is then only a
    /// lower bound.
    var isAppLimited = false
    /// Bytes delivered on the path when the sampled packet was sent.
    var priorDelivered = 0
    /// Bytes delivered during the interval.
    var delivered = 0
    /// Bytes declared lost since the sampled packet was sent.
    var lost = 0
    /// Bytes in flight just after the sampled packet was sent.
    var bytesInFlightAtSend = 0
    /// Bytes that this frame acknowledged.
    var newlyAckedBytes = 0
    /// Bytes that were declared lost since the sample before this one.
    var newlyLostBytes = 0
    /// Bytes delivered on the path in all.
    var totalDelivered = 0
    /// Whether the receiver got the sampled packets at a lower rate than they were sent.
    var isSpread = false
    /// The rate of the path's first train of packets among each other, bytes per second; zero when the
    /// frame acknowledged none of them, or too few had arrived.
    var trainRate = 0.0
}

/// Delivery rate samples of one path, after draft-ietf-ccwg-bbr, section 4.1.
///
/// The rate is bytes delivered over the longer of the time in which they were sent and the time in
/// which they were received. The second is taken from the receiver's timestamps when they are
/// known: ACKs travel on any path here, so their arrival times are compressed and stretched by
/// what that other path does. Without timestamps it is the time between ACKs, as in the draft.
struct DeliveryRateEstimator: Sendable {
    /// An interval of the receiver's clock that is longer than possible by this is not believed.
    private static let clockSlack = TimeDelta.seconds(1)

    private(set) var delivered = 0
    private(set) var lost = 0
    private var deliveredTime = Instant.zero
    private var firstSentTime = Instant.zero
    private var receivedTime: Instant?
    /// The value of `delivered` once all packets marked as app-limited are acknowledged; 0 if there
    /// are none.
    private var appLimitedUntil = 0

    private var train = PacketTrain()

    // The sample under construction.
    private var basis: DeliveryState?
    private var basisSentTime = Instant.zero
    private var basisReceivedTime: Instant?
    private var newlyAcked = 0
    private var newlyLost = 0

    init() {}

    /// Whether packets sent now are marked as limited by the application.
    var isAppLimited: Bool { appLimitedUntil > 0 }

    /// Records a packet that is about to be sent and returns what to keep with it.
    ///
    /// - Parameter bytesInFlight: without this packet.
    mutating func handleSent(bytes: Int, bytesInFlight: Int, now: Instant) -> DeliveryState {
        if bytesInFlight <= 0 {
            // A new flight begins: idle time must not count as slow delivery.
            firstSentTime = now
            deliveredTime = now
            receivedTime = nil
        }
        return DeliveryState(
            delivered: delivered, lost: lost, deliveredTime: deliveredTime,
            firstSentTime: firstSentTime, receivedTime: receivedTime,
            bytesInFlight: max(bytesInFlight, 0) &+ bytes, isAppLimited: isAppLimited)
    }

    /// Begins a new flight, because this host stood still until now.
    mutating func handleStall(now: Instant) {
        firstSentTime = now
        deliveredTime = now
        receivedTime = nil
    }

    /// Records one newly acknowledged packet.
    ///
    /// - Parameters:
    ///   - state: what `handleSent` returned for it.
    ///   - sentTime: when it was sent.
    ///   - bytes: its size.
    ///   - now: when the ACK arrived.
    ///   - receivedTime: when the peer received it, on the peer's clock, if the frame says so.
    mutating func handleAcked(
        _ state: DeliveryState, sentTime: Instant, bytes: Int, now: Instant,
        receivedTime packetReceivedTime: Instant? = nil
    ) {
        delivered &+= bytes
        newlyAcked &+= bytes
        deliveredTime = now
        if let time = packetReceivedTime {
            receivedTime = receivedTime.map { max($0, time) } ?? time
            basisReceivedTime = basisReceivedTime.map { max($0, time) } ?? time
            train.handle(
                before: state.delivered, sentTime: sentTime, receivedTime: time, bytes: bytes)
        }
        // The packet sent last gives the sample, as its state holds the most recent delivery.
        let isNewer =
            basis.map {
                state.delivered > $0.delivered
                    || (state.delivered == $0.delivered && sentTime >= basisSentTime)
            } ?? true
        if isNewer {
            basis = state
            basisSentTime = sentTime
        }
    }

    /// Records an acknowledged packet that carried no data: it counts as delivered and gives no
    /// sample.
    ///
    /// Otherwise probes of an idle path, a few dozen bytes a few times a second, would set its
    /// rate.
    mutating func handleBareAcked(bytes: Int) {
        delivered &+= bytes
        newlyAcked &+= bytes
    }

    /// Records bytes declared lost.
    mutating func handleLost(bytes: Int) {
        lost &+= bytes
        newlyLost &+= bytes
    }

    /// Records bytes that were declared lost and arrived after all.
    mutating func handleSpuriousLoss(bytes: Int) {
        lost &-= bytes
        delivered &+= bytes
        newlyAcked &+= bytes
    }

    /// Marks the flight as limited by the application (draft section 4.1.2.4); called when no data
    /// is left to send although window and pacer would allow it.
    mutating func handleAppLimited(bytesInFlight: Int) {
        appLimitedUntil = max(delivered &+ max(bytesInFlight, 0), 1)
    }

    /// Ends the processing of one ACK frame and returns its sample.
    ///
    /// - Parameter minimumRTT: no interval is taken as shorter than this, since delivery and its
    ///   ACK cannot both happen in less; the draft drops such samples instead.
    mutating func takeSample(now: Instant, minimumRTT: TimeDelta) -> RateSample {
        if appLimitedUntil > 0 && delivered > appLimitedUntil { appLimitedUntil = 0 }
        var sample = RateSample()
        sample.newlyAckedBytes = newlyAcked
        sample.newlyLostBytes = newlyLost
        sample.totalDelivered = delivered
        newlyAcked = 0
        newlyLost = 0
        guard let state = basis else { return sample }
        let received = basisReceivedTime
        basis = nil
        basisReceivedTime = nil
        firstSentTime = max(firstSentTime, basisSentTime)

        let sendInterval = basisSentTime - state.firstSentTime
        var receiveInterval = deliveredTime - state.deliveredTime
        // Both lie between the sending of the first packet and now, unless a clock jumped.
        if let end = received, let start = state.receivedTime, end > start,
            end - start <= now - state.firstSentTime + DeliveryRateEstimator.clockSlack
        {
            receiveInterval = end - start
            sample.isSpread =
                receiveInterval.seconds > sendInterval.seconds * PacketTrain.fullRatio
        }
        if train.contains(state.delivered) {
            sample.trainRate = train.rate
            sample.isSpread = train.isSpread
        }
        sample.interval = max(max(sendInterval, receiveInterval), minimumRTT)
        sample.rtt = max(now - basisSentTime, .zero)
        sample.isAppLimited = state.isAppLimited
        sample.priorDelivered = state.delivered
        sample.delivered = delivered &- state.delivered
        sample.lost = lost &- state.lost
        sample.bytesInFlightAtSend = state.bytesInFlight
        if sample.interval > .zero && sample.delivered > 0 {
            sample.rate = Double(sample.delivered) / sample.interval.seconds
        }
        return sample
    }
}
