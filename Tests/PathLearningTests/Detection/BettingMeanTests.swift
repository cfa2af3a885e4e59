import Glibc
import PathTelemetry
import Testing

@testable import PathLearning

@Suite struct BettingMeanTests {
    /// The ends by bisection of the capital, without a grid.
    private static func exact(_ numbers: [Double], alpha: Double) -> Double {
        func capital(_ mean: Double) -> Double {
            var bets = PredictableBets(alpha: alpha / 2)
            var sum = 0.0
            for x in numbers {
                sum += log1p(min(bets.next, 0.5 / mean) * (x - mean))
                bets.learn(x)
            }
            return sum - log(2 / alpha)
        }
        var (low, high) = (1e-9, 1.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if capital(middle) > 0 { low = middle } else { high = middle }
        }
        return low
    }

    @Test func endsAreThoseOfTheCapitalUpToTheGrid() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20 {
            let level = generator.uniform()
            let numbers = (0..<400).map { _ in
                generator.uniform() < level ? 1 : 0.3 * generator.uniform()
            }
            var sequence = BettingMean(range: 0...1, alpha: 0.05)
            var best = 0.0
            for (index, x) in numbers.enumerated() {
                sequence.add(x)
                // The sequence keeps the best of all intervals so far.
                if index % 40 == 39 {
                    best = max(
                        best,
                        BettingMeanTests.exact(Array(numbers[...index]), alpha: 0.05))
                }
            }
            let low = sequence.interval.low
            #expect(low > best - 1.0 / 64 && low <= best + 1.0 / 64, "\(low), exact \(best)")
        }
    }

    @Test func intervalsHoldAtAllTimes() {
        var failures = 0
        var width = 0.0
        for run in 0..<400 {
            var generator = SeededGenerator(seed: UInt64(run + 1))
            var sequence = BettingMean(range: -1...3, alpha: 0.05)
            // A mean of 0.2: minus one and three with probabilities 0.7 and 0.3.
            var holds = true
            for _ in 0..<1000 {
                sequence.add(generator.uniform() < 0.3 ? 3 : -1)
                let (low, high) = sequence.interval
                if low > 0.2 || high < 0.2 { holds = false }
            }
            if !holds { failures += 1 }
            width += (sequence.interval.high - sequence.interval.low) / 400
        }
        #expect(failures <= 20, "\(failures) of 400 runs fail at any time, at most 5 %")
        #expect(width < 0.65, "mean width \(width) of a range of four")
    }

    @Test func strangeNumbersAreHarmless() {
        var sequence = BettingMean(range: 0...1, alpha: 0.05)
        sequence.add(.nan)
        #expect(sequence.count == 0)
        for _ in 0..<200 { sequence.add(.infinity) }
        #expect(sequence.interval.low > 0.9 && sequence.interval.high == 1)
        // The mean changes: the ends may meet, and nothing traps.
        for _ in 0..<5000 { sequence.add(-.infinity) }
        #expect(sequence.interval.high < 1)
    }
}
