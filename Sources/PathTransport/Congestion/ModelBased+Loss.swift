import PathTelemetry

/// What an excess of losses changed, so that it can be undone when the packets arrive after all.
struct LossVerdict: Sendable {
    var inflightBound: Double
    var boundedProbesLeft: Int
    var phase: CongestionPhase
    /// The range of packets that it judged, how many of them are missing, and how many it takes.
    var firstLost: UInt64
    var lastLost: UInt64
    var missing: Int
    var least: Int
}

/// What the model-based controller concludes from losses.
extension ModelBased {
    var isLossExcessive: Bool {
        let threshold: Double
        switch phase {
        case .startup where hasStandingQueue: threshold = ModelBased.lossThresholdWithQueue
        case .startup: threshold = ModelBased.startupLossThreshold
        case _ where hasQueue: threshold = ModelBased.lossThresholdWithQueue + usualLoss
        case _ where isProbeFeedback: threshold = ModelBased.lossThresholdOfProbe + usualLoss
        default: threshold = ModelBased.lossThresholdWithoutQueue
        }
        guard roundLostPackets >= leastLostPackets else { return false }
        // A round that has just begun is measured against the data of a whole round.
        let carried = max(roundAckedBytes + roundLostBytes, usualProduct)
        return roundLostBytes > threshold * carried
    }

    /// Lost packets of a round below which nothing is concluded.
    private var leastLostPackets: Int {
        let isExplained = phase == .startup ? hasStandingQueue : hasQueue || isProbeFeedback
        return isExplained
            ? ModelBased.lostPacketsWithQueue : ModelBased.lostPacketsWithoutQueue
    }

    /// Whether packets reported now were sent during a probe; reports come a round trip later.
    private var isProbeFeedback: Bool { phase == .probeUp || roundEnd < probeFeedbackEnd }

    /// Random loss that a round rarely exceeds: three standard deviations above the mean.
    var usualLoss: Double { randomLoss.share + 3 * lossDeviation }

    /// Standard deviation of the loss of one round under independent loss.
    var lossDeviation: Double {
        let share = randomLoss.share
        let packets = max(usualProduct / Double(packetSize), 1)
        return (share * (1 - share) / packets).squareRoot()
    }

    mutating func handleExcessiveLoss(_ event: AckEvent) {
        isLossHandledInRound = true
        verdict = LossVerdict(
            inflightBound: inflightBound, boundedProbesLeft: boundedProbesLeft, phase: phase,
            firstLost: roundFirstLost, lastLost: roundLastLost, missing: roundLostPackets,
            least: leastLostPackets)
        boundedProbesLeft = ModelBased.boundedProbes
        // A probe must stay possible on a lossy path, or the estimate decays with the losses.
        let slack = min(ModelBased.slackPerLoss * randomLoss.share, ModelBased.upGain - 1)
        let floor = usualProduct * (1 + slack) + 3 * Double(packetSize)
        switch phase {
        case .startup:
            // The delivered bytes estimate what the path holds (draft, 5.3.1.3).
            inflightBound = max(floor, Double(event.rateSample.delivered))
            isPipeFull = true
        case _ where isProbeFeedback:
            inflightBound = max(floor, Double(event.rateSample.bytesInFlightAtSend) * 0.85)
            if phase == .probeUp { startDown(event) }
        default:
            let current = min(inflightBound, max(window, Double(event.priorBytesInFlight)))
            inflightBound = max(floor, current * ModelBased.inflightDecrease)
        }
    }

    /// Takes the bound back when too few packets are missing to have caused it
    /// (draft-ietf-ccwg-bbr, 5.5.10).
    mutating func reviewVerdict(_ event: SpuriousLoss) {
        guard let before = verdict, event.number >= before.firstLost,
            event.number <= before.lastLost
        else { return }
        let missing = before.missing &- 1
        verdict?.missing = missing
        guard missing < before.least else { return }
        verdict = nil
        inflightBound = max(inflightBound, before.inflightBound)
        boundedProbesLeft = min(boundedProbesLeft, before.boundedProbesLeft)
        guard before.phase == .startup, phase != .outage, phase != .restoring else { return }
        // Startup goes on: nothing has shown that the pipe is full.
        isPipeFull = false
        roundsWithoutGrowth = 0
        enter(.startup, now: event.now)
    }
}
