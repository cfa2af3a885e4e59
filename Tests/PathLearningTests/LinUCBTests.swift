import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Three paths whose heuristic is wrong by factors that their features reveal.
private struct World {
    var random: SeededGenerator
    var factors: [Double]

    mutating func candidates(_ now: Instant) -> CandidateSet {
        var set = CandidateSet()
        for index in 0..<3 {
            var candidate = Candidate(path: PathID(index))
            candidate.smoothedRTT = 0.04
            candidate.rttVariation = 0.004
            candidate.predictedDelivery = 0.030 * (1 + 0.2 * random.uniform())
            candidate.room = 100_000
            // What makes paths differ: jitter, loss and price, with some noise.
            candidate.features[Feature.jitterP90.rawValue] =
                (index == 0 ? 1.0 : 0.1) + 0.05 * random.uniform()
            candidate.features[Feature.lossLong.rawValue] =
                (index == 1 ? 0.8 : 0.0) + 0.05 * random.uniform()
            candidate.features[Feature.delayExcess.rawValue] = random.uniform()
            set.append(candidate)
        }
        return set
    }

    /// Deliveries that the choices would have.
    mutating func deliveries(_ set: CandidateSet) -> [Double] {
        (0..<3).map { index in
            let noise = exp(0.2 * (random.uniform() + random.uniform() - 1))
            return set[index].predictedDelivery * factors[index] * noise
        }
    }
}

@Suite struct LinUCBTests {
    /// - Returns: the share of decisions, of the last 500, that took the path best on average.
    private func play(
        _ selector: inout PathSelector, _ world: inout World, decisions: Int,
        start: inout Instant
    ) -> Double {
        var good = 0
        for step in 0..<decisions {
            start += .milliseconds(20)
            let set = world.candidates(start)
            let (decision, _) = selector.decide(set, burst: burst(), now: start)
            let truth = (0..<3).map { set[$0].predictedDelivery * world.factors[$0] }
            if step >= decisions - 500, truth[decision.chosen] == truth.min() { good += 1 }
            let delivery = world.deliveries(set)[decision.chosen]
            selector.learn(
                Feedback(
                    features: set[decision.chosen].features,
                    predictedDelivery: set[decision.chosen].predictedDelivery, burst: burst(),
                    outcome: outcome(delivery), now: start))
        }
        return Double(good) / 500
    }

    @Test(arguments: ["lin-ucb", "lin-ucb:features=16"], [1, 2, 3, 4, 5] as [UInt64])
    func learnsWhichHeuristicIsWrong(policy: String, seed: UInt64) throws {
        var world = World(random: SeededGenerator(seed: seed), factors: [1.6, 1.0, 0.7])
        var now = Instant.zero
        var learned = try PathSelector.make(policy, seed: seed)
        let share = play(&learned, &world, decisions: 2000, start: &now)
        #expect(share > 0.9, "seed \(seed): best action in \(share) of the last 500")
        var fixed = try PathSelector.make("earliest", seed: seed)
        let baseline = play(&fixed, &world, decisions: 2000, start: &now)
        #expect(baseline < 0.6)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func followsAChange(seed: UInt64) throws {
        var world = World(random: SeededGenerator(seed: seed), factors: [0.7, 1.0, 1.5])
        var now = Instant.zero
        var selector = try PathSelector.make("lin-ucb:half-life=5", seed: seed)
        #expect(play(&selector, &world, decisions: 1500, start: &now) > 0.9)
        world.factors = [1.5, 1.0, 0.7]
        // 30 s on the same clock.
        #expect(play(&selector, &world, decisions: 1500, start: &now) > 0.9)

        world.factors = [0.7, 1.0, 1.5]
        var stubborn = try PathSelector.make("lin-ucb:half-life=inf,epsilon=0", seed: seed)
        _ = play(&stubborn, &world, decisions: 6000, start: &now)
        world.factors = [1.5, 1.0, 0.7]
        #expect(play(&stubborn, &world, decisions: 500, start: &now) < 0.5)
    }

    @Test func startsAsTheHeuristicAndExploresOnlyWhatIsSafe() throws {
        var selector = try PathSelector.make("lin-ucb:epsilon=0.03")
        var set = candidates([0.040, 0.050, 0.060, 0.200])
        let values = probabilities(
            selector.decide(set, burst: burst(), now: .zero).decision.distribution)
        #expect(relativeError(values, [0.98, 0.01, 0.01, 0]) < 1e-12)
        // A silent path leaves the safe set, even the best one.
        set[0].unansweredAge = 0.1
        let later = probabilities(
            selector.decide(set, burst: burst(), now: .zero).decision.distribution)
        #expect(relativeError(later, [0, 0.985, 0.015, 0]) < 1e-12)
    }

    @Test func priceIsWeighedAgainstTime() throws {
        var selector = try PathSelector.make("lin-ucb:epsilon=0")
        var set = candidates([0.040, 0.042])
        set[0].traits.pricePerGB = 5
        let bulk = selector.decide(set, burst: burst(64_000), now: .zero).decision
        #expect(bulk.chosen == 1)
        let message = selector.decide(set, burst: burst(200), now: .zero).decision
        #expect(message.chosen == 0)
    }
}
