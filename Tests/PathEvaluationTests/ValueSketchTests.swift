import PathEvaluation
import PathTelemetry
import Testing

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

    /// One by one up to 65 536 numbers; beyond, to half a percent.
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
        var (sketch, other) = (ValueSketch(), ValueSketch())
        for row in 0..<100_000 {
            sketch.add([0.0, 1, -0.3][row % 3], weight: 1)
            other.add([1.0, 7.7][row % 2], weight: 1)
        }
        #expect(!sketch.isExact)
        #expect(sketch.weightedQuantiles([0.1, 0.5, 0.9]) == [-0.3, 0, 1])
        #expect(sketch.quantiles([0.1, 0.5, 0.9]) == [-0.3, 0, 1])
        #expect(agree(sketch.lowerTailMean(0.5), -0.2, within: 1e-4))
        sketch.merge(other)
        #expect(sketch.count == 200_000)
        #expect(sketch.weightedQuantiles([0.1, 0.3, 0.5, 0.9]) == [-0.3, 0, 1, 7.7])
    }

    /// Parts give what the whole gives, whether the parts were rounded or not.
    @Test(arguments: [1000, 80_000]) func partsMerge(_ size: Int) {
        let items = numbers(2 * size)
        var whole = ValueSketch()
        var parts = [ValueSketch(), ValueSketch()]
        for (row, item) in items.enumerated() {
            whole.add(item.value, weight: item.weight)
            parts[row / size].add(item.value, weight: item.weight)
        }
        parts[0].merge(parts[1])
        let shares = [0.05, 0.5, 0.95]
        #expect(parts[0].count == whole.count)
        #expect(parts[0].weightedQuantiles(shares) == whole.weightedQuantiles(shares))
        #expect(parts[0].quantiles(shares) == whole.quantiles(shares))
    }
}
