import PathTelemetry

/// A controller that models a path by its bandwidth and its round-trip time without a queue.
///
/// The core is BBR (draft-ietf-ccwg-bbr): pace at the largest recent delivery rate, keep a small
/// multiple of the bandwidth-delay product in flight, and probe for more in a cycle. It differs
/// from BBR, for links of a bonded connection:
///
/// - Loss counts as congestion only with evidence: above 3 % of a round when a queue stands, 5 %
///   while probing (both on top of random loss), otherwise 20 %. It then bounds the data in flight
///   for a few cycles, never below the bandwidth-delay product. BBRv3 reacts to 2 % of any loss, by
///   30 %.
/// - Loss that also occurs while sending below the bandwidth is random; pacing compensates for it.
/// - The bandwidth is the maximum of 12 minimum round trips *of time*, so that a path whose queue
///   makes rounds last seconds lowers its rate within a quarter of a second.
/// - Probing continues from round to round while the bandwidth grows, and then doubles the rate.
/// - Jitter is measured, and belongs to the pipe: the window is twice the product with the minimum
///   round trip and the jitter, and a queue is what exceeds both. The minimum is one that lasted, so
///   that one early packet does not decide (`SustainedMinimum`), and one of a flight: what single
///   packets measured before is forgotten when the first flight begins (`FirstFlight`).
/// - Startup on a path with jitter doubles the window as long as the bandwidth grows, and no single
///   round ends it.
/// - What packets called lost have changed is undone when they arrive.
/// - The minimum round trip counts as fresh when a sample comes close to it, and measuring it again
///   halves the data in flight for one round trip (bbr_probe_rtt_cwnd_gain in Linux BBRv3).
/// - Losses and silence during an outage do not change the model, nor does a round trip without any
///   arrival; after an outage the earlier estimate is confirmed within a few rounds.
///
/// Phases and the calls between them are in `ModelBased+Phases.swift`.
struct ModelBased: ~Copyable, CongestionController {
    private let pin = Pin()
    /// The smallest gain that doubles the rate each round, 4 ln 2 (BBRStartupPacingGain).
    static let startupGain = 2.77
    /// Window in startup and steady state, in bandwidth-delay products (BBRDefaultCwndGain).
    static let windowGain = 2.0
    /// Gain that empties in one round the queue that startup built, 1 / 2.89 (BBRDrainPacingGain).
    static let drainGain = 0.35
    /// Gains of the probing cycle (BBRv1; BBRv3 goes down with 0.9).
    static let upGain = 1.25
    static let downGain = 0.75
    /// Gain of a probe after one that found more bandwidth without a queue.
    static let growthGain = 2.0
    /// Mean pacing rate as a share of the estimate, except while cruising without a
    /// queue (BBRPacingMarginPercent 1).
    static let pacingMargin = 0.99
    /// Data in flight while the minimum round trip is measured, in bandwidth-delay products
    /// (BBRProbeRTTCwndGain).
    static let probeRTTGain = 0.5
    static let probeRTTLimit = TimeDelta.milliseconds(200)
    /// How long a minimum round trip stays valid (MinRTTFilterLen).
    static let minimumRTTWindow = TimeDelta.seconds(10)
    /// Window of the bandwidth filter in minimum round trips, and its least length.
    static let bandwidthWindowRounds: Int64 = 12
    static let minimumBandwidthWindow = TimeDelta.milliseconds(50)
    /// Least window in packets (BBRMinPipeCwnd).
    static let minimumWindowPackets = 4
    /// Share of lost bytes in a round above which data in flight is bounded: with a queue, while
    /// probing, and without a queue; and the least number of lost packets (6 is
    /// BBRStartupFullLossCnt).
    static let lossThresholdWithQueue = 0.03
    static let lostPacketsWithQueue = 6
    static let lossThresholdOfProbe = 0.05
    static let lossThresholdWithoutQueue = 0.2
    static let lostPacketsWithoutQueue = 12
    /// Startup without a queue tolerates loss up to this share; above it, pacing is far too fast
    /// for the link.
    static let startupLossThreshold = 0.4
    /// Probes that respect a bound before it is raised step by step.
    static let boundedProbes = 3
    /// Room above the bandwidth-delay product that a bound leaves, per unit of random loss.
    static let slackPerLoss = 5.0
    /// The most random loss that pacing compensates for.
    static let maximumCompensatedLoss = 0.1
    /// Decrease of the bound on data in flight (BBRBeta is 0.7).
    static let inflightDecrease = 0.9
    /// Time of data that aggregation may add to the window, and in startup.
    static let longestAggregation = TimeDelta.milliseconds(100)
    static let startupAggregation = TimeDelta.milliseconds(10)
    static let startupSpreads = 4.0
    /// Gains in startup once the link delivers less than is sent and a queue grows: the rate may
    /// still grow, but the queue is at most half a product.
    static let fullStartupGain = 1.25
    static let fullWindowGain = 1.5
    /// What the first packets may raise the window to, in initial windows; slow start doubles it.
    static let trainWindows = 4.0
    /// A round-trip time above the minimum by this factor shows a standing queue.
    static let queueFactor = 1.25
    /// What jitter may add to all round trips of a round; more is a queue.
    static let longestJitter = TimeDelta.milliseconds(100)

