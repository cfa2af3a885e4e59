import DenseMath
import PathLearning
import PathTelemetry

/// Measures how many decisions per second ridge training reads, and the cost of the fit.
enum TrainingBenchmarks {
    static let all = [
        Benchmark(name: "train", run: ridge), Benchmark(name: "predict", run: predictions),
    ]

    /// Predictions of trained heads, as in a sender; they must not allocate.
    private static func predictions() throws {
        var generator = SeededGenerator(seed: 8)
        func head(_ size: Int) throws -> LinearHead {
            try LinearHead(
                weights: (0..<size).map { _ in generator.uniform() - 0.5 }, intercept: 0,
                precision: Matrix(diagonal: 10, size: size + 1), totalWeight: 100, lambda: 1)
        }
        let residual = try RidgeModel(head: try head(FeatureSchema.count))
        let late = try LogisticModel(head: try head(FeatureSchema.count))
        let bent = try LogisticModel(
            head: try head(FeatureSchema.count + 64),
            fourier: FourierFeatures(count: 64, width: 2, seed: 1))
        let neural = try NeuralLinearModel(
            layers: Perceptron(layers: [
                Perceptron.Layer(
                    inputs: 24, outputs: 32, weights: (0..<768).map { Double($0 % 9) / 20 - 0.2 },
                    biases: [Double](repeating: 0.1, count: 32)),
                Perceptron.Layer(
                    inputs: 32, outputs: 16, weights: (0..<512).map { Double($0 % 9) / 20 - 0.2 },
                    biases: [Double](repeating: 0.1, count: 16)),
            ]), head: try head(16))
        var online = try NeuralLinearPosterior(neural, limit: 500, lambda: 1)
        var x = FeatureVector(repeating: 0)
        for index in x.indices { x[index] = 2 * generator.uniform() - 1 }
        var sum = 0.0
        func run(_ name: String, _ body: (FeatureVector) -> Double) {
            let cost = measure(steps: 100_000) { step in
                x[step % 24] += 1e-3
                sum += body(x)
            }
            report(name, cost.text)
        }
        run("predict residual") { residual.predict($0) }
        run("predict P(late)") { late.predict($0) }
        run("predict P(late), 64 Fourier features") { bent.predict($0) }
        run("predict network 24-32-16-1") { neural.predict($0) }
        run("predict network with spread") { online.predict($0).spread }
        run("learn in its last layer") {
            online.learn($0, target: 0.1, decay: 0.999)
            return 0
        }
        precondition(sum.isFinite)
    }

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
