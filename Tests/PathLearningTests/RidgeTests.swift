import DenseMath
import Foundation
import PathLearning
import PathTelemetry
import Testing

@Suite(.enabled(if: Reference.isPresent, "reference numbers are not beside the package"))
struct RidgeReferenceTests {
    struct Case: Sendable {
        var lambda: Double
        var intercept: Bool
        var weighted: Bool
        var key: String
    }
    static let cases: [Case] = {
        var result: [Case] = []
        for (lambda, text) in [(0.0, "0"), (0.1, "0.1"), (10.0, "10"), (1000.0, "1000")] {
            for bits in 0..<4 {
                let (intercept, weighted) = (bits & 2 != 0, bits & 1 != 0)
                let kind = weighted ? "weighted" : "unweighted"
                let key = "lambda=\(text)_intercept=\(intercept ? 1 : 0)_\(kind)"
                result.append(
                    Case(lambda: lambda, intercept: intercept, weighted: weighted, key: key))
            }
        }
        return result
    }()

    @Test(arguments: cases)
    func coefficients(of test: Case) throws {
        let rows = try Reference.csv("ridge_data.csv")
        let all = try Reference.json("ridge_expected.json")
        let expected = try #require(all[test.key] as? [String: Any])
        let coefficients = try #require(expected["coef_mpmath50"] as? [Double])

        var whole = RidgeAccumulator(size: 8)
        var parts = (0..<3).map { _ in RidgeAccumulator(size: 8) }
        for (index, row) in rows.enumerated() {
            let weight = test.weighted ? row[9] : 1
            whole.add(Array(row[0..<8]), target: row[8], weight: weight)
            parts[index % 3].add(Array(row[0..<8]), target: row[8], weight: weight)
        }
        var merged = parts[0]
        try merged.merge(parts[1])
        try merged.merge(parts[2])
        // The same rows as columns in memory, on one thread and on three: the same bits.
        let columns = (0..<8).flatMap { column in rows.map { $0[column] } }
        let weights = rows.map { test.weighted ? $0[9] : 1 }
        var batches = [RidgeAccumulator(size: 8), RidgeAccumulator(size: 8)]
        try columns.withUnsafeBufferPointer { columns in
            try rows.map { $0[8] }.withUnsafeBufferPointer { target in
                try weights.withUnsafeBufferPointer { weights in
                    let batch = try ColumnBatch(
                        columns: columns, target: target,
                        weights: test.weighted ? weights : nil)
                    try batches[0].add(batch, threads: 1)
                    try batches[1].add(batch, threads: 3)
                }
            }
        }
        #expect(
            try batches[0].solve(lambda: test.lambda, intercept: test.intercept)
                == batches[1].solve(lambda: test.lambda, intercept: test.intercept))
        for accumulator in [whole, merged, batches[0]] {
            let solution = try accumulator.solve(lambda: test.lambda, intercept: test.intercept)
            #expect(solution.jitter == 0)
            // Each coefficient by itself: their sizes span five orders.
            for (value, truth) in zip(solution.weights, coefficients) {
                #expect((value - truth).magnitude <= 1e-9 * truth.magnitude)
            }
            if test.intercept {
                let truth = try #require(expected["intercept"] as? Double)
                #expect((solution.intercept - truth).magnitude <= 1e-9 * truth.magnitude)
            }
            let error = try #require(expected["weighted_sse"] as? Double)
            #expect((solution.squaredError - error).magnitude <= 1e-6 * error)
        }
    }
}

@Suite struct RidgeAccumulatorTests {
    @Test func momentsHaveTheirClosedForm() throws {
        var random = SeededGenerator(seed: 21)
        var moments = CentredMoments(columns: 2)
        var parts = (0..<4).map { _ in CentredMoments(columns: 2) }
        var rows: [(Double, Double, Double)] = []
        for index in 0..<3000 {
            // A mean of 1e8 beside a spread of one: plain sums of squares lose every digit.
            let row = (1e8 + random.uniform(), random.uniform(), random.uniform() + 0.5)
            rows.append(row)
            moments.add([row.0, row.1], weight: row.2)
            parts[index % 4].add([row.0, row.1], weight: row.2)
        }
        for part in parts[1...] { try parts[0].merge(part) }
        let total = rows.reduce(0) { $0 + $1.2 }
        let mean = rows.reduce(0) { $0 + $1.2 * ($1.0 - 1e8) } / total
        let spread = rows.reduce(0) { $0 + $1.2 * pow($1.0 - 1e8 - mean, 2) }
        for accumulator in [moments, parts[0]] {
            let (means, scatter) = accumulator.result()
            #expect((accumulator.totalWeight - total).magnitude < 1e-9)
            #expect(accumulator.count == 3000)
            #expect((means[0] - 1e8 - mean).magnitude < 1e-7)
            #expect((scatter[0, 0] - spread).magnitude < 1e-5 * spread)
            #expect(scatter[0, 1] == scatter[1, 0])
        }
    }

    @Test func unusableRowsAreCountedAndChangeNothing() throws {
        var accumulator = RidgeAccumulator(size: 2)
        accumulator.add([1, 2], target: 3)
        accumulator.add([2, 1], target: 5)
        accumulator.add([3, 3], target: 1)
        let before = try accumulator.solve(lambda: 1)
        accumulator.add([.nan, 2], target: 3)
        accumulator.add([1, 2], target: .infinity)
        accumulator.add([1, 2, 3], target: 1)
        accumulator.add([1, 2], target: 3, weight: -1)
        #expect(accumulator.refused == 4 && accumulator.count == 3)
        #expect(try accumulator.solve(lambda: 1) == before)
    }