    let configuration: CongestionConfiguration
    var packetSize: Int

    // The model.
    var bandwidthFilter = WindowedMaximum()
    /// Time during which the bandwidth could be measured.
    var activeTime = TimeDelta.zero
    var lastEventTime: Instant?
    var minimumRTT = TimeDelta.infinite
    var sustainedRTT = SustainedMinimum()
    private var firstFlight = FirstFlight()
    var jitter = JitterEstimator()
    var minimumRTTTime = Instant.zero
    var aggregation = AckAggregation()
    /// Upper bound of the data in flight that losses set, bytes.
    var inflightBound = Double.infinity
    var boundedProbesLeft = 0
    var randomLoss = RandomLossEstimator()

    // Rounds: a round ends when a packet sent after its start is acknowledged.
    var roundCount = 0
    var roundEnd = 0
    var isRoundStart = false
    /// The window when the round began, and when the one before it did.
    private var roundWindow = 0.0
    var lastRoundWindow = 0.0
    var roundMinimumRTT = TimeDelta.infinite
    var lastRoundMinimumRTT = TimeDelta.infinite
    var roundBandwidth = 0.0
    var lastRoundBandwidth = 0.0
    var roundAckedBytes = 0.0
    var roundLostBytes = 0.0
    var roundLostPackets = 0
    var roundFirstLost = UInt64.max
    var roundLastLost: UInt64 = 0
    /// The latest verdict on losses, as long as it may turn out to be wrong.
    var verdict: LossVerdict?
    var isLossHandledInRound = false
    var latestRTT = TimeDelta.zero

    // Phases.
    var phase = CongestionPhase.startup
    var phaseStart = Instant.zero
    var phaseStartRound = 0
    var isPipeFull = false
    var fullBandwidth = 0.0
    /// The window of the round in which the bandwidth last grew.
    var fullWindow = 0.0
    var fullLink = FullLink()
    var roundsWithoutGrowth = 0
    /// Bandwidth when the last probe began.
    var probeBaseline = 0.0
    /// Whether the probe under way follows one that found more bandwidth.
    var isGrowing = false
    /// Value of `delivered` at which all packets of the last probe are delivered.
    var probeFeedbackEnd = 0
    var cruiseRounds = 0
    var probeRTTHoldRound: Int?
    var probeRTTMinimum = SustainedMinimum()
    /// Packets sent before this value of `delivered` were limited by the sender's own probing.
    var selfLimitedUntil = 0
    var largestSent: UInt64 = 0
    var outageEnd: UInt64?
    var restoreBandwidth = 0.0
    var carefulResume = CarefulResume()

    // Outputs.
    var window: Double
    var rate: Double

    init(_ configuration: CongestionConfiguration) {
        self.configuration = configuration
        packetSize = configuration.maximumPacketSize
        window = Double(configuration.initialWindow)
        rate = CongestionLimits.pacingRate(
            ModelBased.startupGain * window / configuration.initialPacingRTT.seconds)
    }

    // MARK: Handle

    mutating func handleSent(now: Instant, bytes: Int, packetNumber: UInt64, bytesInFlight: Int) {
        largestSent = max(largestSent, packetNumber)
        carefulResume.handleSent(packetNumber)
        firstFlight.handleSent(
            packetNumber, bytes: bytes, bytesInFlight: bytesInFlight,
            whole: configuration.initialWindow)
        // Nothing was in flight, so no rate could be measured during the pause.
        if bytesInFlight <= 0 { lastEventTime = now }
    }

