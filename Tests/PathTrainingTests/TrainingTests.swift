import DenseMath
import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry
@testable import PathTrace
@testable import PathTraining

@Suite struct RidgeTrainingTests {
    private let scratch = Scratch()

    @Test func findsTheResidualAndWhatMatters() throws {
        var world = TrainingWorld(seed: 1)
        try world.write(6000, to: scratch.file("a.trace"))
        var steps = 0
        let result = try ModelTrainer().train([scratch.file("a.trace")]) { _, done, of in
            steps += 1
            return done <= of
        }
        #expect(steps > 5)
        #expect(result.counts.decisions == 6000 && result.counts.forced == 240)
        #expect(result.counts.trained == 4608 && result.counts.heldOut == 1152)
        let fit = try #require(result.residual)
        let held = try #require(fit.heldOut)
        // Noise of 0.2, and 0.7 % late decisions with extreme targets.
        #expect(held.model < 0.6 * held.heuristic)
        #expect(fit.crossValidated < 0.45 && held.rows == 1152)
        let model = try #require(result.model.residual)
        for (index, weight) in [0.6, -0.4, 0.3].enumerated() {
            #expect((model.weights[index] - weight).magnitude < 0.05)
        }
        // The three true features are ranked in order, and no other is significant.
        let ranked = result.importances.sorted { $0.growth > $1.growth }
        #expect(ranked.prefix(3).map(\.feature) == [0, 1, 2])
        for importance in ranked.prefix(3) { #expect(importance.growth > importance.margin) }
        for importance in ranked.dropFirst(3) {
            #expect(importance.growth < 0.02 && importance.margin >= 0)
        }
        // More data, less error.
        #expect(result.curve.count >= 4)
        #expect(result.curve[0].heldOut > result.curve[result.curve.count - 1].heldOut)
        #expect(result.curve[result.curve.count - 1].heldOut == held.model)
        #expect(result.model.notes["decisions"] == "4608")
        let card = ModelCard.text(result, file: "m.safetensors", program: "pathwise 0.1.0")
        #expect(card.hasPrefix("# Model m.safetensors\n"))
        #expect(card.contains("| a.trace | `"))
        #expect(card.contains("held-out end of the sessions"))
        #expect(card.contains("| smoothed_rtt | 0."))
    }

    /// The same bytes whatever the order and the place of the traces, and through merged statistics.
    @Test func mergingStatisticsIsTrainingOnAll() throws {
        var world = TrainingWorld(seed: 2)
        var files: [String] = []
        for index in 0..<3 {
            files.append(scratch.file("\(index).trace"))
            try world.write(700 + 300 * index, to: files[index])
        }
        for weighting in TrainingOptions.Weighting.allCases {
            for objective in [TrainingOptions.Objective.regression, .inversePropensity] {
                var options = TrainingOptions()
                options.weighting = weighting
                options.objective = objective
                options.holdout = 0.25
                let trainer = try ModelTrainer(options)
                let together = try trainer.train(files, notes: ["program_version": "x"])
                let again = try trainer.train(
                    files.reversed(), notes: ["program_version": "x"])
                #expect(together.model.bytes() == again.model.bytes())

                var parts: [TrainingStatistics] = []
                for (index, group) in [[files[1]], [files[2], files[0]]].enumerated() {
                    let path = scratch.file("\(index).statistics")
                    try trainer.statistics(group).save(path)
                    parts.append(try TrainingStatistics.load(path))
                }
                // Other options at the merge are ignored: the statistics contain theirs.
                let merged = try ModelTrainer().train(
                    TrainingStatistics.merge(parts), notes: ["program_version": "x"])
                // The measured value of a policy needs the decisions themselves.
                #expect(merged.model.bytes() == together.model.bytes())
                #expect(merged.counts == together.counts)
                #expect(merged.sources == together.sources)
            }
        }
        #expect(throws: TrainingError.self) {
            try ModelTrainer().train([files[0], files[0]])
        }
        var other = TrainingOptions()
        other.holdout = 0.5
        let half = try ModelTrainer(other).statistics([files[0]])
        let full = try ModelTrainer().statistics([files[1]])
        #expect(throws: TrainingError.self) { try TrainingStatistics.merge([half, full]) }
        let both = try ModelTrainer().statistics([files[1]])
        #expect(throws: TrainingError.twice("1.trace", "1.trace")) {
            try TrainingStatistics.merge([both, full])
        }
    }

    /// A session in two files of statistics would count twice, so it is refused.
    @Test func sharedSessionsAreRefused() throws {
        let (one, other) = (scratch.file("one.trace"), scratch.file("other.trace"))
        var world = TrainingWorld(seed: 41)
        try world.write(300, to: one)
        world = TrainingWorld(seed: 42)
        try world.write(300, to: other)
        let both = scratch.file("both.trace")
        _ = try TraceMerger([one, other]).merge(into: both, programVersion: "x")
        var files: [TrainingStatistics] = []
        for (index, trace) in [one, other, both].enumerated() {
            let file = scratch.file("s\(index)")
            try ModelTrainer().statistics([trace]).save(file)
            files.append(try TrainingStatistics.load(file))
        }
        #expect(try TrainingStatistics.merge([files[0], files[1]]).parts.count == 2)
        for pair in [[0, 2], [2, 1]] {
            #expect(throws: TrainingError.self) {
                try TrainingStatistics.merge(pair.map { files[$0] })
            }
        }
        #expect(throws: TrainingError.self) { try ModelTrainer().train([both, other]) }
    }

    @Test func brokenStatisticsAreRefused() throws {
        var world = TrainingWorld(seed: 3)
        try world.write(400, to: scratch.file("a.trace"))
        let path = scratch.file("s")
        try ModelTrainer().statistics([scratch.file("a.trace")]).save(path)
        let good = try Safetensors.load(path)
        func refused(_ change: (inout Safetensors) -> Void) throws -> Bool {
            var contents = good
            change(&contents)
            try contents.save(path)
            do throws(TrainingError) {
                _ = try TrainingStatistics.load(path)
                return false
            } catch {
                return !error.description.isEmpty
            }
        }
        #expect(try !refused { _ in })
        for key in ["format", "kind", "version", "schema", "trace.0"] {
            #expect(try refused { $0.metadata[key] = "?" }, "\(key)")
        }
        for index in 0..<4 {
            #expect(try refused { $0.tensors.remove(at: index) })
            #expect(
                try refused { contents in
                    let tensor = contents.tensors[index]
                    var values = tensor.values
                    values[1] = index == 3 ? 7e30 : index == 2 ? .infinity : -1
                    contents.tensors[index] = Tensor(
                        name: tensor.name, shape: tensor.shape, values: values)
                }, "tensor \(index)")
        }
        // A model is not accepted as statistics, and vice versa.
        try ModelTrainer().train([scratch.file("a.trace")]).model.save(path)
        #expect(throws: TrainingError.self) { try TrainingStatistics.load(path) }
        try good.save(path)
        #expect(throws: LearningError.self) { try Model.load(path) }
    }

    @Test func inversePropensityUndoesASkewedRecording() throws {
        // Path 0 has no noise, but its residual grows with feature 3, and it is chosen rarely only
        // there.
        var options = TrainingOptions()
        options.weighting = .inversePropensity
        options.weightLimit = 4
        let reader = RowReader(options)
        let row = RowReader.Row(segment: 0, isLate: false, propensity: 0.5)
        #expect(reader.weight(row) == 2)
        #expect(reader.weight(RowReader.Row(segment: 0, isLate: false, propensity: 0.1)) == 4)
        #expect(reader.weight(RowReader.Row(segment: 0, isLate: false, propensity: 0)) == 4)
    }

    @Test func refusals() throws {
        var options = TrainingOptions()
        options.holdout = 0.95
        #expect(throws: TrainingError.self) { try ModelTrainer(options) }
        options = TrainingOptions()
        options.lambdas = []
        #expect(throws: TrainingError.self) { try ModelTrainer(options) }
        options = TrainingOptions()
        options.hidden = [1000]
        #expect(throws: TrainingError.self) { try ModelTrainer(options) }
        options = TrainingOptions()
        options.kinds = [.late]
        let trainer = try ModelTrainer(options)
        #expect(throws: TrainingError.self) { try trainer.statistics([]) }
        #expect(throws: TrainingError.self) { try ModelTrainer().train([scratch.file("no")]) }
        var world = TrainingWorld(seed: 4)
        try world.write(30, to: scratch.file("short.trace"))
        #expect(throws: TrainingError.self) {
            try ModelTrainer().train([scratch.file("short.trace")])
        }
        #expect(throws: TrainingError.interrupted) {
            try ModelTrainer().train([scratch.file("short.trace")]) { _, _, _ in false }
        }
    }
}

