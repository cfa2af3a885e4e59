import Testing

@testable import PathEvaluation
@testable import PathTelemetry

@Suite struct ValueSketchTests {
    private func numbers(_ count: Int) -> [(value: Double, weight: Double)] {
        var generator = SeededGenerator(seed: 17)
        return (0..<count).map { _ in
            let size = 1 / (0.01 + generator.uniform())
            return (generator.uniform() < 0.2 ? -size : size, generator.uniform())
        }
    }

    private func quantile(_ items: [(value: Double, weight: Double)], _ share: Double) -> Double {
        let all = items.reduce(0) { $0 + $1.weight }
        var sum = 0.0
        for item in items.sorted(by: { $0.value < $1.value }) {
            sum += item.weight
            if sum >= share * all { return item.value }
        }
        return .nan
    }

    /// Quantiles are exact up to 65,536 numbers, and within half a percent beyond.
    @Test(arguments: [100, 100_000]) func weightedQuantiles(_ count: Int) {
        let items = numbers(count)
        var sketch = ValueSketch()
        for item in items { sketch.add(item.value, weight: item.weight) }
        sketch.add(.nan, weight: 1)
        #expect(sketch.count == count)
        #expect(sketch.isExact == (count < 65_536))
        let shares = [0.01, 0.1, 0.5, 0.9, 0.99]
        for (share, value) in zip(shares, sketch.weightedQuantiles(shares)) {
            let wanted = quantile(items, share)
            #expect((value - wanted).magnitude <= (sketch.isExact ? 0 : 0.005) * wanted.magnitude)
        }
        let bound = quantile(items, 0.05)
        let lower = items.filter { $0.value <= bound }
        let mean =
            lower.reduce(0) { $0 + $1.value * $1.weight } / lower.reduce(0) { $0 + $1.weight }
        #expect(agree(sketch.lowerTailMean(0.05), mean, within: count < 1000 ? 0.2 : 0.006))
    }

    /// Rewards of few sizes are not rounded, however many there are.
    @Test func equalNumbersStayExact() {
        var sketch = ValueSketch()
        for row in 0..<100_000 {
            sketch.add([0.0, 1, -0.3][row % 3], weight: 1)
        }
        #expect(!sketch.isExact)
        #expect(sketch.weightedQuantiles([0.1, 0.5, 0.9]) == [-0.3, 0, 1])
        #expect(sketch.quantiles([0.1, 0.5, 0.9]) == [-0.3, 0, 1])
        #expect(agree(sketch.lowerTailMean(0.5), -0.2, within: 1e-4))
    }

    /// The largest and infinite numbers are handled in both forms.
    @Test(arguments: [100, 100_000]) func extremes(_ count: Int) {
        var sketch = ValueSketch()
        let values = [
            -Double.greatestFiniteMagnitude, -1, 1e300, .greatestFiniteMagnitude, .infinity,
        ]
        for row in 0..<count { sketch.add(values[row % 5], weight: 2) }
        #expect(sketch.isExact == (count < 65_536))
        #expect(sketch.weightedQuantiles([0.1, 0.3]) == [values[0], -1])
        #expect(sketch.weightedQuantiles([0.9, 1]) == [.infinity, .infinity])
        #expect(sketch.weightedQuantiles([0.5])[0] > 1e280)
        let places = sketch.weightedQuantiles([0.3, 0.99], deviations: 0)
        #expect(places[0].value == -1 && places[0].low == -1 && places[0].high == -1)
        #expect(places[1].value == .infinity)
    }

    /// Quantiles of equal weights are the order statistics, their intervals those of the binomial
    /// share: ranks n p +- z sqrt(n p (1 - p)).
    @Test func intervalsOfQuantiles() {
        var generator = SeededGenerator(seed: 5)
        var numbers = (0..<10_000).map { _ in generator.uniform() }
        var sketch = ValueSketch()
        for number in numbers { sketch.add(number) }
        numbers.sort()
        for (p, place) in zip(
            [0.5, 0.95], sketch.weightedQuantiles([0.5, 0.95], deviations: 2))
        {
            let rank = p * 10_000
            let width = 2 * (rank * (1 - p)).squareRoot()
            #expect(place.value == numbers[Int(rank) - 1])
            #expect(place.low == numbers[Int((rank - width).rounded(.up)) - 1])
            #expect(place.high == numbers[Int((rank + width).rounded(.up)) - 1])
        }
    }
}