    mutating func handleAck(_ event: AckEvent) {
        guard phase != .outage else { return }
        updateRound(event)
        updateMinimumRTT(event)
        updateBandwidth(event)
        if phase == .startup {
            fullLink.handleAck(
                event, minimum: minimumRTT, spread: jitter.spread, packetSize: packetSize,
                round: roundCount)
        }
        randomLoss.handleAck(bytes: event.ackedBytes, sample: event.rateSample)
        aggregation.handleAck(
            now: event.now, bytes: event.ackedBytes, bandwidth: bandwidthFilter.value,
            isRoundStart: isRoundStart)
        if isLossExcessive && !isLossHandledInRound {
            handleExcessiveLoss(event)
            if let most = carefulResume.handleCongestion() { limitWindow(most) }
        }
        advancePhase(event)
        updateRate()
        let before = window
        updateWindow(event)
        if carefulResume.holdsWindow { window = min(window, before) }
        resumeCarefully(event)
    }

    /// Jumps to the capacity that the path had earlier, as long as nothing shows a full link.
    private mutating func resumeCarefully(_ event: AckEvent) {
        if phase != .startup || isLinkFull { carefulResume.handleFullLink() }
        let initial = configuration.initialWindow
        if let wanted = carefulResume.handleAck(event, window: window, initialWindow: initial) {
            window = max(wanted, minimumWindow)
        }
        if let paced = carefulResume.pacingRate {
            rate = paced
        } else if phase == .startup, let most = carefulResume.expectedRate {
            rate = min(rate, most)
        }
    }

    mutating func handleLoss(_ event: LossEvent) {
        if let outageEnd, event.largestLost <= outageEnd { return }
        roundFirstLost = min(roundFirstLost, event.smallestLost)
        roundLastLost = max(roundLastLost, event.largestLost)
        randomLoss.handleLost(bytes: event.lostBytes)
        if event.isPersistentCongestion { window = minimumWindow }
        // A full queue lets some packets through. When none arrives for a round trip, the link failed:
        // that sets no bound, but startup does not go on blindly.
        if event.longestRun >= usualRTT {
            isPipeFull =
                isPipeFull || event.lostPackets >= ModelBased.lostPacketsWithoutQueue
            return
        }
        roundLostBytes += Double(event.lostBytes)
        roundLostPackets &+= event.lostPackets
    }

    mutating func handleSpuriousLoss(_ event: SpuriousLoss) {
        randomLoss.handleSpuriousLoss(bytes: event.bytes)
        roundLostBytes = max(0, roundLostBytes - Double(event.bytes))
        roundLostPackets = max(0, roundLostPackets &- 1)
        reviewVerdict(event)
    }

    mutating func handleOutage(now: Instant) {
        guard phase != .outage else { return }
        enter(.outage, now: now)
        carefulResume.end()
        outageEnd = largestSent
    }

    mutating func handleRestored(now: Instant) {
        guard phase == .outage else { return }
        outageEnd = largestSent
        startRestoring(now: now)
        updateRate()
    }

    mutating func handleMaximumPacketSize(_ bytes: Int) {
        packetSize = max(bytes, CongestionLimits.smallestPacket)
        window = max(window, minimumWindow)
    }

    mutating func resume(from saved: SavedCapacity) { carefulResume.begin(saved) }

    // MARK: Read

    var congestionWindow: Int { CongestionLimits.window(window, maximumPacketSize: packetSize) }
    var pacingRate: Double { CongestionLimits.pacingRate(rate) }
    var bandwidthEstimate: Double { bandwidthFilter.value }
    /// The estimate may be that of the first packets, which are too few to prove it.
    var provenRate: Double {
        let measured = carefulResume.measuredRate
        return isPipeFull ? min(bandwidthFilter.value, measured) : measured
    }
    var earlierCapacity: SavedCapacity? { carefulResume.earlier }
    var isDoubling: Bool { phase == .startup && !isLinkFull }
    /// Whether startup takes the link for full.
    var isLinkFull: Bool { phase == .startup && fullLink.includes(round: roundCount) }
    var name: String { CongestionAlgorithm.modelBased.rawValue }
}

// MARK: - The model

extension ModelBased {
    var minimumWindow: Double { Double(ModelBased.minimumWindowPackets * packetSize) }

    private mutating func limitWindow(_ most: Double) {
        window = max(min(window, most), minimumWindow)
    }

    /// Bytes that fill the path without a queue; zero while unknown.
    var bandwidthDelayProduct: Double {
        minimumRTT == .infinite ? 0 : bandwidthFilter.value * minimumRTT.seconds
    }

