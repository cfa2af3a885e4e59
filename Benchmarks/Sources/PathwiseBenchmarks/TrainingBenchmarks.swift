import PathLearning
import PathTelemetry

/// How many decisions a second ridge training takes in, and what the fit costs.
enum TrainingBenchmarks {
    static let all = [Benchmark(name: "train", run: ridge)]

    private static func ridge() throws {
        var generator = SeededGenerator(seed: 7)
        var rows: [[Double]] = []
        for _ in 0..<4096 {
            rows.append((0...FeatureSchema.count).map { _ in generator.uniform() * 2 - 1 })
        }
        var ridge = SegmentedRidge(size: FeatureSchema.count)
        let cost = measure(steps: 500_000) { step in
            rows[step & 4095].withUnsafeBufferPointer {
                ridge.add($0, segment: step / 50_000)
            }
        }
        report(
            "train ridge, a row of 24 features",
            "\(cost.text), \(number(1e3 / cost.time)) million rows/s")
        let fit = try measure(steps: 1) { _ in
            _ = try ridge.fit(lambdas: [0.1, 1, 10, 100, 1000])
        }
        report("train ridge, 10 folds x 5 penalties", "\(number(fit.time / 1e6)) ms")
    }
}
