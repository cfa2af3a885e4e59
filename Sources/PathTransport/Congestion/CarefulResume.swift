public import PathTelemetry

/// What a path carried at an earlier time (RFC 9959, section 3.1).
public struct SavedCapacity: Hashable, Sendable {
    /// Bytes that were delivered in one round trip.
    public var bytes: Int
    /// The least round trip.
    public var roundTrip: TimeDelta

    public init(bytes: Int, roundTrip: TimeDelta) {
        self.bytes = bytes
        self.roundTrip = roundTrip
    }

    /// The rate, bytes per second.
    var rate: Double { Double(bytes) / max(roundTrip.seconds, 1e-6) }
}

/// Careful Resume (RFC 9959): a path starts from what an earlier connection measured on it.
///
///     reconnaissance -> unvalidated -> validating -> normal
///                            `-> retreat <-'  `---------^
///
/// The path begins like any other, with the initial window. Once that has arrived without congestion,
/// in a round trip like the earlier one, the window jumps to half of what was saved, and the data
/// leaves at the pace of one such window a round trip. If it arrives, the start goes on from
/// there; if it causes congestion, the window becomes half of what did arrive.
///
/// What the RFC leaves open: the first packets also tell a rate that the bottleneck has now
/// (`PacketTrain`). The jump does not exceed it, so that no queue grows by the jump. After it the
/// start goes on at no more than the saved rate, and is over when it is reached.
struct CarefulResume: Sendable {
    enum Phase: Sendable { case reconnaissance, unvalidated, validating, retreat, normal }

    /// The most of the saved bytes that the window jumps to, as others may use the link now
    /// (section 3.3).
    static let jumpShare = 0.5
    /// What is left of the data that arrived, in the retreat and after it (section 3.5).
    static let retreatShare = 0.5
    /// A round trip that is longer or shorter by this factor is that of another path.
    ///
    /// The RFC takes any that is less than ten times as long (section 4.2.1).
    static let longestRoundTrip: Int64 = 2
    /// Initial windows below which nothing is saved (section 3.1).
    static let leastWindows = 4
    /// How many times the saved bytes a connection delivers before it counts as having measured the
    /// path itself.
    static let measuringRounds = 4
    /// The share of the expected rate at which a start that began with a jump is over.
    static let foundShare = 0.9

    private(set) var phase = Phase.normal
    private var saved: SavedCapacity?
    /// Whether the path is another one now, or carries less.
    private var isRefuted = false
    private var hasJumped = false
    /// Whether the data of the jump has arrived.
    private var isConfirmed = false
    private var delivered = 0
    /// The window after the jump, bytes.
    private var jump = 0.0
    /// Bytes that the path is known to hold: PipeSize of the RFC.
    private var pipe = 0.0
    private var start = Instant.zero
    /// The packets that left with the larger window.
    private var first: UInt64 = 0
    private var last: UInt64 = 0
    /// The rate at which the path's first train arrived, and whether it was sent faster.
    private var trainRate = 0.0
    private var isTrainSpread = false
    /// The largest rate at which data was delivered, bytes per second.
    private(set) var measuredRate = 0.0
    /// Bytes a second at which the data of the jump leaves; nil in other phases.
    private(set) var pacingRate: Double?

    /// Starts from this; nothing must have been sent on the path.
    mutating func begin(_ saved: SavedCapacity) {
        guard saved.bytes > 0, saved.roundTrip > .zero else { return }
        self.saved = saved
        phase = .reconnaissance
    }

    /// Ends it: the controller alone decides.
    mutating func end() {
        phase = .normal
        pacingRate = nil
    }

    private mutating func refute() {
        isRefuted = true
        end()
    }

    /// What was saved earlier, as long as nothing speaks against it and this connection has delivered
    /// too little to know better.
    var earlier: SavedCapacity? {
        guard let saved, !isRefuted else { return nil }
        return delivered / CarefulResume.measuringRounds < saved.bytes ? saved : nil
    }

    /// The window that filled the path earlier, once a jump to half of it has been confirmed.
    var confirmedWindow: Double? { isConfirmed ? saved.map { Double($0.bytes) } : nil }

    /// What the path is expected to carry after a jump, bytes per second; nil without one.
    ///
    /// It is what the path carried, unless the first packets have shown that it is less now. More would
    /// only fill a queue.
    var expectedRate: Double? {
        guard hasJumped, !isRefuted, let saved else { return nil }
        return isTrainSpread ? min(saved.rate, trainRate) : saved.rate
    }

