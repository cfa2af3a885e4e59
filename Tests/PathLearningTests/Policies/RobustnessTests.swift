import DenseMath
import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Every policy, and variants that learn.
let everyPolicy =
    PolicySpecification.catalogue.map(\.name) + [
        "weighted:by=telemetry", "weighted:by=learned", "discounted-lin-ucb:change=2",
        "sliding-lin-ucb:window=0.2", "peekaboo:half-life=0.5", "exp4:epsilon=0.3",
    ]

/// A number that a broken estimator may return.
private func odd(_ random: inout SeededGenerator) -> Double {
    switch random.next() % 9 {
    case 0: .nan
    case 1: .infinity
    case 2: -.infinity
    case 3: 1e308
    case 4: -1e308
    case 5: 0
    case 6: -0.001
    case 7: 1e-308
    default: random.uniform()
    }
}

private func set(_ count: Int, _ random: inout SeededGenerator, oddity: Bool) -> CandidateSet {
    var set = CandidateSet()
    for index in 0..<count {
        var candidate = Candidate(
            path: PathID(index), traits: PathTraits(weight: random.uniform() * 3))
        candidate.smoothedRTT = 0.01 + 0.1 * random.uniform()
        candidate.rttVariation = candidate.smoothedRTT * random.uniform() / 4
        candidate.predictedDelivery = 0.01 + 0.05 * random.uniform()
        candidate.unansweredAge = random.next() % 5 == 0 ? random.uniform() : 0
        candidate.lossRate = 0.1 * random.uniform()
        candidate.room = Int(random.next() % 3) * 10_000
        candidate.congestionWindow = 20_000
        candidate.bytesInFlight = Int(random.next() % 20_000)
        candidate.rate = 1e6 * random.uniform()
        for feature in 0..<FeatureSchema.count {
            candidate.features[feature] = 2 * random.uniform() - 1
        }
        if oddity {
            candidate.traits.weight = odd(&random)
            candidate.traits.pricePerGB = odd(&random)
            candidate.smoothedRTT = odd(&random)
            candidate.rttVariation = odd(&random)
            candidate.predictedDelivery = odd(&random)
            candidate.unansweredAge = odd(&random)
            candidate.lossRate = odd(&random)
            candidate.rate = odd(&random)
            candidate.room = random.next() % 2 == 0 ? .max : .min
            candidate.congestionWindow = random.next() % 2 == 0 ? .max : 0
            candidate.bytesInFlight = random.next() % 2 == 0 ? .max : -1
            candidate.features[Int(random.next() % 24)] = odd(&random)
        }
        set.append(candidate)
    }
    return set
}

private func feedback(
    _ set: CandidateSet, _ decision: Decision, _ burst: BurstContext, delivery: Double?,
    now: Instant
) -> Feedback? {
    guard let path = decision.action.first, let index = set.index(of: path) else { return nil }
    var result = outcome(delivery)
    result.closedAt = now
    return Feedback(
        features: set[index].features, predictedDelivery: set[index].predictedDelivery,
        burst: burst, outcome: result, now: now, path: path, action: decision.action,
        propensity: decision.propensity, memo: decision.memo)
}