    /// What a round trip usually takes without a queue: the minimum, and the jitter above it.
    ///
    /// The product with it measures the pipe. Twice the product with the minimum alone starves a path
    /// whose round trips are above 2.5 minima.
    var usualRTT: TimeDelta { minimumRTT == .infinite ? minimumRTT : minimumRTT + jitter.spread }

    /// Bytes that fill the path, its jitter included; zero while unknown.
    var usualProduct: Double {
        minimumRTT == .infinite ? 0 : bandwidthFilter.value * usualRTT.seconds
    }

    /// The round trip above which a queue stands.
    private var queueThreshold: TimeDelta {
        minimumRTT * ModelBased.queueFactor + .milliseconds(1) + jitter.spread * Int64(2)
    }

    /// Whether long round trips may be jitter, and not a queue: the path has some, and it explains
    /// them.
    var mayBeJitter: Bool {
        jitter.spread > minimumRTT / 16 + .microseconds(500)
            && lastRoundMinimumRTT <= minimumRTT + ModelBased.longestJitter
    }

    /// Whether the latest round trip shows a standing queue.
    var hasQueue: Bool { minimumRTT != .infinite && latestRTT > queueThreshold }

    /// Whether a queue stood for a whole round; short bursts do not count.
    var hasStandingQueue: Bool {
        lastRoundMinimumRTT != .infinite
            && min(lastRoundMinimumRTT, roundMinimumRTT) > queueThreshold
    }

    private mutating func updateRound(_ event: AckEvent) {
        isRoundStart = event.rateSample.priorDelivered >= roundEnd
        if isRoundStart { jitter.endRound() }
        if let rtt = event.latestRTT, rtt > .zero { latestRTT = rtt }
        if isRoundStart {
            roundEnd = event.rateSample.totalDelivered
            roundCount &+= 1
            lastRoundMinimumRTT = roundMinimumRTT
            lastRoundBandwidth = roundBandwidth
            roundMinimumRTT = .infinite
            roundBandwidth = 0
            // Losses of this ACK belong to the round that it ends. They count in both rounds, so
            // that a burst of losses is rather counted twice than missed.
            roundAckedBytes = 0
            if event.rateSample.newlyLostBytes <= 0 {
                roundFirstLost = .max
                roundLastLost = 0
            }
            roundLostBytes = Double(event.rateSample.newlyLostBytes)
            roundLostPackets = min(roundLostPackets, event.rateSample.newlyLostBytes / packetSize)
            isLossHandledInRound = false
            lastRoundWindow = roundWindow
            roundWindow = window
        }
        roundAckedBytes += Double(event.ackedBytes)
        if let rtt = event.overtakenRTT, rtt > .zero { jitter.handle(rtt) }
        guard let rtt = event.latestRTT, rtt > .zero else { return }
        roundMinimumRTT = min(roundMinimumRTT, rtt)
        jitter.handle(rtt)
    }

    private mutating func updateMinimumRTT(_ event: AckEvent) {
        guard let rtt = event.latestRTT, rtt > .zero else { return }
        // A path that idled under jitter was measured by single packets, which wait for no others.
        if firstFlight.begins(with: event.largestAcked) { sustainedRTT = SustainedMinimum() }
        let before = minimumRTT
        sustainedRTT.update(rtt, now: event.now)
        minimumRTT = sustainedRTT.value(spread: jitter.spread)
        // A sample that is close enough shows that the queue was empty: no new measurement is needed.
        if minimumRTT < before || rtt <= minimumRTT + minimumRTT / 16 + jitter.spread {
            minimumRTTTime = event.now
        }
        if phase == .probeRTT { probeRTTMinimum.update(rtt, now: event.now) }
    }

    private mutating func updateBandwidth(_ event: AckEvent) {
        let sample = event.rateSample
        let elapsed = lastEventTime.map { max(event.now - $0, .zero) } ?? .zero
        lastEventTime = event.now
        guard sample.rate > 0, sample.rate.isFinite else { return }
        roundBandwidth = max(roundBandwidth, sample.rate)
        if phase == .startup, sample.trainRate > bandwidthFilter.value {
            bandwidthFilter.update(
                sample.trainRate, at: activeTime, window: ModelBased.minimumBandwidthWindow)
        }
        // A whole round above twice the minimum shows a full link, even if the sender lacks data.
        let hasFullRound =
            lastRoundMinimumRTT != .infinite
            && min(lastRoundMinimumRTT, roundMinimumRTT)
                > minimumRTT * Int64(2) + .milliseconds(5) + jitter.spread * Int64(2)
        let isLimited =
            (sample.isAppLimited && !hasFullRound) || sample.priorDelivered < selfLimitedUntil
            || phase == .restoring
        guard !isLimited || sample.rate >= bandwidthFilter.value else { return }
        if !isLimited { activeTime = activeTime + elapsed }
        let base = minimumRTT == .infinite ? TimeDelta.milliseconds(20) : minimumRTT
        bandwidthFilter.update(
            sample.rate, at: activeTime,
            window: max(
                base * ModelBased.bandwidthWindowRounds, ModelBased.minimumBandwidthWindow))
    }

