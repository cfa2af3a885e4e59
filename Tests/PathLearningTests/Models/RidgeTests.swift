import DenseMath
import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

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
        for accumulator in [whole, merged] {
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
            // A mean of 1e8 and a spread of one: plain sums of squares lose all precision.
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

    /// Outcomes that close out of order give the same model except for rounding.
    @Test func theOrderOfRowsDoesNotMatter() throws {
        var random = SeededGenerator(seed: 22)
        let rows = (0..<2000).map { _ in (0..<4).map { _ in random.uniform() * 100 } }
        var (one, other) = (RidgeAccumulator(size: 3), RidgeAccumulator(size: 3))
        for row in rows { one.add(Array(row[0..<3]), target: row[3]) }
        for row in rows.shuffled(using: &random) { other.add(Array(row[0..<3]), target: row[3]) }
        let (a, b) = (try one.solve(lambda: 1), try other.solve(lambda: 1))
        for (x, y) in zip(a.weights, b.weights) { #expect((x - y).magnitude < 1e-12) }
        #expect((a.intercept - b.intercept).magnitude < 1e-9)
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
        // Two equal columns without a penalty need the smallest ridge, which is reported.
        for step in 0..<50 { empty.add([Double(step), Double(step)], target: Double(2 * step)) }
        let solution = try empty.solve(lambda: 0)
        #expect(solution.jitter > 0)
        #expect((solution.weights[0] + solution.weights[1] - 2).magnitude < 1e-2)
    }
}

@Suite struct SegmentedRidgeTests {
    /// Rows whose target is linear in two features, with noise; the last tenth is held out.
    static func ridge(
        rows: Int, noise: Double, seed: UInt64 = 1
    ) throws -> SegmentedRidge {
        var random = SeededGenerator(seed: seed)
        var ridge = SegmentedRidge(size: FeatureSchema.count)
        var row = [Double](repeating: 0, count: FeatureSchema.count + 1)
        for index in 0..<rows {
            for feature in 0..<FeatureSchema.count { row[feature] = random.uniform() * 2 - 1 }
            row[FeatureSchema.count] =
                0.3 + 0.5 * row[2] - 0.4 * row[9] + noise * (random.uniform() - 0.5)
            let segment = index * 11 / rows
            row.withUnsafeBufferPointer { ridge.add($0, segment: segment < 10 ? segment : nil) }
        }
        return ridge
    }

    private static let lambdas = [0.1, 1, 10, 100, 1000]

    @Test func findsTheResidual() throws {
        let fit = try Self.ridge(rows: 4400, noise: 0.2).fit(lambdas: Self.lambdas)
        #expect((fit.head.intercept - 0.3).magnitude < 0.01)
        for index in 0..<FeatureSchema.count {
            let truth = index == 2 ? 0.5 : index == 9 ? -0.4 : 0
            #expect((fit.head.weights[index] - truth).magnitude < 0.02)
        }
        // The noise's standard deviation is 0.2 / sqrt(12).
        #expect((fit.crossValidated - 0.0577).magnitude < 0.003)
        #expect(fit.heuristic > 0.4 && fit.mean > 0.3)
        #expect(fit.rows == 4000)
        let held = try #require(fit.heldOut)
        #expect(held.rows == 400 && (held.model - 0.0577).magnitude < 0.006)
        var features = FeatureVector(repeating: 0)
        features[2] = 1
        let model = try RidgeModel(head: fit.head)
        #expect((model.predict(features) - 0.8).magnitude < 0.03)
        #expect(model.predict(features) == model.intercept + model.weights[2])
    }

    @Test func partsMergeToTheWhole() throws {
        var whole = try Self.ridge(rows: 2200, noise: 0.2, seed: 1)
        let other = try Self.ridge(rows: 1100, noise: 0.2, seed: 2)
        try whole.merge(other)
        let fit = try whole.fit(lambdas: Self.lambdas)
        #expect(fit.rows == 3000 && fit.heldOut?.rows == 300)
        // Sums that are stored and read back continue with the same bits.
        let stored = try SegmentedRidge(
            parts: whole.parts.map { try RidgeAccumulator($0.state, refused: $0.refused) })
        #expect(try stored.fit(lambdas: Self.lambdas) == fit)
        #expect(throws: LearningError.self) { try SegmentedRidge(parts: []) }
        #expect(throws: LearningError.self) { try whole.merge(SegmentedRidge(size: 3)) }
    }

    /// With more noise and fewer rows the penalty chosen is stronger.
    @Test func thePenaltyFollowsTheNoise() throws {
        let clean = try Self.ridge(rows: 3300, noise: 0.02, seed: 3).fit(lambdas: Self.lambdas)
        let noisy = try Self.ridge(rows: 110, noise: 8, seed: 3).fit(lambdas: Self.lambdas)
        #expect(clean.head.lambda <= 1)
        #expect(noisy.head.lambda >= 10)
        #expect(noisy.crossValidated < 1.2 * noisy.mean)
    }

    @Test func theCurveFallsAndFeaturesAreRanked() throws {
        let ridge = try Self.ridge(rows: 1100, noise: 1, seed: 4)
        let curve = try ridge.curve(lambda: 1)
        #expect(curve.map(\.rows) == [100, 200, 300, 500, 700, 1000])
        #expect(curve[0].heldOut > curve[5].heldOut)
        let importances = try ridge.importances(lambda: 1)
        #expect(importances.count == FeatureSchema.count)
        let ranked = importances.sorted { $0.growth > $1.growth }
        #expect(ranked[0].feature == 2 && ranked[1].feature == 9)
        #expect(ranked[1].growth > ranked[1].margin)
        // Without feature 2 the error has its variance too: 0.5^2 / 3 over the noise's 1 / 12.
        #expect((ranked[0].growth - 1).magnitude < 0.3)
        #expect(ranked[5].growth.magnitude < 0.05)
    }

    @Test func excludedFeaturesHaveNoWeight() throws {
        let whole = try Self.ridge(rows: 1100, noise: 0.2).training()
        let solution = try whole.solve(lambda: 1, excluding: 2)
        #expect(solution.weights[2] == 0 && solution.weights[9] < -0.35)
        // The same as a fit without the column.
        let full = try whole.solve(lambda: 1)
        #expect(
            whole.squaredError(weights: solution.weights, intercept: solution.intercept)
                > whole.squaredError(weights: full.weights, intercept: full.intercept))
    }

    @Test func tooFewRows() throws {
        let few = try Self.ridge(rows: 44, noise: 0.1)
        #expect(
            throws: LearningError.training(
                "40 usable decisions; at least 48 are needed: record a longer run")
        ) { try few.fit(lambdas: Self.lambdas) }
        let some = try Self.ridge(rows: 440, noise: 0.1)
        #expect(throws: LearningError.self) { try some.fit(lambdas: []) }
        #expect(throws: LearningError.self) { try some.fit(lambdas: [0]) }
    }

    @Test func aPriorFromAModelSteersTheFirstDecision() throws {
        let ridge = try RidgeModel(
            head: Self.ridge(rows: 4400, noise: 0.2).fit(lambdas: Self.lambdas).head)
        let model = try Model(residual: ridge, notes: [:])
        // Feature 9 lowers the residual: the path with it is faster than its prediction says.
        var set = candidates([0.040, 0.041])
        set[1].features[9] = 1
        set[0].features[9] = -1
        let specification = try PolicySpecification(parsing: "learned:epsilon=0,temperature=0.0001")
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
        // The weight is 0.4; the heuristic has a third of the mixture before the first outcome.
        #expect((explained[0].terms[0].contribution - 0.4 * 2 / 3).magnitude < 0.01)
        #expect(steady.explain(set, burst: burst())[0].terms.map(\.feature) == ["smoothed_rtt"])
    }
}