@Suite struct RobustnessTests {
    /// For any input of estimators and any order of times, the distribution stays valid.
    @Test(arguments: everyPolicy)
    func nothingBreaksTheDistribution(policy: String) throws {
        var random = SeededGenerator(seed: 41)
        var selector = try PathSelector.make(policy)
        for step in 0..<1500 {
            let oddity = step % 3 == 1
            let candidates = set(2 + Int(random.next() % 15), &random, oddity: oddity)
            let jump = Int64(bitPattern: random.next() % 3_000_000_000) - 500_000_000
            let now = Instant(nanoseconds: Int64(step) * 10_000_000 + (oddity ? jump : 0))
            let context = burst(
                oddity ? .max : 10_000, random.next() % 2 == 0 ? .stream : .message)
            let decision = selector.decide(candidates, burst: context, now: now).decision
            let values = probabilities(decision.distribution)
            #expect(values.allSatisfy { $0 >= 0 && $0 <= 1 + 1e-12 }, "step \(step)")
            #expect((values.reduce(0, +) - 1).magnitude <= 1e-12, "step \(step)")
            #expect(decision.propensity > 0)
            for index in 0..<decision.distribution.count {
                var action = decision.distribution.action(index)
                while let path = action.popFirst() { #expect(candidates.index(of: path) != nil) }
            }
            let delivery: Double? = oddity ? odd(&random) : random.uniform()
            if var heard = feedback(candidates, decision, context, delivery: delivery, now: now) {
                if oddity {
                    heard.propensity = odd(&random)
                    heard.memo = random.next()
                    heard.predictedDelivery = odd(&random)
                    heard.outcome.deadline = odd(&random)
                    heard.path = PathID(Int(random.next() % 256))
                }
                selector.learn(heard)
            }
        }
        for explanation in selector.explain(set(4, &random, oddity: false), burst: burst()) {
            #expect(explanation.score.isFinite)
            #expect(explanation.terms.allSatisfy { $0.contribution.isFinite })
        }
    }

    /// Policies whose model is a sum over outcomes, by the score of the candidates afterwards.
    @Test(arguments: [
        "weighted:by=learned", "prune", "exp3", "exp4", "epsilon-greedy:half-life=inf",
        "softmax:half-life=inf", "lin-ts:half-life=inf", "squarecb:half-life=inf",
        "discounted-lin-ucb:half-life=inf,change=inf", "sliding-lin-ucb", "falcon:half-life=inf",
    ])
    func lateOutcomesGiveTheSameModel(policy: String) throws {
        var random = SeededGenerator(seed: 9)
        let made = try PathSelector.make(policy)
        var probe = made
        var heard: [Feedback] = []
        for step in 0..<600 {
            let now = Instant.zero + .milliseconds(Int64(step) * 15)
            let candidates = set(4, &random, oddity: false)
            let decision = probe.decide(candidates, burst: burst(), now: now).decision
            let delivery = 0.02 + 0.1 * random.uniform()
            if let one = feedback(candidates, decision, burst(), delivery: delivery, now: now) {
                heard.append(one)
            }
        }
        var orders = [heard, heard]
        // Each outcome is up to 40 positions late; the last one stays last.
        for index in stride(from: 0, to: heard.count - 41, by: 1) {
            orders[1].swapAt(index, index + Int(random.next() % 40))
        }
        let last = try #require(heard.last)
        #expect(orders[1].map(\.now) != heard.map(\.now))
        let candidates = set(4, &random, oddity: false)
        let scores = orders.map { order in
            var selector = made
            // The clock of every policy starts at the first outcome of all.
            selector.learn(heard[0])
            for one in order where one.now != heard[0].now { selector.learn(one) }
            _ = selector.decide(candidates, burst: burst(), now: last.now)
            return selector.explain(candidates, burst: burst()).map(\.score)
        }
        #expect(relativeError(scores[1], scores[0]) <= 1e-9, "\(scores)")
        var fresh = made
        _ = fresh.decide(candidates, burst: burst(), now: last.now)
        let before = fresh.explain(candidates, burst: burst()).map(\.score)
        #expect(relativeError(before, scores[0]) > 1e-3, "learns nothing")
    }

    /// With forgetting the sums themselves agree; the inverse is brought up to date at refreshes.
    @Test func lateOutcomesGiveTheSameSumsWhileForgetting() throws {
        var random = SeededGenerator(seed: 10)
        let settings = LinearBanditSettings(.softmax)
        let prior = LinearPrior(size: FeatureSchema.count + 1, lambda: 4)
        var policies = [
            LinearBandit(settings: settings, cost: Cost(), belief: LinearPosterior(prior: prior)),
            LinearBandit(settings: settings, cost: Cost(), belief: LinearPosterior(prior: prior)),
        ]
        var heard: [Feedback] = []
        for step in 0..<500 {
            var features = FeatureVector(repeating: 0)
            for index in 0..<FeatureSchema.count { features[index] = 2 * random.uniform() - 1 }
            heard.append(
                Feedback(
                    features: features, predictedDelivery: 0.05, burst: burst(),
                    outcome: outcome(0.02 + 0.1 * random.uniform()),
                    now: .zero + .milliseconds(Int64(step) * 30)))
        }
        for one in heard { policies[0].learn(one) }
        for index in stride(from: 0, to: heard.count - 41, by: 1) {
            heard.swapAt(index, index + Int(random.next() % 40))
        }
        for one in heard { policies[1].learn(one) }
        let (a, b) = (policies[0].belief, policies[1].belief)
        #expect(relativeError(b.precision.elements, a.precision.elements) <= 1e-12)
        #expect(relativeError(b.moment, a.moment) <= 1e-12)
        #expect((policies[0].evidence - policies[1].evidence).magnitude <= 1e-9)
    }

    /// An arm that is not used becomes uncertain again, in seconds and not in decisions.
    @Test(arguments: ["discounted-lin-ucb:half-life=1,change=inf,epsilon=0,alpha=1,ratio=1e6"])
    func idlePathsAreTriedAgain(policy: String) throws {
        var selector = try PathSelector.make(policy)
        var set = candidates([0.05, 0.05])
        for index in 0..<2 {
            set[index].features = FeatureVector(repeating: 0)
            set[index].features[index] = 1
        }
        var tried: [Int] = []
        for step in 0..<6000 {
            let now = Instant.zero + .milliseconds(Int64(step) * 10)
            let decision = selector.decide(set, burst: burst(), now: now).decision
            if decision.chosen == 1 { tried.append(step) }
            if let one = feedback(
                set, decision, burst(), delivery: decision.chosen == 0 ? 0.02 : 0.05, now: now)
            {
                selector.learn(one)
            }
        }
        // The worse path is probed in every ten seconds, and seldom.
        for start in stride(from: 0, to: 6000, by: 1000) {
            #expect(tried.contains { $0 >= start && $0 < start + 1000 }, "from \(start)")
        }
        #expect(tried.count < 300, "\(tried.count)")
    }
}
