import Testing

@testable import PathTelemetry
@testable import PathTransport

@Suite struct RTTEstimatorTests {
    @Test func initialValuesAreThoseOfTheStandard() {
        let rtt = RTTEstimator()
        #expect(rtt.smoothed == .milliseconds(333))
        #expect(rtt.variation == .microseconds(166_500))
        #expect(!rtt.hasSample)
        #expect(rtt.probeTimeout(maxAckDelay: .milliseconds(25)) == .milliseconds(1_024))
    }

    /// The estimate of a path that is only probed converges fast: to an eighth of the change after
    /// four samples 125 ms apart, where a weight of one eighth would leave three fifths of it.
    @Test func rareSamplesWeighMore() {
        var rtt = RTTEstimator()
        var now = Instant.zero
        for _ in 0..<20 {
            now = now + .milliseconds(10)
            rtt.update(sample: .milliseconds(174), now: now)
        }
        for _ in 0..<5 {
            now = now + .milliseconds(125)
            rtt.update(sample: .milliseconds(20), now: now)
        }
        #expect(rtt.smoothed < .milliseconds(45), "\(rtt.smoothed)")
        // After a long pause a sample weighs one half.
        rtt.update(sample: .milliseconds(100), now: now + .seconds(9))
        #expect(rtt.smoothed > .milliseconds(55) && rtt.smoothed < .milliseconds(75))
    }

    @Test func firstAndSecondSampleFollowTheEquations() {
        var rtt = RTTEstimator()
        rtt.update(sample: .milliseconds(40), now: .zero)
        #expect(rtt.smoothed == .milliseconds(40))
        #expect(rtt.variation == .milliseconds(20))
        rtt.update(sample: .milliseconds(80), now: .zero + .milliseconds(80))
        #expect(rtt.smoothed == .milliseconds(45))
        #expect(rtt.variation == .milliseconds(25))
        #expect(rtt.latest == .milliseconds(80))
        #expect(rtt.minimum == .milliseconds(40))
        #expect(rtt.probeTimeout(maxAckDelay: .zero) == .milliseconds(145))
        #expect(rtt.lossDelay == .milliseconds(90))
    }

    @Test func ackDelayIsTakenOffOnlyDownToTheMinimumAndTheLimit() {
        var rtt = RTTEstimator()
        rtt.update(sample: .milliseconds(20), ackDelay: .milliseconds(15), now: .zero)
        #expect(rtt.smoothed == .milliseconds(20))
        // 60 - min(30, 25) = 35; 20 + 15/8.
        rtt.update(
            sample: .milliseconds(60), ackDelay: .milliseconds(30),
            maxAckDelay: .milliseconds(25), now: .zero)
        #expect(rtt.smoothed == .microseconds(21_875))
    }

    @Test func samplesThatAreNotPositiveAreIgnored() {
        var rtt = RTTEstimator()
        rtt.update(sample: .zero, now: .zero)
        rtt.update(sample: .milliseconds(-3), now: .zero)
        #expect(!rtt.hasSample)
    }

    /// Against the exact minimum of the window, over a random walk.
    @Test(arguments: 1...5) func windowedMinimumIsNeverBelowTheWindowAndNeverFarAbove(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var filter = WindowedMinimum()
        var history: [(Instant, TimeDelta)] = []
        let window = TimeDelta.seconds(10)
        for step in 0..<500 {
            let now = Instant.zero + .milliseconds(Int64(step) * 120)
            let value = TimeDelta.microseconds(Int64(20_000 + generator.uniform() * 10_000))
            filter.update(value, now: now, window: window)
            history.append((now, value))
            let exact = history.filter { now - $0.0 <= window }.map { $0.1 }.min() ?? .zero
            let newest = history.filter { now - $0.0 <= window / 4 }.map { $0.1 }.min() ?? .zero
            let found = filter.value ?? .zero
            #expect(found >= exact)
            #expect(found <= newest)
        }
    }

    @Test func minimumRisesAfterTheWindow() {
        var rtt = RTTEstimator()
        rtt.update(sample: .milliseconds(10), now: .zero)
        for step in 1...200 {
            rtt.update(
                sample: .milliseconds(50), now: .zero + .milliseconds(Int64(step) * 100))
        }
        #expect(rtt.minimum == .milliseconds(50))
    }
}
