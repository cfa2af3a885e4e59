import DenseMath
import Glibc
import PathLearning
import PathTelemetry
import PathTrace
import PathTraining

/// Measures training; `run.sh` runs it and the Python libraries in turn.
@main
enum LearningBenchmarks {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case ("ridge", 2): try RidgeSpeed.run(features: Int(arguments[1]) ?? 16)
        case ("logged", 2): try LoggedData.run(folder: arguments[1])
        case ("model", 2): try ModelFileCheck.write(arguments[1])
        case ("record", 3):
            try TraceSpeed.write(path: arguments[1], decisions: Int(arguments[2]) ?? 100_000)
        case ("trace", 2): try TraceSpeed.train(path: arguments[1])
        default:
            print(
                "usage: LearningBenchmarks ridge N | logged DIR | model FILE | record FILE N "
                    + "| trace FILE")
            exit(64)
        }
    }

    static func report(_ what: String, _ text: String) {
        print(what + String(repeating: " ", count: max(1, 59 - what.count)) + text)
        fflush(nil)
    }

    /// Wall time, seconds.
    static func wall() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    /// Processor time of all threads, seconds.
    static func processor() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    /// The median of several runs, after an uncounted one.
    static func median(_ repeats: Int, _ body: () throws -> Void) rethrows -> Double {
        try body()
        var times: [Double] = []
        for _ in 0..<repeats {
            let start = wall()
            try body()
            times.append(wall() - start)
        }
        return times.sorted()[repeats / 2]
    }

    static func text(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        return String((value * scale).rounded() / scale)
    }
}

/// Ridge regression as in `train`: row by row, one thread, with intercept and solution.
enum RidgeSpeed {
    static func run(features: Int) throws {
        let rows = 1_000_000
        var generator = SeededGenerator(seed: 1)
        // Uses large pages, as numpy does for its arrays; the target is the last number of a row.
        let width = features + 1
        let bytes = (rows * width * 8 + 0x1fffff) & ~0x1fffff
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 0x200000)
        madvise(memory, bytes, MADV_HUGEPAGE)
        let data = UnsafeMutableBufferPointer(
            start: memory.bindMemory(to: Double.self, capacity: rows * width),
            count: rows * width)
        defer { memory.deallocate() }
        for row in 0..<rows {
            for column in 0..<features {
                data[row * width + column] = generator.uniform() * 2 - 1
            }
            data[row * width + features] = data[row * width] + generator.uniform()
        }
        let repeats = features == 256 ? 3 : 7
        let seconds = try LearningBenchmarks.median(repeats) {
            var sums = RidgeAccumulator(size: features)
            for row in 0..<rows {
                sums.add(
                    row: UnsafeBufferPointer(
                        rebasing: data[row * width..<(row + 1) * width]))
            }
            _ = try sums.solve(lambda: 1)
        }
        // Products and sums of half the matrix, with the target as a column.
        let rate = Double(rows) * Double(features + 1) * Double(features + 2) / seconds / 1e9
        LearningBenchmarks.report(
            "pathwise ridge, \(features) features, as train takes it",
            "\(LearningBenchmarks.text(seconds * 1e3, 1)) ms (intercept), "
                + "\(LearningBenchmarks.text(rate, 1)) GF/s")
        LearningBenchmarks.report(
            "dgemm of 1,024 squared, 1 thread, for comparison",
            "\(LearningBenchmarks.text(try peak(), 1)) GF/s (\(BLAS.coreName))")
    }

    private static func peak() throws -> Double {
        let size = 1024
        let a = try Matrix(
            rows: size, columns: size,
            elements: (0..<(size * size)).map { Double($0 % 11) / 10 - 0.5 })
        var c = Matrix(rows: size, columns: size)
        let seconds = try LearningBenchmarks.median(5) {
            try BLAS.gemm(a, transposeA: true, a, into: &c)
        }
        return 2 * Double(size * size * size) / seconds / 1e9
    }
}

/// The bandit rounds of `peers.py data`.
enum LoggedData {
    private static let actions = 4
    private static let features = FeatureSchema.count
    private static let width = actions * features + 2 + actions

