import Testing

@testable import PathTelemetry
@testable import PathTransport

/// Runs one flow of the model-based controller.
func modelFlow(
    _ settings: LinkSettings, seconds: Double, seed: UInt64 = 1,
    workload: Workload = .bulk, ackEvery: Int = 2, usesReceiveTimestamps: Bool = true
) -> VirtualFlow<ModelBased> {
    let configuration = CongestionConfiguration(maximumPacketSize: 1_500)
    var flow = VirtualFlow(ModelBased(configuration), settings, seed: seed)
    flow.workload = workload
    flow.ackEvery = ackEvery
    flow.usesReceiveTimestamps = usesReceiveTimestamps
    flow.run(seconds: seconds)
    return flow
}

/// Rates and losses in the steady state: the last 16 of 20 seconds.
@Suite struct ModelBasedSteadyStateTests {
    struct CleanLink: Sendable {
        var megabits: Double
        var milliseconds: Int64
        var queueBytes = 150_000
    }

    @Test(arguments: [
        CleanLink(megabits: 20, milliseconds: 20), CleanLink(megabits: 50, milliseconds: 20),
        CleanLink(megabits: 10, milliseconds: 100), CleanLink(megabits: 100, milliseconds: 50),
        CleanLink(megabits: 15, milliseconds: 15), CleanLink(megabits: 2, milliseconds: 40),
        CleanLink(megabits: 50, milliseconds: 20, queueBytes: 15_000),
    ])
    func fillsACleanLinkWithoutFillingItsQueue(link: CleanLink) {
        var settings = LinkSettings(
            rate: link.megabits * 1e6, roundTrip: .milliseconds(link.milliseconds))
        settings.queueBytes = link.queueBytes
        let flow = modelFlow(settings, seconds: 20)
        let base = settings.roundTrip.seconds
        #expect(flow.record.goodput(4, 20) >= 0.97 * settings.rate)
        #expect(flow.record.overflowShare(4, 20) < 0.01)
        // Four packets more than the product are within the window's floor on a slow link.
        let fourPackets = 4 * 1_500 * 8 / settings.rate
        #expect(flow.record.meanRTT(4, 20) < 1.3 * base + fourPackets)
    }

    @Test(arguments: 1...10) func burstLossCostsNoMoreThanTheLostPackets(seed: Int) {
        var settings = LinkSettings(rate: 30e6, roundTrip: .milliseconds(40))
        settings.loss = .gilbertElliott(enter: 0.0051, leave: 0.25)
        let flow = modelFlow(settings, seconds: 20, seed: UInt64(seed))
        // 2 % of the packets are lost behind the bottleneck.
        #expect(flow.record.goodput(4, 20) >= 0.95 * 30e6)
        #expect(flow.record.meanRTT(4, 20) < 1.3 * 0.040)
        #expect(flow.record.overflowShare(4, 20) < 0.001)
    }

    @Test(arguments: [(20.0, 20, 0.05), (30.0, 40, 0.05), (20.0, 100, 0.1)])
    func randomLossCostsNoMoreThanTheLostPackets(
        megabits: Double, milliseconds: Int64, loss: Double
    ) {
        for seed in 1...2 {
            var settings = LinkSettings(
                rate: megabits * 1e6, roundTrip: .milliseconds(milliseconds))
            settings.loss = .bernoulli(loss)
            let flow = modelFlow(settings, seconds: 20, seed: UInt64(seed))
            #expect(flow.record.goodput(4, 20) >= (1 - loss) * 0.97 * settings.rate)
            #expect(flow.record.meanRTT(4, 20) < 1.4 * settings.roundTrip.seconds)
        }
    }

    /// A whole window may be acknowledged at once when the receiver handles packets in batches.
    @Test(arguments: [2, 45]) func gigabitOverAShortPathIsNotStarved(ackEvery: Int) {
        var settings = LinkSettings(rate: 1e9, roundTrip: .microseconds(200))
        settings.queueBytes = 500_000
        let flow = modelFlow(settings, seconds: 1.5, ackEvery: ackEvery)
        #expect(flow.record.goodput(0.3, 1.5) >= 0.95 * 1e9)
        #expect(flow.overflowDrops == 0)
    }

    /// ACKs come back over a path whose delay varies by as much as this path's round trip.
    @Test func jitterOfTheACKPathNeitherStarvesNorBloats() {
        var settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        settings.ackJitter = .milliseconds(20)
        let with = modelFlow(settings, seconds: 20)
        let without = modelFlow(settings, seconds: 20, usesReceiveTimestamps: false)
        #expect(with.record.goodput(4, 20) >= 0.95 * 20e6)
        // The receiver's clock shows the rate; the sender's shows compressed ACKs.
        #expect(with.record.meanRTT(4, 20) < 0.6 * without.record.meanRTT(4, 20))
        #expect(abs(with.controller.bandwidthEstimate * 8 / 20e6 - 1) < 0.05)
    }

