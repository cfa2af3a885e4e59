import PathLearning
import PathTelemetry

/// Counters of one path, both directions, for tables and JSON.
public struct PathStatistics: Sendable {
    public var packetsSent: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var packetsReceived: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// The same bytes with IP and UDP headers, as an interface counts them; packets that arrived
    /// twice count twice.
    var ipBytesSent: UInt64 = 0
    var ipBytesReceived: UInt64 = 0
    /// Packets that did not arrive, as the peer counts them, and those given up since.
    public var packetsLost: UInt64 = 0
    /// Packets declared lost and acknowledged later.
    var spuriousLosses: UInt64 = 0
    /// Bytes of stream data retransmitted on this path.
    public var bytesRetransmitted: UInt64 = 0
    /// Packets that failed authentication, and packets that were received before.
    var forged: UInt64 = 0
    var replayed: UInt64 = 0
    /// Decisions that chose this path.
    public var decisions: UInt64 = 0
    /// Bursts that were sent on this path first and whose outcome is known, and how many of them
    /// arrived after their deadline or never.
    public var outcomes: UInt64 = 0
    public var lateOutcomes: UInt64 = 0
    public var failovers: UInt64 = 0

    public init() {}
}

/// One path of a connection: addresses, state, loss recovery, and received packets.
struct Path: ~Copyable {
    private let pin = Pin()
    let id: PathID
    /// The client's name for it, safe to show; empty if it gave none.
    var name = ""
    var traits: PathTraits
    /// Number of the local socket that the path uses.
    var socket: Int
    var remote: SocketAddress
    /// Server only: the address that the client sends to, if the socket has several.
    var local: SocketAddress?
    private(set) var state: PathState
    var stateChangedAt: Instant

    var recovery: PathRecovery
    var received = ReceivedPackets()
    var mtu: PathMTU
    var estimator: PathEstimator
    var statistics = PathStatistics()
    var delays = PathDelays()

    var validation = PathValidation()
    var trust = PathTrust.none
    /// Whether the peer's address changed and the new one is not validated yet.
    var hasMoved = false
    /// Challenge of the peer that has to be answered on this path.
    var pendingResponse: UInt64?
    /// Whether the peer asked for an acknowledgement on this path.
    var answersHere = false

    /// Arrival of the latest authenticated packet on this path.
    private(set) var lastReceivedAt: Instant?
    /// Mean time between two such packets; a longer pause counts as the first value.
    private(set) var arrivalSpacing = Path.longestSpacing
    /// The end of the latest pause between them that was longer than the usual ones explain.
    private var pausedAt = Instant.zero
    /// Latest proof that packets on this path arrive: an acknowledgement or an answered challenge.
    private(set) var lastReplyAt: Instant?
    /// When this host last began to listen again after it had stood still.
    private var awakeSince = Instant.zero
    /// When replies resumed after the latest pause.
    private var repliesSince = Instant.zero
    var probeDue = false
    var nextProbeAt = Instant.distantFuture
    var probesAnswered = 0
    /// The path's status as the peer announced it.
    var peerStatus = PathStatus.available
    var peerStatusSequence: UInt64 = 0
    /// Status that has to be sent to the peer.
    var statusToSend: PathStatus?
    /// Whether the name has to be sent to the peer.
    var isNameDue = false
    /// Sequence number of the latest name from the peer.
    var nameSequence: UInt64 = 0
    /// Whether the recording does not know the path, or not by this name.
    var isUnrecorded = false
    var wasRecorded = false
    /// Packet tolerance of the last ACK_FREQUENCY frame, and of the one to send.
    var requestedTolerance = 2
    var toleranceToSend: Int?
    /// For how long the peer may hold an acknowledgement back by the last such frame.
    var requestedDelay = TimeDelta.infinite
    /// Pieces that a redundant policy also sends on this path.
    var copies = FIFO<FrameCopy>()
    /// When the path was last given stream or message data.
    var lastPayloadAt: Instant?
    /// When an ack-eliciting packet was last sent on the path.
    var lastAskedAt = Instant.zero
    /// When an ack-eliciting packet last arrived on the path.
    var lastHeardAskingAt = Instant.zero