@Suite struct LateTrainingTests {
    private let scratch = Scratch()

    private func world(seed: UInt64) -> TrainingWorld {
        var world = TrainingWorld(seed: seed)
        world.lateLogit = { -2 + 2.5 * $0[8] - 1.5 * $0[18] }
        return world
    }

    @Test func findsTheOddsAndCalibrates() throws {
        var world = world(seed: 5)
        try world.write(9000, to: scratch.file("a.trace"))
        var options = TrainingOptions()
        options.kinds = [.late]
        let result = try ModelTrainer(options).train([scratch.file("a.trace")])
        let late = try #require(result.model.late)
        #expect(result.model.kind == "late" && result.residual == nil)
        // Standard errors are about 0.1 with a thousand late ones.
        #expect((late.head.weights[8] - 2.5).magnitude < 0.35)
        #expect((late.head.weights[18] + 1.5).magnitude < 0.35)
        #expect((late.head.intercept + 2).magnitude < 0.35)
        let report = try #require(result.late)
        let loss = try #require(report.logLoss)
        let base = try #require(report.baseLogLoss)
        #expect(loss < 0.85 * base)
        let calibration = try #require(late.calibration)
        #expect(calibration.count == 1728 && calibration.expectedError < 0.05)
        #expect(calibration.lateCount == Double(report.heldOutLate))
        #expect(calibration.threshold(miss: 0.1) < 0)
    }

