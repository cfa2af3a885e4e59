import PathTelemetry

#if canImport(Glibc)
    import Glibc
#endif

/// CUBIC (RFC 9438) with HyStart++ (RFC 9406): takes every loss as congestion.
///
/// It is fair to TCP, and right where losses come from full queues. On a path with random loss the
/// window settles near `1.05 * (RTT^3 / p^3)^(1/4)` packets (RFC 9438, section 5.1, RTT in
/// seconds), far below what the path carries: use the model-based controller there.
struct Cubic: CongestionController {
    /// Multiplicative decrease (RFC 9438, 4.6).
    static let beta = 0.7
    /// Growth constant in packets per second cubed (RFC 9438, 5).
    static let growth = 0.4
    /// Additive increase of the Reno-friendly window: 3 (1 - beta) / (1 + beta) (RFC 9438, 4.3).
    static let renoIncrease = 3 * (1 - beta) / (1 + beta)
    /// Pacing gain in slow start and otherwise (RFC 9002, 7.7 suggests 1.25).
    static let slowStartPacingGain = 2.0
    static let pacingGain = 1.25
    /// A window counts as used while no more than this many packets are free (RFC 9002, 7.8).
    static let unusedPackets = 3

    private let configuration: CongestionConfiguration
    private var packetSize: Int
    /// Bytes, with fractions of a packet kept.
    private var window: Double
    private var threshold = Double.infinity
    private var hyStart = HyStart()

    // One epoch of cubic growth.
    private var epochStart: Instant?
    private var windowAtEpoch = 0.0
    private var maximumWindow = 0.0
    private var originTime = 0.0
    private var renoWindow = 0.0
    private var priorWindow = 0.0

    /// The largest packet number sent before the last reduction.
    private var recoveryEnd: UInt64?
    private var reduction: Reduction?
    private var isInRecovery = false
    /// The largest packet number sent before the path failed.
    private var outageEnd: UInt64?
    private var isOutage = false
    private var largestSent: UInt64 = 0
    private var carefulResume = CarefulResume()
    private var smoothedRTT: TimeDelta

    /// What a reduction changed, so that it can be undone when none of its packets was lost.
    private struct Reduction {
        var window: Double
        var threshold: Double
        var maximumWindow: Double
        var priorWindow: Double
        /// The first packet that was called lost, and how many of them have not arrived.
        var firstLost: UInt64
        var missing: Int
    }

    init(_ configuration: CongestionConfiguration) {
        self.configuration = configuration
        packetSize = configuration.maximumPacketSize
        window = Double(configuration.initialWindow)
        smoothedRTT = configuration.initialPacingRTT
    }

    // MARK: Handle

    mutating func handleSent(now: Instant, bytes: Int, packetNumber: UInt64, bytesInFlight: Int) {
        largestSent = max(largestSent, packetNumber)
        carefulResume.handleSent(packetNumber)
    }

    mutating func handleAck(_ event: AckEvent) {
        smoothedRTT = max(event.smoothedRTT, .microseconds(1))
        if let end = recoveryEnd, event.largestAcked > end { isInRecovery = false }
        guard !isOutage else { return }
        resumeCarefully(event)
        guard !isInRecovery, !carefulResume.holdsWindow else { return }
        // A window that was not filled says nothing about the path (RFC 9002, 7.8; RFC 9438, 5.8).
        let used = event.priorBytesInFlight &+ Cubic.unusedPackets * packetSize
        guard !event.isAppLimited || used >= congestionWindow else {
            epochStart = nil
            return
        }
        if window < threshold {
            growInSlowStart(event)
        } else {
            growInAvoidance(event)
        }
    }

    /// Jumps to the capacity that the path had earlier, or leaves the retreat from that.
    private mutating func resumeCarefully(_ event: AckEvent) {
        let before = carefulResume.phase
        let wanted = carefulResume.handleAck(event, window: window, initialWindow: initialWindow)
        if let wanted { setWindow(wanted) }
        guard carefulResume.phase == .normal else { return }
        if before == .retreat {
            threshold = max(window, carefulResume.retreatThreshold)
            maximumWindow = threshold
        } else if before == .validating, let full = carefulResume.confirmedWindow {
            // Slow start ends where the path was full earlier.
            threshold = min(threshold, max(window, full))
        }
    }

    private mutating func growInSlowStart(_ event: AckEvent) {
        let ended = hyStart.handleAck(
            rtt: event.latestRTT, largestAcked: event.largestAcked,
            largestSent: event.largestSent)
        if ended {
            threshold = window
            return
        }
        let divisor = hyStart.isConservative ? Double(HyStart.conservativeGrowthDivisor) : 1
        setWindow(window + Double(event.ackedBytes) / divisor)
    }