    @Test func jitterOfThePathDoesNotStarve() {
        var settings = LinkSettings(rate: 50e6, roundTrip: .milliseconds(40))
        settings.jitter = .milliseconds(20)
        settings.queueBytes = 1_500_000
        let flow = modelFlow(settings, seconds: 20)
        #expect(flow.record.goodput(4, 20) >= 0.95 * 50e6)
    }

    /// Over three windows of the minimum round trip, measuring it never stops the flow.
    @Test func rateIsSteadySecondBySecond() {
        let settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        let flow = modelFlow(settings, seconds: 35)
        for second in 2..<35 {
            #expect(flow.record.goodput(Double(second), Double(second) + 1) > 0.95 * 20e6)
        }
    }
}

/// What happens when the link changes.
@Suite struct ModelBasedDynamicsTests {
    /// Seconds from `start` until 100 ms of goodput reach the share of the rate.
    private func timeToReach(
        _ bitsPerSecond: Double, from start: Double, in record: FlowRecord
    ) -> Double {
        var time = start
        while time < start + 60 {
            if record.goodput(time, time + 0.1) >= bitsPerSecond { return time + 0.1 - start }
            time += 0.01
        }
        return .infinity
    }

    @Test func startupFillsTheLinkInEightRoundTrips() {
        let flow = modelFlow(
            LinkSettings(rate: 50e6, roundTrip: .milliseconds(20)), seconds: 2)
        #expect(flow.record.goodput(0.16, 0.26) >= 0.9 * 50e6)
        #expect(flow.record.goodput(0.3, 2) >= 0.97 * 50e6)
    }

    @Test func moreBandwidthIsFoundWithinASecond() {
        var settings = LinkSettings(rate: 5e6, roundTrip: .milliseconds(20))
        settings.rateChanges = [(.seconds(5), 20e6)]
        let flow = modelFlow(settings, seconds: 10)
        #expect(timeToReach(0.9 * 20e6, from: 5, in: flow.record) < 1)
        #expect(flow.record.goodput(7, 10) >= 0.95 * 20e6)
    }

    /// A probe that follows one which found more doubles the rate, as recorded LTE links return within
    /// a tenth of a second.
    @Test func tenTimesTheBandwidthIsFoundSoon() {
        var settings = LinkSettings(rate: 2e6, roundTrip: .milliseconds(40))
        settings.rateChanges = [(.seconds(5), 20e6)]
        let flow = modelFlow(settings, seconds: 8)
        let time = timeToReach(0.9 * 20e6, from: 5, in: flow.record)
        #expect(time < 0.6, "\(time)")
        #expect(flow.record.overflowShare(5, 8) < 0.02)
    }

    @Test func lessBandwidthLeavesNoStandingQueue() {
        var settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        settings.rateChanges = [(.seconds(5), 2e6)]
        let flow = modelFlow(settings, seconds: 12)
        #expect(flow.record.meanRTT(6, 7) < 0.1)
        #expect(flow.record.meanRTT(7, 12) < 0.05)
        #expect(flow.record.goodput(6, 12) >= 0.95 * 2e6)
        #expect(flow.overflowDrops == 0)
    }

    /// A path that still delivers, at 1.5 % of its rate, behind a queue of a megabyte.
    @Test func zombiePathIsNotFedAndComesBack() {
        var settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        settings.queueBytes = 1_000_000
        settings.rateChanges = [(.seconds(5), 0.3e6), (.seconds(15), 20e6)]
        let flow = modelFlow(settings, seconds: 20)
        // The earlier window is in flight, and nothing is added to it.
        let index = flow.record.index(.zero + .milliseconds(6_500))
        let estimate = flow.record.estimates[index - 20...index].max() ?? 0
        #expect(estimate * 8 < 1.5e6)
        #expect(flow.record.goodput(9, 15) > 0.9 * 0.3e6)
        #expect(flow.record.meanRTT(9, 15) < 0.3)
        #expect(timeToReach(0.9 * 20e6, from: 15, in: flow.record) < 1.5)
    }

    @Test func outageIsForgottenWithinASecond() {
        var settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        settings.outages = [(.seconds(5), .seconds(10))]
        let flow = modelFlow(settings, seconds: 15)
        #expect(flow.outages == 1)
        // Up to 100 ms of it are the wait for the next probe.
        #expect(timeToReach(0.9 * 20e6, from: 10, in: flow.record) < 0.4)
        #expect(flow.record.goodput(11, 15) >= 0.97 * 20e6)
        #expect(flow.overflowDrops == 0)
    }

    @Test func pathThatReturnsSlowerIsBelieved() {
        var settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        settings.outages = [(.seconds(5), .seconds(10))]
        settings.rateChanges = [(.seconds(7), 4e6)]
        let flow = modelFlow(settings, seconds: 15)
        #expect(flow.record.goodput(11, 15) >= 0.95 * 4e6)
        #expect(flow.record.meanRTT(12, 15) < 0.04)
        #expect(flow.overflowDrops == 0)
    }