    // MARK: Outputs

    mutating func updateRate() {
        let bandwidth = phase == .restoring ? restoreBandwidth : bandwidthFilter.value
        guard bandwidth > 0 else { return }
        let gain: Double
        switch phase {
        case .startup: gain = isLinkFull ? ModelBased.fullStartupGain : ModelBased.startupGain
        case .drain: gain = ModelBased.drainGain
        case .probeUp: gain = isGrowing ? ModelBased.growthGain : ModelBased.upGain
        case .probeDown: gain = ModelBased.downGain
        default: gain = 1
        }
        // Cruise refills what the step down before it has emptied too far.
        let isFull = min(roundMinimumRTT, lastRoundMinimumRTT) > usualRTT + .milliseconds(1)
        let margin = phase == .startup || phase == .cruise && !isFull ? 1 : ModelBased.pacingMargin
        let wanted = gain * bandwidth * margin / (1 - compensatedLoss)
        // Early samples cover few packets, so the rate does not fall during startup.
        if phase != .startup || wanted > rate || isLinkFull { rate = wanted }
    }

    /// The random loss that pacing compensates for.
    ///
    /// It is the estimate less one standard deviation of a round's loss: the maximum filter already
    /// picks rounds with little loss, and on a path of few packets no more can be gained.
    private var compensatedLoss: Double {
        guard randomLoss.share > 0, isPipeFull else { return 0 }
        let loss = randomLoss.share - lossDeviation
        return min(max(loss, 0), ModelBased.maximumCompensatedLoss)
    }

    private mutating func updateWindow(_ event: AckEvent) {
        let product = usualProduct
        let acked = Double(event.ackedBytes)
        if phase == .probeRTT {
            window = max(min(window, product * ModelBased.probeRTTGain), minimumWindow)
            return
        }
        // In startup the paced rate is far above that of the link, and so is what it acknowledges over
        // an estimate that lags: neither may be in flight beyond twice the product.
        let paced = isPipeFull ? pacingRate : min(pacingRate, bandwidthFilter.value)
        let burst = Double(Pacer.burst(rate: paced, maximumPacketSize: packetSize))
        let allowance = min(aggregation.excess, aggregationLimit)
        let windowGain = isLinkFull ? ModelBased.fullWindowGain : ModelBased.windowGain
        var target = product * windowGain + allowance + 2 * burst
        if phase == .restoring { target = product * ModelBased.upGain + 2 * burst }
        if isPipeFull {
            window = min(window + acked, target)
        } else if window < target || isWindowTooSmall
            || event.rateSample.totalDelivered < configuration.initialWindow
        {
            window += acked
        } else if isLinkFull {
            window = target
        }
        let train = event.rateSample.trainRate
        if phase == .startup, train > 0, minimumRTT != .infinite {
            let most = ModelBased.trainWindows * Double(configuration.initialWindow)
            window = max(window, min(train * minimumRTT.seconds, most))
        }
        if inflightBound.isFinite { window = min(window, max(inflightBound, product)) }
        window = min(max(window, minimumWindow), Double(CongestionLimits.maximumWindow))
    }

    /// Whether startup still has to find out what the path holds: jitter hides that from the product,
    /// but the bandwidth grew with the window, which may double each round.
    private var isWindowTooSmall: Bool {
        !isLinkFull && roundsWithoutGrowth == 0
            && (mayBeJitter ? window < 2 * roundWindow : window < 2 * fullWindow)
    }

    /// The most that aggregation may add: a window, and 100 ms of data (bbr_extra_acked_max_us).
    ///
    /// In startup it is what jitter explains, or on short paths what 10 ms of data are above the
    /// product.
    private var aggregationLimit: Double {
        let bandwidth = bandwidthFilter.value
        if isPipeFull { return min(window, bandwidth * ModelBased.longestAggregation.seconds) }
        return max(
            bandwidth * jitter.spread.seconds * ModelBased.startupSpreads,
            bandwidth * ModelBased.startupAggregation.seconds - usualProduct)
    }
}
