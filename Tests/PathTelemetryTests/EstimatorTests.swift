import Foundation
import Testing

@testable import PathTelemetry

private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

@Suite struct SlidingMinimumTests {
    @Test func forgetsAfterTenSecondsAndNotBeforeNine() {
        var window = SlidingMinimum()
        #expect(window.minimum == nil)
        window.add(.milliseconds(5), now: at(500))
        window.add(.milliseconds(9), now: at(6_000))
        #expect(window.minimum == .milliseconds(5))
        window.advance(to: at(9_400))
        #expect(window.minimum == .milliseconds(5))
        window.advance(to: at(10_500))
        #expect(window.minimum == .milliseconds(9))
        window.advance(to: at(1_000_000))
        #expect(window.minimum == nil)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func liesBetweenTheMinimaOfNineAndTenSeconds(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var window = SlidingMinimum()
        var history: [(Instant, TimeDelta)] = []
        var now = Instant(nanoseconds: -3_000_000_000)
        for _ in 0..<300 {
            now += .microseconds(Int64(random.uniform() * 500_000))
            let value = TimeDelta.microseconds(Int64(random.uniform() * 1e6))
            window.add(value, now: now)
            history.append((now, value))
            let inner = history.filter { now - $0.0 < .seconds(9) }.map(\.1).min()
            let outer = history.filter { now - $0.0 <= .seconds(10) }.map(\.1).min()
            let least = window.minimum
            #expect(least != nil && inner != nil && outer != nil)
            if let least, let inner, let outer { #expect(least <= inner && least >= outer) }
        }
    }
}

@Suite struct AverageTests {
    @Test func meanAndVarianceHaveTheirClosedForm() {
        var mean = DecayingMean()
        let samples = [3.0, -1, 4, 1, 5]
        let factor = 0.8
        for sample in samples { mean.add(sample, factor: factor) }
        let weights = (0..<5).map { pow(factor, Double(4 - $0)) }
        let total = weights.reduce(0, +)
        let expected = zip(weights, samples).reduce(0) { $0 + $1.0 * $1.1 } / total
        let variance =
            zip(weights, samples).reduce(0) { $0 + $1.0 * pow($1.1 - expected, 2) } / total
        #expect((mean.weight - total).magnitude < 1e-14)
        #expect((mean.mean - expected).magnitude < 1e-14)
        #expect((mean.variance - variance).magnitude < 1e-14)
    }

    @Test func quantileSettlesAtNineTenths() {
        var random = SeededGenerator(seed: 4)
        var tracker = QuantileTracker(floor: 1e-5)
        var sum = 0.0
        for round in 0..<40_000 {
            tracker.add(random.uniform())
            if round >= 10_000 { sum += tracker.value }
        }
        #expect((sum / 30_000 - 0.9).magnitude < 0.03)
        for _ in 0..<5000 { tracker.add(random.uniform() * 10) }
        #expect(tracker.value > 6 && tracker.value < 12)
        for _ in 0..<5000 { tracker.add(0) }
        #expect(tracker.value == 1e-5)
    }
}

@Suite struct PathEstimatorTests {
    @Test func slopeIsTheFastMeanOverTheSlowOne() {
        var estimator = PathEstimator()
        for step in 0..<40 as Range<Int64> {
            let rtt = TimeDelta.milliseconds(20 + (step >= 30 ? 10 : 0))
            estimator.handleAck(
                rtt: rtt, rawOneWayDelay: nil, bytes: 1200, deliveryRate: nil, now: at(step * 50))
        }
        func mean(_ constant: Double) -> Double {
            var weight = 0.0
            var sum = 0.0
            for step in 0..<40 {
                let w = exp(-Double(39 - step) * 0.05 / constant)
                weight += w
                sum += w * (step >= 30 ? 0.030 : 0.020)
            }
            return sum / weight
        }
        let expected = (mean(0.25) - mean(1)) / mean(1)
        #expect((estimator.rttSlope - expected).magnitude < 1e-12)
        #expect(estimator.minRTT == .milliseconds(20))
        #expect((estimator.recentRTT - mean(0.25)).magnitude < 1e-12)
        #expect((estimator.delayExcess - (mean(0.25) - 0.020)).magnitude < 1e-12)
    }

    @Test func delayKeepsItsNanosecondsBesideAnEnormousClockDistance() {
        var estimator = PathEstimator()
        let distance = TimeDelta(nanoseconds: 1_770_000_000_123_456_789)
        for step in 0..<200 as Range<Int64> {
            estimator.handleAck(
                rtt: .milliseconds(40), rawOneWayDelay: distance + .microseconds(20_007),
                bytes: 1200, deliveryRate: nil, now: at(step * 10))
        }
        estimator.handleAck(
            rtt: .milliseconds(40), rawOneWayDelay: distance + .microseconds(20_000),
            bytes: 1200, deliveryRate: nil, now: at(2_000))
        #expect(estimator.rawDelayMinimum == distance + .microseconds(20_000))
        let excess = estimator.delayExcess
        #expect(excess > 6.5e-6 && excess < 7e-6)
        #expect(PathEstimator().rawDelay == nil)
    }