    /// A sample in memory and passes over the trace give the same optimum.
    @Test func withoutMemoryForAllRowsTheOptimumIsTheSame() throws {
        var world = world(seed: 6)
        try world.write(3000, to: scratch.file("a.trace"))
        var options = TrainingOptions()
        options.kinds = [.late]
        options.lambdas = [1]
        let all = try ModelTrainer(options).train([scratch.file("a.trace")])
        options.sampleLimit = 500
        let streamed = try ModelTrainer(options).train([scratch.file("a.trace")])
        let (a, b) = (try #require(all.model.late), try #require(streamed.model.late))
        for (x, y) in zip(a.head.weights, b.head.weights) { #expect((x - y).magnitude < 1e-6) }
        #expect(a.calibration == b.calibration)
    }

    /// Fourier features fit a non-linear effect: bursts are late where the feature is near zero.
    @Test func fourierFeaturesBendTheOdds() throws {
        var world = TrainingWorld(seed: 7)
        world.lateLogit = { 1.5 - 5 * $0[4].magnitude - 2 * $0[5].magnitude }
        try world.write(5000, to: scratch.file("a.trace"))
        var options = TrainingOptions()
        options.kinds = [.late]
        options.lambdas = [1]
        let linear = try ModelTrainer(options).train([scratch.file("a.trace")])
        options.fourier = 96
        let bent = try ModelTrainer(options).train([scratch.file("a.trace")])
        #expect(bent.model.late?.fourier?.count == 96)
        let (one, other) = (
            try #require(linear.late?.logLoss), try #require(bent.late?.logLoss)
        )
        #expect(other < one - 0.005)
        #expect(try Model(bytes: bent.model.bytes()) == bent.model)
    }
}

@Suite struct NeuralTrainingTests {
    private let scratch = Scratch()

    @Test func gradientsAgreeWithFiniteDifferences() throws {
        var random = SeededGenerator(seed: 9)
        var trainer = PerceptronTrainer(inputs: 5, hidden: [7, 4], seed: 3)
        var x = Matrix(rows: 5, columns: 11)
        for index in x.elements.indices { x.elements[index] = 2 * random.uniform() - 1 }
        let targets = (0..<11).map { _ in random.uniform() }
        let weights = (0..<11).map { _ in random.uniform() }
        let (_, gradient) = try trainer.loss(x, targets: targets, weights: weights)
        #expect(gradient.count == 5 * 7 + 7 + 7 * 4 + 4 + 4 + 1)
        for index in gradient.indices {
            var (up, down) = (trainer, trainer)
            up.nudge(index, by: 1e-6)
            down.nudge(index, by: -1e-6)
            let difference =
                (try up.loss(x, targets: targets, weights: weights).loss
                    - down.loss(x, targets: targets, weights: weights).loss) / 2e-6
            #expect((difference - gradient[index]).magnitude < 1e-7)
        }
        // Adam's first step moves every parameter by the rate, against the gradient.
        let before = trainer.parameters
        trainer.step(gradient, scale: 1)
        for index in gradient.indices where gradient[index].magnitude > 1e-6 {
            let move = trainer.parameters[index] - before[index]
            #expect((move.magnitude - 2e-3).magnitude < 1e-5 && move * gradient[index] < 0)
        }
    }

    /// The trained layers are the layers in use.
    @Test func theNetworkIsThatOfTheTraining() throws {
        let trainer = PerceptronTrainer(inputs: 24, hidden: [6, 3], seed: 4)
        let network = try trainer.network()
        let x = (0..<24).map { Double($0) / 24 - 0.5 }
        var outputs = [0.0, 0, 0]
        network.write(x, into: &outputs)
        // By hand, from the parameters: 24 x 6 weights, 6 biases, 6 x 3 weights, 3 biases.
        let p = trainer.parameters
        var first: [Double] = []
        for output in 0..<6 {
            var sum = p[144 + output]
            for input in 0..<24 { sum += p[input * 6 + output] * x[input] }
            first.append(tanh(sum))
        }
        for output in 0..<3 {
            var sum = p[168 + output]
            for input in 0..<6 { sum += p[150 + input * 3 + output] * first[input] }
            #expect((outputs[output] - tanh(sum)).magnitude < 1e-12)
        }
    }

    @Test func itLearnsWhatALineCannot() throws {
        var world = TrainingWorld(seed: 10)
        world.residual = { 1.5 * $0[0] * $0[1] + 0.3 * $0[2] }
        world.lateLogit = { _ in -30 }
        try world.write(8000, to: scratch.file("a.trace"))
        var options = TrainingOptions()
        options.kinds = [.ridge, .neuralLinear]
        options.epochs = 25
        let result = try ModelTrainer(options).train([scratch.file("a.trace")])
        let (line, network) = (
            try #require(result.residual?.heldOut?.model),
            try #require(result.neural?.fit.heldOut?.model)
        )
        #expect(network < 0.75 * line, "\(network) against \(line)")
        #expect(result.model.kind == "ridge,neural-linear")
        let again = try ModelTrainer(options).train([scratch.file("a.trace")])
        #expect(again.model.bytes() == result.model.bytes())

        // The last layer keeps learning: it finds a shift of all residuals within some
        // observations.
        let neural = try #require(result.model.neural)
        var online = try NeuralLinearPosterior(neural, limit: 100, lambda: 1)
        var random = SeededGenerator(seed: 12)
        var features = FeatureVector(repeating: 0)
        #expect((online.predict(features).mean - neural.predict(features)).magnitude < 0.05)
        for _ in 0..<2000 {
            for index in features.indices { features[index] = 2 * random.uniform() - 1 }
            online.learn(
                features, target: 0.5 + 1.5 * features[0] * features[1] + 0.3 * features[2],
                decay: 0.999)
        }
        var (squares, spread) = (0.0, 0.0)
        for _ in 0..<500 {
            for index in features.indices { features[index] = 2 * random.uniform() - 1 }
            let (mean, variance) = online.predict(features)
            let error =
                mean - (0.5 + 1.5 * features[0] * features[1] + 0.3 * features[2])
            squares += error * error / 500
            spread = max(spread, variance)
        }
        #expect(squares.squareRoot() < 0.2)
        #expect(spread > 0 && spread < 1)
    }
}

@Suite struct PolicyLearningTests {
    private let scratch = Scratch()

    @Test(arguments: [TrainingOptions.Objective.inversePropensity, .doublyRobust])
    func learnedPoliciesFindTheTruth(objective: TrainingOptions.Objective) throws {
        var world = TrainingWorld(seed: 13)
        try world.write(12_000, to: scratch.file("a.trace"))
        var options = TrainingOptions()
        options.objective = objective
        let result = try ModelTrainer(options).train([scratch.file("a.trace")])
        let model = try #require(result.model.residual)
        // IPS is unbiased but noisier than the regression, doubly robust less so.
        let bound = objective == .doublyRobust ? 0.06 : 0.12
        for (index, weight) in [0.6, -0.4, 0.3].enumerated() {
            #expect((model.weights[index] - weight).magnitude < bound)
        }
        let value = try #require(result.value)
        #expect(value.decisions == 2304)
        // Taking the best of three beats a fixed share of each.
        #expect(value.change + value.changeMargin < -0.3)
        #expect((value.value - value.recorded - value.change).magnitude < 1e-9)
        #expect(value.agreement > 0.2 && value.agreement < 0.5)
        #expect(result.model.notes["objective"] == objective.rawValue)
    }
}

extension PerceptronTrainer {
    /// Moves one parameter.
    fileprivate mutating func nudge(_ index: Int, by amount: Double) {
        setParameter(index, parameters[index] + amount)
    }
}
