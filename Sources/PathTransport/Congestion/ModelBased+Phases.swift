import PathTelemetry

/// The phases of the model-based controller:
///
///     startup -> drain -> [ probeDown -> cruise -> probeUp -> probeDown ... ]
///     cruise -> probeRTT -> cruise        when the minimum round trip is ten seconds old
///     any -> outage -> restoring -> cruise | probeUp
extension ModelBased {
    /// Growth per round below which the pipe may be full, and the rounds without such growth after
    /// which it is (BBRStartupFullBwThresh, BBRStartupFullBwRounds).
    static let growthThreshold = 1.25
    static let fullRounds = 3
    /// Growth during a probe after which the next probe starts at once.
    static let probeGrowthThreshold = 1.1
    /// Least rounds of cruise; the number varies so that flows do not probe in step.
    static let shortestCruise = 4
    /// Jitter whose data stays in flight when a queue is drained, in spreads.
    ///
    /// A late packet holds up those behind it, and with less in flight the link then has nothing to
    /// send: 98 % of 50 Mbit/s under a deviation of 5 ms, and 99.9 % with it.
    static let drainedSpreads = 3.0
    /// Share of the earlier bandwidth that confirms it, and the rounds allowed to reach that share.
    static let confirmedShare = 0.8
    static let restoreRounds = 5

    mutating func enter(_ next: CongestionPhase, now: Instant) {
        phase = next
        phaseStart = now
        phaseStartRound = roundCount
    }

    mutating func advancePhase(_ event: AckEvent) {
        switch phase {
        case .startup: checkStartup(event)
        case .drain: checkDrain(event)
        case .probeDown, .cruise, .probeUp: checkProbing(event)
        case .probeRTT: checkProbeRTT(event)
        case .restoring: checkRestoring(event)
        default: break
        }
        if phase == .cruise && event.now - minimumRTTTime > ModelBased.minimumRTTWindow {
            startProbeRTT(event)
        }
    }

    // MARK: Startup

    private mutating func checkStartup(_ event: AckEvent) {
        if isRoundStart && !isPipeFull && !event.rateSample.isAppLimited {
            if bandwidthFilter.value >= fullBandwidth * ModelBased.growthThreshold {
                fullBandwidth = bandwidthFilter.value
                fullWindow = lastRoundWindow
                roundsWithoutGrowth = 0
            } else if isWindowProven {
                roundsWithoutGrowth &+= 1
                // One round is enough when a queue stands.
                isPipeFull =
                    hasStandingQueue && !mayBeJitter
                    || roundsWithoutGrowth >= ModelBased.fullRounds
            }
        }
        if carefulResume.hasFound { isPipeFull = true }
        if isPipeFull {
            enter(.drain, now: event.now)
            checkDrain(event)
        }
    }

    /// Whether the bandwidth would have grown if the pipe were not full: the window was larger than when
    /// it last did, or cannot be.
    ///
    /// Under jitter a window may take twice as long as the one before it, and tells nothing.
    private var isWindowProven: Bool {
        let most = Double(CongestionLimits.maximumWindow) / ModelBased.growthThreshold
        return lastRoundWindow >= min(fullWindow * ModelBased.growthThreshold, most) || isLinkFull
            || inflightBound.isFinite
    }

    private mutating func checkDrain(_ event: AckEvent) {
        // Drain ends after a few rounds: the product may be too small for a path with jitter.
        let isLong = roundCount &- phaseStartRound > 3
        if isDrained(event) || isLong { startCruise(event) }
    }

    private func isDrained(_ event: AckEvent) -> Bool {
        let isEmpty = event.latestRTT.map { $0 <= usualRTT } ?? false
        let held = bandwidthFilter.value * jitter.spread.seconds * ModelBased.drainedSpreads
        return isEmpty
            || Double(event.bytesInFlight) <= usualProduct + held + 2 * Double(packetSize)
    }

    // MARK: Probing for bandwidth

    private mutating func startCruise(_ event: AckEvent) {
        randomLoss.end(delivered: event.rateSample.totalDelivered)
        enter(.cruise, now: event.now)
        cruiseRounds = ModelBased.shortestCruise &+ (cruiseRounds &+ 1) % 3
    }

    mutating func startUp(_ event: AckEvent, isGrowing: Bool = false) {
        enter(.probeUp, now: event.now)
        self.isGrowing = isGrowing
        probeBaseline = bandwidthFilter.value
        liftBound()
    }