    @Test func lossFadesWithItsTwoTimeConstants() {
        var estimator = PathEstimator()
        estimator.handleDelivered(packets: 90, now: at(0))
        estimator.handleLoss(packets: 9, longestRun: 4, now: at(0))
        #expect((estimator.lossShareShort - 0.09).magnitude < 1e-15)
        #expect((estimator.lossShareLong - 0.09).magnitude < 1e-15)
        #expect(estimator.lastLossBurst == 4)
        #expect(estimator.lastLoss == at(0))
        estimator.tick(at(500))
        let short = exp(-1.0)
        let long = exp(-0.1)
        #expect((estimator.lossShareShort - 9 * short / (99 * short + 1)).magnitude < 1e-12)
        #expect((estimator.lossShareLong - 9 * long / (99 * long + 1)).magnitude < 1e-12)
        estimator.tick(at(100_000))
        #expect(estimator.lossShareLong < 1e-6)
    }

    @Test func rateAndItsVariation() {
        var estimator = PathEstimator()
        for rate in [1e6, 3e6] {
            estimator.handleAck(
                rtt: .milliseconds(10), rawOneWayDelay: nil, bytes: 1200, deliveryRate: rate,
                now: at(0))
        }
        #expect((estimator.deliveryRate - 2e6).magnitude < 1e-6)
        #expect((estimator.rateVariation - 0.5).magnitude < 1e-12)
        estimator.handleAck(
            rtt: .zero, rawOneWayDelay: nil, bytes: 0, deliveryRate: .nan, now: at(5))
        #expect((estimator.deliveryRate - 2e6).magnitude < 1e-6)
        #expect(estimator.lastReply == at(5))
    }

    /// A sample outside what the estimate allows by more than a second shows a jump; one within
    /// does not, however long the queue.
    @Test func aJumpContradictsTheEstimate() {
        var offset = ClockOffset()
        #expect(!offset.isContradicted(byRaw: .seconds(900), rtt: .milliseconds(20)))
        var estimator = PathEstimator()
        estimator.handleAck(
            rtt: .milliseconds(20), rawOneWayDelay: .milliseconds(500_010), bytes: 1,
            deliveryRate: nil, now: .zero + .seconds(1))
        offset.update(path: PathID(0), from: estimator.evidence)
        #expect(!offset.isContradicted(byRaw: .milliseconds(500_015), rtt: .milliseconds(20)))
        #expect(!offset.isContradicted(byRaw: .milliseconds(505_000), rtt: .milliseconds(5000)))
        #expect(offset.isContradicted(byRaw: .milliseconds(505_000), rtt: .milliseconds(20)))
        #expect(offset.isContradicted(byRaw: .milliseconds(498_000), rtt: .milliseconds(20)))
        estimator.forgetOneWayDelays()
        #expect(estimator.rawDelay == nil && estimator.rawDelayMinimum == nil)
        #expect(estimator.minRTT == .milliseconds(20) && estimator.delayExcess < 0.001)
    }

    @Test func timeThatGoesBackAndAbsurdValuesDoNoHarm() {
        var random = SeededGenerator(seed: 11)
        var estimator = PathEstimator()
        var harm = 0
        for _ in 0..<20_000 {
            let now = Instant(nanoseconds: Int64(bitPattern: random.next()))
            let raw = TimeDelta(nanoseconds: Int64(bitPattern: random.next()))
            switch random.next() % 4 {
            case 0:
                estimator.handleAck(
                    rtt: raw, rawOneWayDelay: raw, bytes: Int(truncatingIfNeeded: random.next()),
                    deliveryRate: Double(bitPattern: random.next()), now: now)
            case 1: estimator.handleLoss(packets: Int.max, longestRun: .min, now: now)
            case 2: estimator.handleDelivered(packets: .max, now: now)
            default: estimator.tick(now)
            }
            let shares = 0...1.0 ~= estimator.lossShareLong && 0...1.0 ~= estimator.lossShareShort
            if !shares || !estimator.rttSlope.isFinite || !(estimator.delayExcess >= 0) {
                harm += 1
            }
        }
        #expect(harm == 0)
    }
}

@Suite struct ClockOffsetTests {
    private func estimator(raw: Int64, rtt: Int64) -> PathEstimator {
        var estimator = PathEstimator()
        estimator.handleAck(
            rtt: .milliseconds(rtt), rawOneWayDelay: .milliseconds(raw), bytes: 1,
            deliveryRate: nil, now: .zero)
        return estimator
    }

    @Test func delaysOfPathsCompareExactlyWhateverTheOffset() {
        for distance in [-5_000_000, 0, 123_456_789] as [Int64] {
            var offset = ClockOffset()
            #expect(offset.estimate == nil)
            // Symmetric 20 ms; 80 ms out and 10 ms back.
            offset.update(path: PathID(0), from: estimator(raw: distance + 20, rtt: 40).evidence)
            offset.update(path: PathID(1), from: estimator(raw: distance + 80, rtt: 90).evidence)
            #expect(offset.estimate == .milliseconds(distance))
            #expect((offset.delay(ofRaw: .milliseconds(distance + 20)) - 0.020).magnitude < 1e-12)
            #expect((offset.delay(ofRaw: .milliseconds(distance + 80)) - 0.080).magnitude < 1e-12)
            // 5 ms out, 105 ms back: half its RTT would make the offset 50 ms too low, but at most
            // all 90 ms of the second path can be forward delay.
            offset.update(path: PathID(2), from: estimator(raw: distance + 5, rtt: 110).evidence)
            #expect(offset.estimate == .milliseconds(distance - 10))
            offset.remove(path: PathID(2))
            #expect(offset.estimate == .milliseconds(distance))
        }
    }
}
