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
        offset.handleSample(
            raw: .milliseconds(500_010), roundTrip: .milliseconds(20), isSamePath: true,
            now: .zero + .seconds(1))
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
            func take(_ path: Int, out: Int64, back: Int64) {
                let raw = distance + out
                offset.handleSample(
                    raw: .milliseconds(raw), roundTrip: .milliseconds(out + back), isSamePath: true,
                    now: .zero)
                offset.update(
                    path: PathID(path), from: estimator(raw: raw, rtt: out + back).evidence)
            }
            take(0, out: 20, back: 20)
            take(1, out: 80, back: 10)
            #expect(offset.estimate == .milliseconds(distance))
            #expect((offset.delay(ofRaw: .milliseconds(distance + 20)) - 0.020).magnitude < 1e-12)
            #expect((offset.delay(ofRaw: .milliseconds(distance + 80)) - 0.080).magnitude < 1e-12)
            // A longer round trip says less.
            take(2, out: 5, back: 105)
            #expect(offset.estimate == .milliseconds(distance))
            // 1 ms out and 29 ms back: half of that is wrong by 14 ms, but the second path's 90 ms
            // cannot be more than all forward delay.
            take(3, out: 1, back: 29)
            #expect(offset.estimate == .milliseconds(distance - 10))
        }
    }

    /// An unlike path or an older sample cannot contradict what another path proves.
    @Test func pathsBoundTheEstimate() {
        var offset = ClockOffset()
        offset.handleSample(
            raw: .milliseconds(30), roundTrip: .milliseconds(40), isSamePath: true, now: .zero)
        #expect(offset.estimate == .milliseconds(10))
        offset.update(path: PathID(1), from: estimator(raw: 5, rtt: 110).evidence)
        #expect(offset.estimate == .milliseconds(5))
        offset.update(path: PathID(1), from: estimator(raw: 160, rtt: 110).evidence)
        #expect(offset.estimate == .milliseconds(50))
        offset.remove(path: PathID(1))
        #expect(offset.estimate == .milliseconds(10))
        // The acknowledgement came back sooner on another path: 30 ms out, 5 ms back.
        offset.handleSample(
            raw: .milliseconds(40), roundTrip: .milliseconds(35), isSamePath: false, now: .zero)
        #expect(offset.estimate == .milliseconds(10))
        offset.handleSample(
            raw: .milliseconds(18), roundTrip: .milliseconds(19), isSamePath: false, now: .zero)
        #expect(offset.estimate == TimeDelta(nanoseconds: 8_500_000))
    }

    /// Jitter of both directions on two paths: half the least round trip of a path is longer than its
    /// least delay, by as much as both directions are never quick at once, and the offset came out 11 ms
    /// too low on recorded drives.
    @Test func jitterDoesNotMoveTheEstimate() {
        var random = SeededGenerator(seed: 5)
        var offset = ClockOffset()
        var paths = [PathEstimator(), PathEstimator()]
        var worst = 0.0
        for step in 0..<3000 {
            let now = Instant.zero + .milliseconds(Int64(step) * 20)
            let path = step % 10 == 0 ? 1 : 0
            func delay() -> Int64 {
                let jitter = -Foundation.log(1 - Double(random.next() >> 11) * 0x1p-53)
                return Int64((path == 0 ? 15e6 : 25e6) + jitter * 15e6)
            }
            let (out, back) = (delay(), delay())
            let raw = TimeDelta(nanoseconds: 7_000_000_000 + out)
            let rtt = TimeDelta(nanoseconds: out + back)
            paths[path].handleAck(
                rtt: rtt, rawOneWayDelay: raw, bytes: 100, deliveryRate: nil, now: now)
            offset.handleSample(raw: raw, roundTrip: rtt, isSamePath: true, now: now)
            offset.update(path: PathID(path), from: paths[path].evidence)
            if step > 100, let estimate = offset.estimate {
                worst = max(worst, abs((estimate - .seconds(7)).seconds))
            }
        }
        #expect(worst < 0.002, "\(worst)")
    }

    /// Clocks that part by 40 ppm are followed, though a queue of 20 ms stands on the way out.
    @Test func driftIsFollowed() {
        var offset = ClockOffset()
        var worst = 0.0
        for step in 0..<72_000 {
            let now = Instant.zero + .milliseconds(Int64(step) * 50)
            let queue: Int64 = step < 1000 ? 0 : step % 200 == 0 ? 2 : 20
            let drift = TimeDelta(seconds: 40e-6 * Double(step) * 0.05)
            offset.handleSample(
                raw: .milliseconds(15 + queue) + drift, roundTrip: .milliseconds(30 + queue),
                isSamePath: true, now: now)
            if let estimate = offset.estimate {
                worst = max(worst, abs((estimate - drift).seconds))
            }
        }
        #expect(worst < 0.004, "\(worst)")
    }

    /// Stamps come from the peer: absurd ones trap nothing.
    @Test func absurdStampsDoNoHarm() {
        var random = SeededGenerator(seed: 12)
        var offset = ClockOffset()
        for step in 0..<5000 {
            let raw = TimeDelta(nanoseconds: Int64(bitPattern: random.next()))
            let roundTrip = TimeDelta(nanoseconds: Int64(bitPattern: random.next()))
            offset.handleSample(
                raw: raw, roundTrip: roundTrip,
                isSamePath: true, now: Instant(nanoseconds: Int64(bitPattern: random.next())))
            if step % 3 == 0 {
                offset.update(
                    path: PathID(step % 16), from: estimator(raw: 5, rtt: 10).evidence)
            }
            let delay = offset.delay(ofRaw: raw)
            if !(delay >= 0 && delay.isFinite) { Issue.record("delay \(delay)") }
        }
    }
}
