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
        let isOther = try selector.replace(
            with: PathSelector.Replacement(policy, model: second))
        #expect(!isOther)
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
        let isOther = try selector.replace(
            with: PathSelector.Replacement(policy, model: second))
        #expect(!isOther)
        var fresh = try PathSelector(policy, model: second, seed: 7)
        for _ in 0..<300 { _ = fresh.decide(set, burst: burst(), now: .zero) }
        for _ in 0..<50 {
            let (one, draw) = selector.decide(set, burst: burst(), now: now)
            let (other, same) = fresh.decide(set, burst: burst(), now: now)
            #expect(probabilities(one.distribution) == probabilities(other.distribution))
            #expect(draw == same && one.chosen == other.chosen)
        }
    }

    /// Another policy decides from the next decision on, with the draws of the selector.
    @Test func anotherPolicyDecides() throws {
        let offered = try model(.lossLong, 0.5)
        var selector = try PathSelector(
            .learned(LearnedSettings()), model: model(.jitterP90, 0.5), seed: 1)
        _ = share(&selector, of: 1)
        let isOther = selector.replace(
            with: try PathSelector.Replacement(.roundRobin, model: nil))
        #expect(isOther && selector.name == "round-robin" && selector.modelHash == 0)
        var former = try PathSelector(.learned(LearnedSettings()), seed: 1)
        _ = share(&former, of: 1)
        var chosen: [PathSet] = []
        let set = self.set
        for _ in 0..<4 {
            let (decision, draw) = selector.decide(set, burst: burst(), now: .zero)
            let (_, same) = former.decide(set, burst: burst(), now: .zero)
            #expect(draw == same)
            chosen.append(decision.action)
        }
        #expect(chosen[0] == chosen[2] && chosen[1] == chosen[3] && chosen[0] != chosen[1])
        #expect(
            throws: LearningError.unknownParameter(
                policy: "steady", parameter: "model", known: [])
        ) {
            try PathSelector.Replacement(.steady, model: offered)
        }
    }

    /// Decides `count` times, 10 ms apart; with outcomes, the first path is ten times as slow.
    private func run(
        _ engine: inout DecisionEngine, _ count: Int, from start: Instant
    ) -> [Outcome] {
        var outcomes: [Outcome] = []
        for step in 0..<count {
            let now = start + .milliseconds(Int64(10 * step))
            guard case .send(let dispatch) = engine.decide(among: set, burst: burst(), now: now)
            else { continue }
            outcomes.append(
                Outcome(
                    decision: dispatch.number,
                    delivery: dispatch.path == PathID(0) ? 0.2 : 0.02, isLate: false,
                    deadline: 1, packets: 1, lostPackets: 0, closedAt: now, path: dispatch.path))
        }
        return outcomes
    }

    private func take(_ outcomes: [Outcome], _ engine: inout DecisionEngine) {
        for outcome in outcomes { engine.handleOutcome(outcome) }
        while engine.pollOutcome() != nil {}
    }

    private func shares(_ engine: inout DecisionEngine, at now: Instant) -> [Double] {
        _ = engine.decide(among: set, burst: burst(), now: now)
        return probabilities(engine.decision.distribution)
    }

    /// A policy learns from none of the decisions that another one made before it, as their memos mean
    /// something else there; it does from its own.
    @Test func anotherPolicyLearnsFromItsOwnDecisions() throws {
        let policy = try PolicySpecification(parsing: "lin-ucb")
        var engine = DecisionEngine(try PathSelector(.roundRobin, seed: 3))
        var other = DecisionEngine(try PathSelector(.roundRobin, seed: 3))
        let early = run(&engine, 300, from: .zero)
        _ = run(&other, 300, from: .zero)
        #expect(early.count == 300)
        let isOther = engine.replace(with: try PathSelector.Replacement(policy, model: nil))
        _ = other.replace(with: try PathSelector.Replacement(policy, model: nil))
        #expect(isOther && engine.policy == "lin-ucb" && engine.needs == policy.needs)
        // These come late.
        take(early, &engine)
        let then = Instant.zero + .seconds(4)
        let untaught = shares(&other, at: then)
        let taught = shares(&engine, at: then)
        #expect(taught == untaught)
        let own = run(&engine, 300, from: then)
        _ = run(&other, 300, from: then)
        take(own, &engine)
        let later = then + .seconds(4)
        let knowing = shares(&engine, at: later)
        let unknowing = shares(&other, at: later)
        #expect(knowing != unknowing)
        #expect(knowing[1] > 0.9)
    }
}
