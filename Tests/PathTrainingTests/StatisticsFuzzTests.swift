import Foundation
import PathLearning
import PathTelemetry
import Testing

@testable import PathTraining

/// Changed files of statistics: loading, merging and training end with a typed error or with a
/// model of finite numbers.
struct StatisticsFuzzTests {
    private static let wild: [Double] = [
        0, -0.0, 1, -1, 0.5, 1e-300, 1e300, -1e300, 9e15, 8.9e15, 9.1e15, 1e18, 9.3e18, 2e19,
        .leastNonzeroMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 50, 51,
    ]
    private static let texts = [
        "", "0", "-1", "1e308", "nan", "inf", "uniform", "ips", "dr", "ffffffffffffffff\nx\n",
        "fffffffffffffffff\nx", "0\n\n\n", "\u{1b}[2J\u{202e}", "9223372036854775808",
    ]

    private func change(_ file: inout Safetensors, _ generator: inout SeededGenerator) {
        for _ in 0...(generator.next() % 4) {
            let place = Int(generator.next() % UInt64(file.tensors.count))
            let tensor = file.tensors[place]
            switch generator.next() % 8 {
            case 0:
                let keys = file.metadata.keys.sorted()
                let key = keys[Int(generator.next() % UInt64(keys.count))]
                file.metadata[key] = Self.texts[Int(generator.next() % UInt64(Self.texts.count))]
            case 1:
                file.tensors[place] = Tensor(
                    name: tensor.name, shape: tensor.shape.reversed(), values: tensor.values)
            default:
                var values = tensor.values
                for _ in 0...(generator.next() % 3) where !values.isEmpty {
                    let index = Int(generator.next() % UInt64(values.count))
                    values[index] = Self.wild[Int(generator.next() % UInt64(Self.wild.count))]
                    // Sums of products stay symmetric, as otherwise the file is refused at once.
                    let width = FeatureSchema.count + 1
                    if tensor.name == "scatter" {
                        let (matrix, cell) = (index / (width * width), index % (width * width))
                        values[matrix * width * width + cell % width * width + cell / width] =
                            values[index]
                    }
                }
                file.tensors[place] = Tensor(
                    name: tensor.name, shape: tensor.shape, values: values)
            }
        }
    }

    /// Whether the changed file loads, trains, and trains together with the sound one.
    private func trains(_ scratch: Scratch) throws -> Bool {
        guard let one = try? TrainingStatistics.load(scratch.file("m")),
            let result = try? ModelTrainer().train(one)
        else { return false }
        #expect(result.model.residual?.head.weights.allSatisfy(\.isFinite) == true)
        let other = try TrainingStatistics.load(scratch.file("s"))
        guard let both = try? TrainingStatistics.merge([one, other]) else { return false }
        return (try? ModelTrainer().train(both)) != nil
    }

    @Test func changedStatisticsAreRefusedOrTrain() throws {
        let scratch = Scratch()
        var world = TrainingWorld(seed: 4)
        try world.write(300, to: scratch.file("t.trace"))
        try ModelTrainer().statistics([scratch.file("t.trace")]).save(scratch.file("s"))
        let sound = try Safetensors.load(scratch.file("s"))
        var generator = SeededGenerator(seed: 11)
        let asked = ProcessInfo.processInfo.environment["PATHWISE_FUZZ"].flatMap { Int($0) }
        let rounds = min(asked ?? 300, 100_000)
        var trained = 0
        for _ in 0..<rounds {
            var file = sound
            change(&file, &generator)
            try file.save(scratch.file("m"))
            if try trains(scratch) { trained += 1 }
        }
        #expect(trained < rounds)
    }
}