    init(
        id: PathID, traits: PathTraits, socket: Int, remote: SocketAddress, datagramLimit: Int,
        algorithm: CongestionAlgorithm, initialWindowPackets: Int, now: Instant
    ) {
        self.id = id
        self.traits = traits
        self.socket = socket
        self.remote = remote
        state = .validating
        stateChangedAt = now
        recovery = PathRecovery(
            path: id,
            configuration: CongestionConfiguration(
                maximumPacketSize: PathMTU.base, initialWindowPackets: initialWindowPackets),
            algorithm: algorithm, rateLimit: traits.rateLimit)
        mtu = PathMTU(ceiling: datagramLimit)
        estimator = PathEstimator()
    }

    mutating func setState(_ new: PathState, now: Instant) {
        state = new
        stateChangedAt = now
    }

    /// The name of the path; `path 3` if it has none.
    var shownName: String { name.isEmpty ? "path \(id.rawValue)" : name }

    /// Whether the path works: it is active or standing by.
    var isUsable: Bool { state == .active || state == .standby }
    /// The state while it works: standby if the user made it a backup path or the peer asked for
    /// it.
    var workingState: PathState {
        traits.isBackup || peerStatus == .standby ? .standby : .active
    }
    /// Whether the path is spared while others may work: a standby path, or one with a price.
    var isReserve: Bool { traits.isBackup || traits.pricePerGB > 0 }
    /// Whether the path exists and may still become usable.
    var isAlive: Bool { state != .closed }

    /// Bytes that the threefold limit allows before the address is validated (RFC 9000, 8.1).
    var amplificationRoom: Int {
        validation.isValidated || !validation.isLimited
            ? .max : max(0, 3 * validation.bytesReceived - validation.bytesSent)
    }

    /// Replies further apart than this may have been delayed by a stalled host.
    static let replyPause = TimeDelta.milliseconds(5)
    /// How long after such a pause replies on one path are no evidence of silence on another.
    static let replyGrace = TimeDelta.milliseconds(3)

    /// No answer is overdue sooner, and no path is taken for silent after less time without a reply.
    private static let leastSilence = TimeDelta.milliseconds(30)
    private static let leastQuiet = TimeDelta.milliseconds(10)
    /// By how much a regular answer may be late, at least.
    private static let answerMargin = TimeDelta.milliseconds(1)
    /// Packets on the way of which some are answered all the time.
    private static let densePackets = 24

    /// The silence after which a path is suspect while others answer: 1.5 round trips, with
    /// allowance for the variation and for delayed acknowledgements.
    var silenceLimit: TimeDelta {
        let rtt = recovery.rtt
        let steady = max(rtt.smoothed + rtt.smoothed / 2, rtt.smoothed + rtt.variation * Int64(4))
        return max(steady + recovery.peerAckDelay, Path.leastSilence)
    }

    /// When the path has been silent for too long; nil while nothing is unanswered.
    ///
    /// That is `silenceLimit` after the latest reply. It is sooner if the oldest packet is overdue
    /// and no reply has come for half a round trip, or a quarter if many packets are on the way, with
    /// allowance for the variation: a path that always has packets on the way is also answered all
    /// the time. If it then answers regularly, it is the time by which a packet above all answered ones
    /// would have been.
    var silenceDue: Instant? {
        guard let oldest = recovery.oldestUnanswered else { return nil }
        let start = max(max(oldest, lastReplyAt ?? .zero), awakeSince)
        let rtt = recovery.rtt
        let spread = rtt.variation * Int64(4)
        let answer = rtt.smoothed + max(spread, rtt.smoothed / 4) + recovery.peerAckDelay
        let overdue = max(oldest, awakeSince) + max(answer, Path.leastSilence)
        let usual = rtt.smoothed / (isDense ? 4 : 2)
        let quiet = max(min(rtt.smoothed, usual + spread), Path.leastQuiet)
        let due = min(start + silenceLimit, max(overdue, start + quiet))
        guard isDense, let regularAnswer, let first = recovery.firstUnanswered else { return due }
        return min(due, max(first, awakeSince) + regularAnswer)
    }