    /// Whether the start is over, as the path delivers what is expected.
    var hasFound: Bool {
        expectedRate.map { measuredRate >= $0 * CarefulResume.foundShare } ?? false
    }

    mutating func handleSent(_ number: UInt64) {
        if phase == .unvalidated { last = max(last, number) }
    }

    /// Takes an acknowledgement.
    ///
    /// - Parameters:
    ///   - window: the present one, bytes.
    ///   - initialWindow: bytes.
    /// - Returns: the window from now on; nil leaves it.
    mutating func handleAck(_ event: AckEvent, window: Double, initialWindow: Int) -> Double? {
        measuredRate = max(measuredRate, event.rateSample.rate)
        delivered = event.rateSample.totalDelivered
        switch phase {
        case .normal: return nil
        case .reconnaissance:
            if event.rateSample.trainRate > 0 {
                trainRate = event.rateSample.trainRate
                isTrainSpread = event.rateSample.isSpread
            }
            // What a request sent shows no rate, so the packets after it are waited for.
            guard event.rateSample.totalDelivered >= initialWindow, trainRate > 0,
                !event.isAppLimited
            else { return nil }
            return jumpIfRight(event, window: window)
        case .unvalidated:
            pipe += Double(event.ackedBytes)
            let isOver =
                event.largestAcked >= first || event.now - start > event.smoothedRTT
                || Double(event.bytesInFlight) >= jump
            return isOver ? validate(event, initialWindow: initialWindow) : nil
        case .validating:
            pipe += Double(event.ackedBytes)
            guard event.largestAcked >= last else { return nil }
            isConfirmed = true
            end()
            return nil
        case .retreat:
            pipe += Double(event.ackedBytes)
            guard event.largestAcked >= last else { return nil }
            end()
            return nil
        }
    }

    private mutating func jumpIfRight(_ event: AckEvent, window: Double) -> Double? {
        guard let saved else { return nil }
        let roundTrip = event.minimumRTT
        guard roundTrip > saved.roundTrip / CarefulResume.longestRoundTrip,
            roundTrip < saved.roundTrip * CarefulResume.longestRoundTrip,
            !isTrainSpread || trainRate >= saved.rate * CarefulResume.jumpShare
        else {
            refute()
            return nil
        }
        jump = min(
            Double(saved.bytes) * CarefulResume.jumpShare, Double(CongestionLimits.maximumWindow))
        guard jump > window, trainRate >= saved.rate * CarefulResume.jumpShare else {
            end()
            return nil
        }
        phase = .unvalidated
        hasJumped = true
        start = event.now
        first = event.largestSent &+ 1
        last = first
        pipe = Double(event.bytesInFlight)
        // Section 4.3: the new window over one round trip.
        pacingRate = jump / max(event.smoothedRTT.seconds, 1e-6)
        return jump
    }

    private mutating func validate(_ event: AckEvent, initialWindow: Int) -> Double {
        pacingRate = nil
        let flight = Double(event.priorBytesInFlight)
        guard flight > pipe, flight > Double(initialWindow) else {
            // Too little was sent to show that the path holds more.
            end()
            return max(pipe, Double(initialWindow))
        }
        phase = .validating
        return flight
    }

    /// Takes a sign of congestion.
    ///
    /// - Returns: the most that the window may be until the data of the jump has arrived or is known
    ///   to be lost; nil if the congestion does not concern it.
    mutating func handleCongestion() -> Double? {
        switch phase {
        case .unvalidated, .validating:
            refute()
            phase = .retreat
            return pipe * CarefulResume.retreatShare
        case .reconnaissance:
            refute()
            return nil
        case .retreat, .normal: return nil
        }
    }

    /// Takes the sign that the link lets packets out more slowly than they come, and a queue grows:
    /// there is no jump, or no more than what has left.
    mutating func handleFullLink() {
        if phase == .reconnaissance || phase == .unvalidated { refute() }
    }

    /// Whether acknowledgements must not raise the window.
    var holdsWindow: Bool { phase == .unvalidated || phase == .retreat }
    /// The threshold of slow start after a retreat, bytes (section 3.5).
    var retreatThreshold: Double { pipe * CarefulResume.retreatShare }
}
