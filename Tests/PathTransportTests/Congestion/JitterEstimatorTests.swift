import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct JitterEstimatorTests {
    private func spread(rounds: Int, _ milliseconds: (_ round: Int, _ sample: Int) -> Double)
        -> Double
    {
        var jitter = JitterEstimator()
        for round in 0..<rounds {
            for sample in 0..<40 {
                jitter.handle(TimeDelta(seconds: milliseconds(round, sample) / 1000))
            }
            jitter.endRound()
        }
        return jitter.spread.seconds * 1000
    }

    /// A queue that grows or shrinks through a whole round is no jitter.
    @Test func aMovingQueueIsNoJitter() {
        #expect(spread(rounds: 20) { _, sample in 20 + Double(sample) } == 0)
        #expect(spread(rounds: 20) { _, sample in 80 - Double(sample) } == 0)
        #expect(spread(rounds: 20) { round, _ in 20 + Double(round) * 10 } == 0)
    }

    /// Normal jitter gives about its distance from the minimum of a round, on any queue.
    @Test(arguments: [0.0, 300]) func jitterIsItsDistanceFromTheMinimum(queue: Double) {
        var generator = SeededGenerator(seed: 7)
        let spread = spread(rounds: 100) { _, _ in
            // The sum of twelve uniform numbers: a deviation of 5 ms.
            let sum = (0..<12).reduce(0.0) { total, _ in total + generator.uniform() }
            return 60 + queue + (sum - 6) * 5
        }
        #expect(abs(spread - 9) < 2, "\(spread)")
    }

    /// Rounds of few samples do not count, and none gives more than 100 ms.
    @Test func theEstimateIsBounded() {
        var jitter = JitterEstimator()
        for sample: Int64 in [10, 900, 20] { jitter.handle(TimeDelta.milliseconds(sample)) }
        jitter.endRound()
        #expect(jitter.spread == .zero)
        for sample: Int64 in [10, 5000, 10, 5000, 20, 6000] {
            jitter.handle(TimeDelta.milliseconds(sample))
        }
        jitter.endRound()
        #expect(jitter.spread == .milliseconds(100))
    }
}