    /// The longest time that an answer takes; nil if the path does not answer regularly.
    private var regularAnswer: TimeDelta? {
        let usual = recovery.rtt.smoothed
        return recovery.rhythm.next(usual: usual).map {
            $0 + max(usual / 16, Path.answerMargin) + min(requestedDelay, recovery.peerAckDelay)
        }
    }

    /// The age from which data on a suspect path is also sent on others.
    ///
    /// It is not all sent again at once: many a path that seems dead only pauses, and answers soon.
    var overdueAge: TimeDelta {
        let usual = recovery.rtt.smoothed + recovery.rtt.smoothed / 4 + recovery.peerAckDelay
        return min(usual, regularAnswer ?? usual)
    }

    private var isDense: Bool { recovery.elicitingInFlight >= Path.densePackets }

    /// How long the answer to a packet may take: a round trip, four variations, and the peer's
    /// acknowledgement delay.
    var answerTime: TimeDelta { recovery.rtt.probeTimeout(maxAckDelay: recovery.peerAckDelay) }

    /// The silence after which a path is declared failed until a probe is answered.
    var failureLimit: TimeDelta {
        max(recovery.rtt.smoothed * Int64(3), .milliseconds(400))
    }

    private static let longestSpacing = TimeDelta.milliseconds(100)

    /// Takes the arrival of an authenticated packet.
    mutating func noteReceived(now: Instant) {
        if let last = lastReceivedAt {
            let pause = min(max(now - last, .zero), Path.longestSpacing)
            if pause > doubtLimit * Int64(2), pause < Path.longestSpacing { pausedAt = now }
            arrivalSpacing = arrivalSpacing + (pause - arrivalSpacing) / 8
        }
        lastReceivedAt = now
    }

    /// Whether packets of the peer have come without long pauses of late.
    func keepsPace(now: Instant) -> Bool { now - pausedAt > Path.pauseMemory }

    mutating func noteReply(now: Instant) {
        if now - (lastReplyAt ?? .zero) > Path.replyPause { repliesSince = now }
        lastReplyAt = max(lastReplyAt ?? .zero, now)
    }

    /// Whether replies came after `start`, and not only just now.
    ///
    /// After a stall of either host everything is answered at once, one path a moment before
    /// another; that is no evidence about the other path.
    func answers(since start: Instant, now: Instant) -> Bool {
        guard let lastReplyAt, lastReplyAt > start else { return false }
        return now - repliesSince >= Path.replyGrace
    }

    /// Whether the path only acknowledges and probes while the peer sends: an answer may wait in
    /// the peer's queue behind its data, so silence is weak evidence.
    func onlyListens(now: Instant) -> Bool {
        if let sent = lastPayloadAt, now - sent < .seconds(1) { return false }
        guard let heard = lastReceivedAt else { return false }
        return now - heard < max(.milliseconds(50), recovery.rtt.smoothed)
    }

    /// Data that is unacknowledged for this long, while other paths answer far sooner, is also sent
    /// there: the path still works, but so slowly that the stream waits for it.
    ///
    /// Where a long queue is usual, data is late later: the stream waited for such data before.
    var staleLimit: TimeDelta {
        max(leastStaleAge, min(recovery.rtt.smoothed * Int64(2), .milliseconds(200)))
    }

    /// The least value of `staleLimit`; a path that answers in a third of that is far faster.
    var leastStaleAge: TimeDelta { max(.milliseconds(150), recovery.rtt.minimum * Int64(3)) }