    static func run(folder: String) throws {
        let train = read(folder + "/train.f64")
        let test = read(folder + "/test.f64")
        let rounds = train.count / width
        var solution: RidgeSolution?
        let seconds = try LearningBenchmarks.median(5) {
            var sums = RidgeAccumulator(size: features)
            var row = [Double](repeating: 0, count: features + 1)
            for round in 0..<rounds {
                let start = round * width
                let action = Int(train[start + actions * features])
                for feature in 0..<features {
                    row[feature] = train[start + action * features + feature]
                }
                row[features] = train[start + actions * features + 1]
                row.withUnsafeBufferPointer { sums.add(row: $0) }
            }
            solution = try sums.solve(lambda: 1)
        }
        guard let solution else { return }
        var (squares, cost, greedy) = (0.0, 0.0, 0.0)
        let count = test.count / width
        // Vowpal Wabbit's defaults: gamma = 10 sqrt(rounds).
        let gamma = 10 * Double(rounds).squareRoot()
        for round in 0..<count {
            let start = round * width
            var scores: [Double] = []
            for action in 0..<actions {
                var sum = solution.intercept
                for feature in 0..<features {
                    sum +=
                        solution.weights[feature] * test[start + action * features + feature]
                }
                scores.append(sum)
            }
            let taken = Int(test[start + actions * features])
            let error = scores[taken] - test[start + actions * features + 1]
            squares += error * error
            let truth = start + actions * features + 2
            let best = scores.indices.min { scores[$0] < scores[$1] } ?? 0
            var rest = 1.0
            for action in 0..<actions where action != best {
                let share = 1 / (Double(actions) + gamma * (scores[action] - scores[best]))
                rest -= share
                cost += share * test[truth + action]
            }
            cost += rest * test[truth + best]
            greedy += test[truth + best]
        }
        let number = Double(count)
        let report = LearningBenchmarks.report
        report(
            "pathwise ridge: test squared error", LearningBenchmarks.text(squares / number, 5))
        report(
            "pathwise ridge, rows one by one, 1 thread",
            "\(LearningBenchmarks.text(Double(rounds) / seconds / 1e3, 0)) thousand rows/s")
        report(
            "pathwise squarecb: true cost of its choices, test",
            LearningBenchmarks.text(cost / number, 5))
        report(
            "pathwise greedy: true cost, test", LearningBenchmarks.text(greedy / number, 5))
    }

    private static func read(_ path: String) -> [Double] {
        guard let file = fopen(path, "rb") else { return [] }
        defer { fclose(file) }
        fseek(file, 0, SEEK_END)
        let count = ftell(file) / 8
        rewind(file)
        return [Double](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = fread(buffer.baseAddress, 8, count, file)
        }
    }
}

/// Writes a model with all heads and its predictions, for another reader to check.
enum ModelFileCheck {
    static func write(_ path: String) throws {
        var generator = SeededGenerator(seed: 3)
        func numbers(_ count: Int) -> [Double] {
            (0..<count).map { _ in generator.uniform() - 0.5 }
        }
        func head(_ size: Int) throws -> LinearHead {
            try LinearHead(
                weights: numbers(size), intercept: generator.uniform(),
                precision: Matrix(diagonal: 3, size: size + 1), totalWeight: 100, lambda: 1)
        }
        var calibration = ConformalCalibration()
        calibration.add(logit: 1, isLate: true)
        let residual = try RidgeModel(head: try head(FeatureSchema.count))
        let late = try LogisticModel(
            head: try head(FeatureSchema.count + 6),
            fourier: FourierFeatures(count: 6, width: 2, seed: 4), calibration: calibration)
        let neural = try NeuralLinearModel(
            layers: Perceptron(layers: [
                Perceptron.Layer(
                    inputs: FeatureSchema.count, outputs: 7,
                    weights: numbers(FeatureSchema.count * 7), biases: numbers(7)),
                Perceptron.Layer(
                    inputs: 7, outputs: 3, weights: numbers(21), biases: numbers(3)),
            ]), head: try head(3))
        let x = FeatureVector(repeating: 0.5)
        try Model(
            residual: residual, late: late, neural: neural,
            notes: [
                "check_residual": String(residual.predict(x)),
                "check_late": String(late.predict(x)),
                "check_neural": String(neural.predict(x)),
            ]
        ).save(path)
    }
}