    @Test func flappingPathKeepsItsEstimate() {
        var settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        settings.outages = (1...5).map {
            (.milliseconds(Int64($0) * 3_000), .milliseconds(Int64($0) * 3_000 + 1_000))
        }
        let flow = modelFlow(settings, seconds: 18)
        for cycle in 1...5 {
            let back = Double(cycle) * 3 + 1
            #expect(flow.record.goodput(back + 0.4, back + 2) >= 0.95 * 20e6)
        }
    }

    @Test func senderWithoutDataKeepsTheEstimate() {
        let settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        let configuration = CongestionConfiguration(maximumPacketSize: 1_500)
        var flow = VirtualFlow(ModelBased(configuration), settings)
        flow.quiet = (.seconds(5), .seconds(15), bitsPerSecond: 2e6)
        flow.run(seconds: 20)
        let estimate = flow.record.estimates[1_495..<1_500].max() ?? 0
        #expect(estimate * 8 > 0.95 * 20e6)
        #expect(abs(flow.record.goodput(6, 15) / 2e6 - 1) < 0.02)
        #expect(timeToReach(0.9 * 20e6, from: 15, in: flow.record) < 0.15)
    }

    @Test func lowRateSenderSeesABaseRoundTrip() {
        let flow = modelFlow(
            LinkSettings(rate: 20e6, roundTrip: .milliseconds(20)), seconds: 30,
            workload: .constant(bitsPerSecond: 2e6))
        #expect(abs(flow.record.goodput(1, 30) / 2e6 - 1) < 0.02)
        #expect(flow.record.meanRTT(1, 30) < 0.027)
    }
}

/// Losses that were none.
@Suite struct ModelBasedSpuriousLossTests {
    /// Twenty packets lost one after the other, for a whole round trip, are those of a link that failed.
    @Test(arguments: [(19, false), (20, true)])
    func aRoundTripWithoutArrivalsIsNoCongestion(run: Int64, isOutage: Bool) {
        var model = ModelBased(CongestionConfiguration(maximumPacketSize: 1_500))
        for number in 0..<40 {
            model.handleSent(
                now: .zero, bytes: 1_500, packetNumber: UInt64(number), bytesInFlight: 1_500)
        }
        func acknowledge(_ largest: UInt64, after time: Int64, lost: Int = 0) {
            var sample = RateSample()
            sample.rate = 1e6
            sample.delivered = 15_000
            sample.totalDelivered = 15_000
            sample.newlyLostBytes = lost
            model.handleAck(
                AckEvent(
                    now: .zero + .milliseconds(time), ackedBytes: 15_000, largestAcked: largest,
                    largestSent: 39, bytesInFlight: 5_000, priorBytesInFlight: 50_000,
                    latestRTT: .milliseconds(20), smoothedRTT: .milliseconds(20),
                    minimumRTT: .milliseconds(20), rateSample: sample, isAppLimited: false))
        }
        acknowledge(4, after: 20)
        model.handleLoss(
            LossEvent(
                now: .zero + .milliseconds(60), lostBytes: 30_000, lostPackets: 20,
                smallestLost: 5, largestLost: 24, largestSent: 39, bytesInFlight: 20_000,
                isPersistentCongestion: false, longestRun: .milliseconds(run)))
        acknowledge(34, after: 60, lost: 30_000)
        #expect(model.inflightBound.isFinite != isOutage && model.phase != .startup)
    }

    /// What startup concluded from twenty lost packets is taken back when they arrive after all.
    @Test func startupGoesOnWhenTheLossesArrive() {
        var model = ModelBased(CongestionConfiguration(maximumPacketSize: 1_500))
        for number in 0..<40 {
            model.handleSent(
                now: .zero, bytes: 1_500, packetNumber: UInt64(number), bytesInFlight: 1_500)
        }
        let now = Instant.zero + .milliseconds(20)
        model.handleLoss(
            LossEvent(
                now: now, lostBytes: 30_000, lostPackets: 20, smallestLost: 5, largestLost: 24,
                largestSent: 39, bytesInFlight: 20_000, isPersistentCongestion: false))
        var sample = RateSample()
        sample.rate = 1e6
        sample.delivered = 15_000
        sample.totalDelivered = 15_000
        sample.newlyLostBytes = 30_000
        model.handleAck(
            AckEvent(
                now: now, ackedBytes: 15_000, largestAcked: 34, largestSent: 39,
                bytesInFlight: 5_000, priorBytesInFlight: 50_000, latestRTT: .milliseconds(20),
                smoothedRTT: .milliseconds(20), minimumRTT: .milliseconds(20), rateSample: sample,
                isAppLimited: false))
        #expect(model.phase != .startup && model.inflightBound.isFinite)
        func arrive(_ numbers: ClosedRange<UInt64>) {
            for number in numbers {
                model.handleSpuriousLoss(SpuriousLoss(now: now, number: number, bytes: 1_500))
            }
        }
        arrive(5...12)
        arrive(25...39)
        #expect(model.phase != .startup, "twelve of them are missing, and others do not count")
        arrive(13...13)
        #expect(model.phase == .startup && model.inflightBound == .infinity)
    }
}