    /// When the oldest unanswered packet was sent or the last reply came, whichever is later.
    var silentSince: Instant? {
        guard let oldest = recovery.oldestUnanswered else { return nil }
        return max(max(oldest, lastReplyAt ?? .zero), awakeSince)
    }

    /// How long the peer has not answered.
    func silence(now: Instant) -> TimeDelta? { silentSince.map { now - $0 } }

    /// This host stood still: nothing before counts as silence or as a round trip.
    mutating func handleStall(now: Instant) {
        awakeSince = now
        recovery.handleStall(now: now)
    }

    /// Queues a copy; a path far slower than the others drops its oldest.
    mutating func addCopy(_ copy: FrameCopy) {
        if copies.count >= FrameCopy.queueLimit { _ = copies.popFirst() }
        copies.append(copy)
    }

    func snapshot(now: Instant) -> PathSnapshot {
        var snapshot = PathSnapshot(path: id, state: state, traits: traits)
        snapshot.smoothedRTT = recovery.rtt.smoothed
        snapshot.rttVariation = recovery.rtt.variation
        snapshot.latestRTT = recovery.rtt.latest
        snapshot.minRTT = recovery.rtt.minimum
        snapshot.bytesInFlight = recovery.bytesInFlight
        snapshot.congestionWindow = recovery.controller.congestionWindow
        snapshot.pacingRate = pacingRate
        snapshot.deliveryRate = recovery.controller.bandwidthEstimate
        snapshot.pacingDelay = recovery.pacer.delay(now: now)
        snapshot.oldestUnanswered = recovery.oldestUnanswered
        snapshot.lastReply = lastReplyAt
        snapshot.probeTimeouts = recovery.probeTimeouts
        return snapshot
    }

    /// The controller's pacing rate within the user's limit, bytes per second.
    var pacingRate: Double { recovery.pacingRate }

    /// Bytes that congestion control and pacing allow now.
    func room(now: Instant) -> Int {
        guard hasWindow, recovery.pacer.hasBurst(now: now) else { return 0 }
        let budget = recovery.pacer.budget(now: now)
        // A pacer with any credit allows one more whole packet.
        return min(recovery.windowRoom, max(budget, mtu.current))
    }

    /// The rate that a transfer can expect, bytes per second; above zero.
    var transferRate: Double {
        1
            / estimator.evidence.serviceTime(
                expected: max(pacingRate, CongestionLimits.minimumPacingRate))
    }

    /// Bytes of messages that may be sent now.
    ///
    /// Beside streams that always take what the pacer allows, a message would find room on the path
    /// that happens to have some. So beside them it may take two packets more than window and pacer
    /// allow, and streams pay the pacer's debt.
    ///
    /// - Parameter goesAhead: streams wait, and it is not their turn.
    func messageRoom(goesAhead: Bool, now: Instant) -> Int {
        let room = room(now: now)
        guard room == 0, goesAhead, !recovery.packets.isFull else { return room }
        let reserve = 2 * mtu.current
        let window = recovery.windowRoom + reserve
        let credit = recovery.pacer.credit(now: now, debt: reserve)
        guard window >= PathMTU.base, credit > 0 else { return 0 }
        return min(window, max(credit, mtu.current))
    }

    /// Seconds until `bytes` more have arrived, behind what is in flight: a window that still grows
    /// doubles each round trip.
    ///
    /// - Parameter clock: tells how long the way out takes, which may be most of a round trip when
    ///   acknowledgements come over another path.
    func arrival(of bytes: Int, clock: borrowing ClockOffset, now: Instant) -> Double {
        let rtt = recovery.rtt
        let rate = transferRate
        let queued = max(0, Double(recovery.bytesInFlight) / rate - rtt.minimum.seconds)
        let wayOut = clock.leastDelay(of: id) ?? rtt.minimum.seconds / 2
        var time = queued + wayOut + Double(bytes) / rate
        if recovery.controller.isDoubling {
            let wanted = Double(bytes) + Double(recovery.bytesInFlight)
            var window = Double(recovery.controller.congestionWindow)
            while window < wanted {
                window *= 2
                time += rtt.smoothed.seconds
            }
        }
        return time
    }

