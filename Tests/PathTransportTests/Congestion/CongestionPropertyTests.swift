import Testing

@testable import PathTelemetry
@testable import PathTransport

/// The outputs stay usable for any behaviour of peer and path.
@Suite struct CongestionPropertyTests {
    private struct Source {
        var generator: SeededGenerator
        mutating func integer(_ range: ClosedRange<Int>) -> Int {
            Int.random(in: range, using: &generator)
        }
        mutating func chance(_ probability: Double) -> Bool { generator.uniform() < probability }
        /// Mostly ordinary, sometimes extreme.
        mutating func delta() -> TimeDelta {
            switch integer(0...9) {
            case 0: .zero
            case 1: TimeDelta(nanoseconds: Int64(integer(-1_000_000_000...0)))
            case 2: .seconds(Int64(integer(0...100_000)))
            default: .microseconds(Int64(integer(1...200_000)))
            }
        }
        mutating func bytes() -> Int {
            chance(0.05) ? integer(0...1 << 40) : integer(0...200_000)
        }
    }

    @Test(arguments: CongestionAlgorithm.allCases, 1...40)
    func randomEventsNeverTrapNorLeaveTheBounds(algorithm: CongestionAlgorithm, seed: Int) {
        var source = Source(generator: SeededGenerator(seed: UInt64(seed)))
        var packetSize = 1_200
        var controller = Controller(
            algorithm, CongestionConfiguration(maximumPacketSize: packetSize))
        var rate = DeliveryRateEstimator()
        var rtt = RTTEstimator()
        var pacer = Pacer(rate: controller.pacingRate, maximumPacketSize: packetSize)
        var now = Instant.zero
        var number: UInt64 = 0
        var states: [(DeliveryState, Instant)] = []
        for event in 0..<2_000 {
            now = now + source.delta()
            switch source.integer(0...12) {
            case 0...4:
                let inFlight = source.bytes()
                states.append(
                    (
                        rate.handleSent(bytes: packetSize, bytesInFlight: inFlight, now: now), now
                    ))
                controller.handleSent(
                    now: now, bytes: packetSize, packetNumber: number, bytesInFlight: inFlight)
                pacer.handleSent(bytes: packetSize, now: now)
                number += 1
            case 5...8:
                if source.chance(0.9) {
                    rtt.update(sample: source.delta(), ackDelay: source.delta(), now: now)
                }
                let bytes = source.bytes()
                if let (state, sentTime) = states.popLast() {
                    rate.handleAcked(
                        state, sentTime: sentTime, bytes: bytes, now: now,
                        receivedTime: source.chance(0.5) ? now + source.delta() : nil)
                }
                if source.chance(0.1) { rate.handleAppLimited(bytesInFlight: source.bytes()) }
                let sample = rate.takeSample(now: now, minimumRTT: rtt.minimum)
                controller.handleAck(
                    AckEvent(
                        now: now, ackedBytes: bytes, largestAcked: number / 2,
                        largestSent: number, bytesInFlight: source.bytes(),
                        priorBytesInFlight: source.bytes(),
                        latestRTT: source.chance(0.8) ? source.delta() : nil,
                        smoothedRTT: source.chance(0.9) ? rtt.smoothed : source.delta(),
                        minimumRTT: rtt.minimum, rateSample: sample,
                        isAppLimited: source.chance(0.2)))
            case 9, 10:
                let bytes = source.bytes()
                rate.handleLost(bytes: bytes)
                controller.handleLoss(
                    LossEvent(
                        now: now, lostBytes: bytes, lostPackets: source.integer(0...100_000),
                        largestLost: number / 2, largestSent: number,
                        bytesInFlight: source.bytes(),
                        isPersistentCongestion: source.chance(0.1)))
            case 11:
                if source.chance(0.5) {
                    controller.handleOutage(now: now)
                } else {
                    controller.handleRestored(now: now)
                }
            default:
                packetSize = source.integer(576...9_000)
                controller.handleMaximumPacketSize(packetSize)
            }
            pacer.update(rate: controller.pacingRate, maximumPacketSize: packetSize, now: now)
            let isBounded =
                controller.congestionWindow >= 2 * packetSize
                && controller.congestionWindow <= CongestionLimits.maximumWindow
                && controller.pacingRate.isFinite && controller.pacingRate > 0
                && controller.bandwidthEstimate.isFinite && controller.bandwidthEstimate >= 0
                && pacer.delay(now: now) >= .zero
                && pacer.budget(now: now) <= Pacer.maximumBurst + Pacer.maximumSaving
            guard isBounded else {
                Issue.record(
                    "event \(event): \(controller.name) \(controller.congestionWindow), \(pacer)")
                return
            }
        }
    }

    @Test func sameEventsGiveTheSameOutputs() {
        var settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        settings.loss = .bernoulli(0.02)
        let one = modelFlow(settings, seconds: 3, seed: 9)
        let two = modelFlow(settings, seconds: 3, seed: 9)
        #expect(one.record.deliveredBytes == two.record.deliveredBytes)
        #expect(one.record.windows == two.record.windows)
        #expect(one.controller.pacingRate == two.controller.pacingRate)
    }

    @Test(arguments: CongestionAlgorithm.allCases)
    func theChosenAlgorithmAnswers(algorithm: CongestionAlgorithm) {
        let controller = Controller(algorithm)
        #expect(controller.name == algorithm.rawValue)
        #expect(controller.congestionWindow == 12_000)
    }
}
