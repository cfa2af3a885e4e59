import DenseMath
import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathSimulation

/// Wrong models, loaded like any other: the guard must demote them.
@Suite struct PoisonedModelTests {
    enum Poison: String, CaseIterable, Sendable {
        /// Longer paths are predicted to be faster.
        case inverted
        /// Every feature counts a hundred times too much.
        case wrongScale
        /// Weights are finite in the file, but their products are not.
        case notANumber

        func model() throws -> Model {
            var weights = [Double](repeating: 0, count: FeatureSchema.count)
            switch self {
            case .inverted:
                weights[Feature.smoothedRTT.rawValue] = -2
                weights[Feature.predictionGap.rawValue] = -2
            case .wrongScale:
                for index in weights.indices { weights[index] = index % 2 == 0 ? 20 : -15 }
            case .notANumber:
                for index in weights.indices { weights[index] = index % 2 == 0 ? 1e306 : -1e306 }
            }
            return try Model(
                residual: RidgeModel(
                    weights: weights, intercept: 0,
                    precision: Matrix(diagonal: 400, size: FeatureSchema.count + 1),
                    totalWeight: 400, lambda: 1), notes: [:])
        }
    }

    private let scenario = LearnedScenario(
        name: "three unlike paths", links: ["rate=20,rtt=20", "rate=20,rtt=45", "rate=20,rtt=80"],
        load: .messages(2000, every: 10, within: 150), seconds: 20)

    @Test(arguments: Poison.allCases)
    func caughtWithinTwoSeconds(poison: Poison) throws {
        let run = try scenario.run(
            .learned(LearnedSettings()), model: try poison.model(), seed: 4)
        let first = try #require(run.guardEvents.first, "the guard did nothing")
        guard case .demoted(let reason, _) = first.1 else {
            Issue.record("the guard's first act was \(first.1)")
            return
        }
        if poison == .notANumber { #expect(reason == .notFinite) }
        // Messages begin at half a second.
        #expect(first.0 <= 2.5, "after \(first.0) s")
        let returned = run.guardEvents.contains {
            if case .restored = $0.1 { return true }
            return false
        }
        #expect(returned, "\(run.guardEvents)")
        #expect(run.lateShare == 0)
        let steady = try scenario.run(.steady, seed: 4)
        #expect(run.seconds <= 1.05 * steady.seconds, "\(run.seconds) against \(steady.seconds)")
    }

    @Test func aSoundModelIsLeftAlone() throws {
        let model = try Model(
            residual: RidgeModel(
                weights: [Double](repeating: 0, count: FeatureSchema.count), intercept: 0,
                precision: Matrix(diagonal: 400, size: FeatureSchema.count + 1), totalWeight: 400,
                lambda: 1), notes: [:])
        let run = try scenario.run(.learned(LearnedSettings()), model: model, seed: 4)
        #expect(run.guardEvents.isEmpty, "\(run.guardEvents)")
    }
}
