import DenseMath
import Testing

@testable import PathLearning
@testable import PathTelemetry

@Suite struct ModelReplacementTests {
    /// A model that adds `weight` to the log of the delivery for each unit of a feature.
    private func model(_ feature: Feature, _ weight: Double) throws -> Model {
        var weights = [Double](repeating: 0, count: FeatureSchema.count)
        weights[feature.rawValue] = weight
        return try Model(
            residual: RidgeModel(
                head: LinearHead(
                    weights: weights, intercept: 0,
                    precision: Matrix(diagonal: 1000, size: FeatureSchema.count + 1),
                    totalWeight: 1000, lambda: 1)), notes: [:])
    }

    /// The candidates are equal except for one feature each.
    private var set: CandidateSet {
        var set = candidates([0.04, 0.04])
        set[0].features[Feature.jitterP90.rawValue] = 1
        set[1].features[Feature.lossLong.rawValue] = 1
        return set
    }

    private func share(
        _ selector: inout PathSelector, of path: Int, at now: Instant = .zero
    ) -> Double {
        let set = self.set
        return probabilities(
            selector.decide(set, burst: burst(10_000, .stream), now: now)
                .decision.distribution)[path]
    }

    @Test func decidesWithTheNewModel() throws {
        let policy = PolicySpecification.learned(LearnedSettings())
        let first = try model(.jitterP90, 0.5)
        let second = try model(.lossLong, 0.5)
        var selector = try PathSelector(policy, model: first, seed: 1)
        #expect(selector.modelHash == first.hash)
        let before = share(&selector, of: 1)
        #expect(before > 0.9)
        let isReplaced = try selector.replaceModel(
            PathSelector.Replacement(policy, model: second))
        #expect(isReplaced)
        #expect(selector.modelHash == second.hash)
        let after = share(&selector, of: 0)
        #expect(after > 0.9)
    }

    /// Online learning before the change is lost; the sequence of draws continues.
    @Test func startsAnewAndDrawsOn() throws {
        let policy = PolicySpecification.learned(LearnedSettings())
        let second = try model(.lossLong, 0.2)
        var selector = try PathSelector(policy, model: model(.jitterP90, 0.5), seed: 7)
        var now = Instant.zero
        let set = self.set
        for step in 0..<300 {
            now += .milliseconds(10)
            let (decision, _) = selector.decide(set, burst: burst(), now: now)
            let candidate = set[decision.chosen]
            selector.learn(
                Feedback(
                    features: candidate.features, predictedDelivery: candidate.predictedDelivery,
                    burst: burst(), outcome: outcome(0.02 + 0.001 * Double(step % 7)), now: now,
                    path: candidate.path))
        }
        let isReplaced = try selector.replaceModel(
            PathSelector.Replacement(policy, model: second))
        #expect(isReplaced)
        var fresh = try PathSelector(policy, model: second, seed: 7)
        for _ in 0..<300 { _ = fresh.decide(set, burst: burst(), now: .zero) }
        for _ in 0..<50 {
            let (one, draw) = selector.decide(set, burst: burst(), now: now)
            let (other, same) = fresh.decide(set, burst: burst(), now: now)
            #expect(probabilities(one.distribution) == probabilities(other.distribution))
            #expect(draw == same && one.chosen == other.chosen)
        }
    }

    @Test func anotherPolicysReplacementChangesNothing() throws {
        let offered = try model(.lossLong, 0.5)
        var selector = try PathSelector(
            .learned(LearnedSettings()), model: model(.jitterP90, 0.5), seed: 1)
        let before = selector.modelHash
        let other = try PathSelector.Replacement(
            PolicySpecification(parsing: "lin-ucb"), model: offered)
        let isReplaced = selector.replaceModel(other)
        #expect(!isReplaced)
        let still = share(&selector, of: 1)
        #expect(selector.modelHash == before && still > 0.9)
        #expect(
            throws: LearningError.unknownParameter(
                policy: "steady", parameter: "model", known: [])
        ) {
            try PathSelector.Replacement(.steady, model: offered)
        }
    }
}
