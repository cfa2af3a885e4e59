import PathLearning
import PathTelemetry

/// How many decisions a second ridge training takes in, and what the fit costs.
enum TrainingBenchmarks {
    static let all = [Benchmark(name: "train", run: ridge)]

    private static func ridge() throws {
        var generator = SeededGenerator(seed: 7)
        var rows: [FeatureVector] = []
        for _ in 0..<4096 {
            var row = FeatureVector(repeating: 0)
            for index in row.indices { row[index] = generator.uniform() * 2 - 1 }
            rows.append(row)
        }
        var trainer = try RidgeTrainer()
        let cost = measure(steps: 500_000) { step in
            let row = rows[step & 4095]
            trainer.add(
                features: row, predictedDelivery: 0.03,
                outcome: Outcome(
                    decision: UInt64(step), delivery: 0.03 + 0.01 * row[0] * row[0], isLate: false,
                    deadline: 1, packets: 9, lostPackets: 0, closedAt: .zero))
        }
        report(
            "train ridge, a row of 24 features",
            "\(cost.text), \(number(1e3 / cost.time)) million rows/s")
        let fit = try measure(steps: 1) { _ in _ = try trainer.train() }
        report("train ridge, 5 folds x 5 penalties", "\(number(fit.time / 1e6)) ms")
    }
}