    mutating func startDown(_ event: AckEvent) {
        enter(.probeDown, now: event.now)
        randomLoss.begin(delivered: event.rateSample.totalDelivered)
        probeFeedbackEnd = event.rateSample.totalDelivered &+ event.bytesInFlight
    }

    /// Raises the bound that losses set, after some cycles, until it no longer matters.
    private mutating func liftBound() {
        guard inflightBound.isFinite else { return }
        if boundedProbesLeft > 0 {
            boundedProbesLeft &-= 1
            return
        }
        inflightBound *= ModelBased.upGain
        if inflightBound > ModelBased.windowGain * 2 * bandwidthDelayProduct {
            inflightBound = .infinity
        }
    }

    private mutating func checkProbing(_ event: AckEvent) {
        let elapsed = event.now - phaseStart
        switch phase {
        case .probeUp:
            let target = ModelBased.upGain * usualProduct
            let limit = min(target, window - Double(3 * packetSize))
            let isFilled = Double(event.priorBytesInFlight) >= limit
            let isLong = roundCount &- phaseStartRound > 3
            if elapsed > usualRTT && (isFilled || isLong || event.isAppLimited) {
                startDown(event)
            }
        case .probeDown:
            if continueWhileGrowing(event) { return }
            // When packets are lost, stay long enough to measure the loss without a queue.
            let isMeasured = roundLostPackets == 0 || elapsed > usualRTT / 2
            if (isDrained(event) && isMeasured) || elapsed > usualRTT * Int64(2) {
                startCruise(event)
            }
        default:
            if continueWhileGrowing(event) { return }
            if elapsed > usualRTT * Int64(cruiseRounds) { startUp(event) }
        }
    }

    /// Probes again at once when the last probe found more bandwidth and left no queue.
    private mutating func continueWhileGrowing(_ event: AckEvent) -> Bool {
        guard isRoundStart, !hasQueue, probeBaseline > 0,
            bandwidthFilter.value >= probeBaseline * ModelBased.probeGrowthThreshold
        else { return false }
        // The path now has more bandwidth than when the bound was set.
        boundedProbesLeft = 0
        startUp(event, isGrowing: true)
        return true
    }

    // MARK: Probing for the round trip

    private mutating func startProbeRTT(_ event: AckEvent) {
        enter(.probeRTT, now: event.now)
        probeRTTHoldRound = nil
        probeRTTMinimum = SustainedMinimum()
    }

    private mutating func checkProbeRTT(_ event: AckEvent) {
        // The data delivered during the dip does not measure the bandwidth.
        selfLimitedUntil = event.rateSample.totalDelivered &+ event.bytesInFlight
        let target = max(bandwidthDelayProduct * ModelBased.probeRTTGain, minimumWindow)
        if probeRTTHoldRound == nil && Double(event.bytesInFlight) <= target {
            probeRTTHoldRound = roundCount
        }
        let isHeld = probeRTTHoldRound.map { roundCount &- $0 >= 2 } ?? false
        guard isHeld || event.now - phaseStart >= ModelBased.probeRTTLimit else { return }
        if probeRTTMinimum.least != .infinite {
            sustainedRTT = probeRTTMinimum
            minimumRTT = sustainedRTT.value(spread: jitter.spread)
        }
        minimumRTTTime = event.now
        startCruise(event)
        window = max(window, bandwidthDelayProduct)
    }

    // MARK: Outages

    /// Sends at the earlier rate, with a small window that doubles each round.
    mutating func startRestoring(now: Instant) {
        restoreBandwidth = bandwidthFilter.value
        minimumRTTTime = now
        lastEventTime = now
        roundBandwidth = 0
        roundLostBytes = 0
        roundLostPackets = 0
        let initial = Double(packetSize * configuration.initialWindowPackets)
        if restoreBandwidth > 0 && isPipeFull {
            enter(.restoring, now: now)
            window = max(min(window, max(initial, bandwidthDelayProduct / 2)), minimumWindow)
        } else {
            enter(.startup, now: now)
            window = max(min(window, initial), minimumWindow)
        }
    }

    private mutating func checkRestoring(_ event: AckEvent) {
        let measured = max(roundBandwidth, lastRoundBandwidth)
        if measured >= ModelBased.confirmedShare * restoreBandwidth {
            startCruise(event)
        } else if roundCount &- phaseStartRound > ModelBased.restoreRounds {
            // The path came back with less bandwidth: adopt the measured value and probe for more.
            bandwidthFilter.reset(to: measured, at: activeTime)
            startUp(event)
        }
    }
}