    /// RFC 9438, sections 4.2 to 4.5.
    ///
    /// Windows are in bytes, while the cubic function counts packets.
    private mutating func growInAvoidance(_ event: AckEvent) {
        let size = Double(packetSize)
        let start: Instant
        if let epochStart {
            start = epochStart
        } else {
            start = event.now
            epochStart = start
            windowAtEpoch = window
            renoWindow = window
            if maximumWindow <= window {
                maximumWindow = window
                originTime = 0
            } else {
                originTime = cbrt((maximumWindow - window) / size / Cubic.growth)
            }
        }
        let elapsed = (event.now - start).seconds
        let ahead = elapsed + smoothedRTT.seconds - originTime
        let cubicTarget = maximumWindow + Cubic.growth * ahead * ahead * ahead * size
        let target = min(max(cubicTarget, window), 1.5 * window)

        let acked = Double(event.ackedBytes)
        let increase = renoWindow >= priorWindow ? 1 : Cubic.renoIncrease
        renoWindow += increase * size * acked / window

        let now = elapsed - originTime
        let cubicNow = maximumWindow + Cubic.growth * now * now * now * size
        if cubicNow < renoWindow {
            setWindow(max(window, renoWindow))
        } else {
            setWindow(window + (target - window) * min(acked / window, 1))
        }
    }

    mutating func handleLoss(_ event: LossEvent) {
        if let outageEnd, event.largestLost <= outageEnd { return }
        if event.isPersistentCongestion {
            reduce(event)
            setWindow(0)
            return
        }
        if let recoveryEnd, event.largestLost <= recoveryEnd {
            guard var before = reduction else { return }
            before.missing += event.lostPackets
            before.firstLost = min(before.firstLost, event.smallestLost)
            reduction = before
            return
        }
        reduce(event)
        if let most = carefulResume.handleCongestion() {
            setWindow(min(window, most))
            threshold = window
        }
    }

    /// Undoes the last reduction once all its packets have arrived (RFC 9438, section 4.9.2).
    mutating func handleSpuriousLoss(_ event: SpuriousLoss) {
        guard let recoveryEnd, let before = reduction, event.number <= recoveryEnd,
            event.number >= before.firstLost
        else { return }
        guard before.missing <= 1 else {
            reduction?.missing -= 1
            return
        }
        reduction = nil
        self.recoveryEnd = nil
        isInRecovery = false
        epochStart = nil
        threshold = max(threshold, before.threshold)
        maximumWindow = max(maximumWindow, before.maximumWindow)
        priorWindow = before.priorWindow
        setWindow(max(window, before.window))
    }

    /// RFC 9438, sections 4.6 and 4.7.
    private mutating func reduce(_ event: LossEvent) {
        reduction = Reduction(
            window: window, threshold: threshold, maximumWindow: maximumWindow,
            priorWindow: priorWindow, firstLost: event.smallestLost, missing: event.lostPackets)
        recoveryEnd = max(event.largestSent, largestSent)
        isInRecovery = true
        epochStart = nil
        priorWindow = window
        // Fast convergence: yield bandwidth when the window shrank since the last loss.
        maximumWindow =
            window < maximumWindow ? window * (1 + Cubic.beta) / 2 : window
        setWindow(window * Cubic.beta)
        threshold = window
    }

    mutating func handleOutage(now: Instant) {
        guard !isOutage else { return }
        isOutage = true
        carefulResume.end()
        outageEnd = largestSent
        epochStart = nil
    }

    /// Restarts slow start from the initial window, up to the earlier window.
    mutating func handleRestored(now: Instant) {
        guard isOutage else { return }
        isOutage = false
        isInRecovery = false
        reduction = nil
        outageEnd = largestSent
        threshold = window < threshold ? threshold : max(window, 2 * Double(packetSize))
        hyStart = HyStart()
        setWindow(min(window, Double(initialWindow)))
    }

    mutating func handleMaximumPacketSize(_ bytes: Int) {
        packetSize = max(bytes, CongestionLimits.smallestPacket)
        setWindow(window)
    }

    mutating func resume(from saved: SavedCapacity) { carefulResume.begin(saved) }

    private var initialWindow: Int { packetSize * configuration.initialWindowPackets }

    private mutating func setWindow(_ bytes: Double) {
        let floor = Double(CongestionLimits.minimumWindowPackets * packetSize)
        window = min(max(bytes, floor), Double(CongestionLimits.maximumWindow))
    }

    // MARK: Read

    var congestionWindow: Int {
        CongestionLimits.window(window, maximumPacketSize: packetSize)
    }

    var pacingRate: Double {
        if let rate = carefulResume.pacingRate { return CongestionLimits.pacingRate(rate) }
        let isSlowStart = window < threshold
        let gain = isSlowStart ? Cubic.slowStartPacingGain : Cubic.pacingGain
        let rate = gain * window / smoothedRTT.seconds
        let most = isSlowStart ? carefulResume.expectedRate ?? .infinity : .infinity
        return CongestionLimits.pacingRate(min(rate, most))
    }

    var bandwidthEstimate: Double { window / smoothedRTT.seconds }
    var provenRate: Double { min(bandwidthEstimate, carefulResume.measuredRate) }
    var earlierCapacity: SavedCapacity? { carefulResume.earlier }

    var phase: CongestionPhase {
        if isOutage { return .outage }
        if isInRecovery { return .recovery }
        guard window < threshold else { return .congestionAvoidance }
        return hyStart.isConservative ? .conservativeSlowStart : .slowStart
    }

    var isDoubling: Bool {
        switch phase {
        case .slowStart, .conservativeSlowStart: true
        default: false
        }
    }

    var name: String { CongestionAlgorithm.cubic.rawValue }
}