    @Test func refusalsAndTheFallback() throws {
        var empty = RidgeAccumulator(size: 2)
        #expect(throws: LearningError.self) { try empty.solve(lambda: 1) }
        empty.add([1, 1], target: 1)
        #expect(throws: LearningError.self) { try empty.solve(lambda: -1) }
        #expect(throws: LearningError.self) { try empty.merge(RidgeAccumulator(size: 3)) }
        // Two columns alike and no penalty: the least ridge, told.
        for step in 0..<50 { empty.add([Double(step), Double(step)], target: Double(2 * step)) }
        let solution = try empty.solve(lambda: 0)
        #expect(solution.jitter > 0)
        #expect((solution.weights[0] + solution.weights[1] - 2).magnitude < 1e-2)
    }
}

@Suite struct RidgeTrainerTests {
    /// Decisions whose residual is linear in two features, with noise.
    static func trainer(
        decisions: Int, noise: Double, seed: UInt64 = 1
    ) throws -> RidgeTrainer {
        var random = SeededGenerator(seed: seed)
        var trainer = try RidgeTrainer(blockLength: 50)
        for _ in 0..<decisions {
            var features = FeatureVector(repeating: 0)
            for index in 0..<FeatureSchema.count { features[index] = random.uniform() * 2 - 1 }
            let residual =
                0.3 + 0.5 * features[2] - 0.4 * features[9] + noise * (random.uniform() - 0.5)
            trainer.add(
                features: features, predictedDelivery: 0.05,
                outcome: outcome(0.05 * exp(residual)))
        }
        return trainer
    }

    @Test func findsTheResidual() throws {
        let (model, metrics) = try Self.trainer(decisions: 4000, noise: 0.2).train()
        #expect((model.intercept - 0.3).magnitude < 0.01)
        for index in 0..<FeatureSchema.count {
            let truth = index == 2 ? 0.5 : index == 9 ? -0.4 : 0
            #expect((model.weights[index] - truth).magnitude < 0.02)
        }
        // The noise's standard deviation is 0.2 / sqrt(12).
        #expect((metrics.heldOutError - 0.0577).magnitude < 0.003)
        #expect(metrics.heuristicError > 0.4 && metrics.meanError > 0.3)
        #expect(metrics.decisions == 4000 && metrics.late == 0 && metrics.refused == 0)
        var features = FeatureVector(repeating: 0)
        features[2] = 1
        #expect((model.predict(features) - 0.8).magnitude < 0.03)
    }

    @Test func mostNoiseWantsMostPenalty() throws {
        let (_, quiet) = try Self.trainer(decisions: 1000, noise: 0.01).train()
        let (_, loud) = try Self.trainer(decisions: 250, noise: 8).train()
        #expect(quiet.lambda < loud.lambda)
    }

    @Test func partsMergeToTheWhole() throws {
        var one = try Self.trainer(decisions: 500, noise: 0.1, seed: 1)
        let two = try Self.trainer(decisions: 500, noise: 0.1, seed: 2)
        var other = two
        try one.merge(two)
        try other.merge(try Self.trainer(decisions: 500, noise: 0.1, seed: 1))
        let a = try one.train().model
        let b = try other.train().model
        #expect(relativeError(a.weights, b.weights) < 1e-10)
        #expect(a.totalWeight == 1000)
    }

    @Test func tooLittleIsRefusedWithAReason() throws {
        let trainer = try Self.trainer(decisions: 40, noise: 0.1)
        #expect(
            throws: LearningError.training(
                "40 usable decisions of 40; at least 48 are needed: record a longer run")
        ) { try trainer.train() }
        #expect(throws: LearningError.self) { try RidgeTrainer(lambdas: []) }
        #expect(throws: LearningError.self) { try RidgeTrainer(lambdas: [0]) }
    }

    @Test func aPriorFromAModelSteersTheFirstDecision() throws {
        let ridge = try Self.trainer(decisions: 4000, noise: 0.2).train().model
        let model = try Model(residual: ridge, notes: [:])
        // Feature 9 lowers the residual: the path with it is faster than its prediction says.
        var set = candidates([0.040, 0.041])
        set[1].features[9] = 1
        set[0].features[9] = -1
        let specification = try PolicySpecification(parsing: "learned:epsilon=0")
        var plain = try PathSelector(specification, seed: 1)
        var trained = try PathSelector(specification, model: model, seed: 1)
        #expect(plain.decide(set, burst: burst(), now: .zero).decision.chosen == 0)
        #expect(trained.decide(set, burst: burst(), now: .zero).decision.chosen == 1)
        #expect(plain.modelHash == 0 && trained.modelHash == model.hash)
        let steady = try PathSelector(
            PolicySpecification(parsing: "steady"), model: model, seed: 1)
        #expect(steady.modelHash == 0)

        let explained = trained.explain(set, burst: burst())
        #expect(explained.count == 2 && explained[0].terms.count == 3)
        #expect(explained[0].score > explained[1].score)
        #expect(explained[0].terms[0].feature == "loss_5s")
        #expect((explained[0].terms[0].contribution - 0.4).magnitude < 0.01)
        #expect(steady.explain(set, burst: burst())[0].terms.isEmpty)
    }
}