    /// Whether an answer is due for longer than the path's variation explains.
    func isOverdue(now: Instant) -> Bool {
        silence(now: now).map { $0 > recovery.rtt.smoothed + recovery.rtt.variation * Int64(4) }
            ?? false
    }

    /// Whether the path was given data in the last seconds.
    private func carriesData(now: Instant) -> Bool {
        lastPayloadAt.map { now - $0 < .seconds(10) } ?? false
    }

    /// Whether the path may send an MTU probe, if one is due.
    ///
    /// An idle path is not searched again: two dozen probes every ten minutes would be up to 19 MB
    /// a day.
    func takesMTUProbe(now: Instant) -> Bool {
        isUsable && validation.isValidated && (!mtu.isRaising || carriesData(now: now))
            && recovery.windowRoom >= mtu.probeSize(now: now) ?? 0
    }

    /// Whether the congestion window allows another packet.
    var hasWindow: Bool {
        !recovery.packets.isFull && recovery.windowRoom >= PathMTU.base
    }
}

/// A piece of a stream or a message that is also sent on another path.
struct FrameCopy {
    static let queueLimit = 1024
    var frame: SentFrame
    var decision: UInt64
}

/// Path validation: the proof that the peer is reached at an address (RFC 9000, section 8.2).
struct PathValidation {
    static let retryInterval = TimeDelta.milliseconds(250)
    static let attemptLimit = 8
    /// Attempts after which the interval grows beyond a second.
    static let eagerAttempts = 30

    private(set) var isValidated = false
    /// Server only: whether little may be sent, since the address may not have asked for it.
    var isLimited = false
    /// The latest challenges: with a round trip above a second the answer to one arrives after the
    /// next was sent.
    private var tokens = InlineArray<8, UInt64?>(repeating: nil)
    /// Challenges in all.
    private var sent = 0
    private(set) var attempts = 0
    private(set) var nextAttemptAt = Instant.zero
    var bytesReceived = 0
    var bytesSent = 0

    /// Whether a challenge has to be sent now.
    func isDue(now: Instant) -> Bool { !isValidated && now >= nextAttemptAt }

    /// - Parameter longest: the interval that is not exceeded after many attempts.
    mutating func handleChallengeSent(_ token: UInt64, longest: TimeDelta, now: Instant) {
        tokens[sent % tokens.count] = token
        sent &+= 1
        attempts += 1
        let backoff = Int64(1) << Int64(min(attempts - 1, 2))
        var interval = PathValidation.retryInterval * backoff
        if attempts > PathValidation.eagerAttempts {
            interval = max(
                interval,
                min(.seconds(Int64(attempts - PathValidation.eagerAttempts)), longest))
        }
        nextAttemptAt = now + interval
    }

    /// Makes the next attempt due, and further ones as frequent as at first.
    mutating func hurry(now: Instant) {
        guard !isValidated else { return }
        attempts = 0
        nextAttemptAt = now
    }

    /// The latest challenge; nil before the first, and once the path is validated.
    var token: UInt64? { sent > 0 ? tokens[(sent - 1) % tokens.count] : nil }

    /// Takes an answer; returns whether it fits one of the latest challenges.
    mutating func handleResponse(_ answer: UInt64) -> Bool {
        guard !isValidated, tokens.indices.contains(where: { tokens[$0] == answer }) else {
            return false
        }
        handleValidated()
        return true
    }

    mutating func handleValidated() {
        isValidated = true
        tokens = InlineArray(repeating: nil)
        nextAttemptAt = .distantFuture
    }
}
