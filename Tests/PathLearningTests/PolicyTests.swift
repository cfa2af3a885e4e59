import Testing

@testable import PathLearning
@testable import PathTelemetry

private let allPolicies =
    PolicySpecification.catalogue.map(\.name) + [
        "single:1", "weighted:by=telemetry", "weighted:by=learned", "lin-ucb:epsilon=0.2,alpha=1",
        "lin-ucb:features=16",
        "discounted-lin-ucb:half-life=0.5,change=3", "sliding-lin-ucb:window=0.5",
        "lin-ts:scale=1,half-life=1", "softmax:temperature=1",
    ]

@Suite struct DistributionTests {
    /// Random candidates with all kinds of faults, and random feedback in between.
    @Test(arguments: allPolicies)
    func sumToOneAndKeepTheRules(policy: String) throws {
        var random = SeededGenerator(seed: 99)
        var selector = try PathSelector.make(policy)
        var now = Instant.zero
        for step in 0..<500 {
            now += .milliseconds(Int64(random.next() % 50))
            let count = 1 + Int(random.next() % 16)
            var set = CandidateSet()
            for index in 0..<count {
                var candidate = Candidate(
                    path: PathID(index),
                    traits: PathTraits(weight: random.uniform() * 3, pricePerGB: random.uniform()))
                candidate.smoothedRTT = 0.005 + random.uniform() * 0.3
                candidate.rttVariation = candidate.smoothedRTT * random.uniform() / 2
                candidate.unansweredAge = random.next() % 3 == 0 ? random.uniform() : 0
                candidate.predictedDelivery = 0.001 + random.uniform() * 0.3
                candidate.room = Int(random.next() % 4) * 1000
                for feature in 0..<FeatureSchema.count {
                    candidate.features[feature] = random.uniform() * 2 - 1
                }
                set.append(candidate)
            }
            let context = burst(10_000, random.next() % 2 == 0 ? .stream : .message)
            let (decision, draw) = selector.decide(set, burst: context, now: now)
            let values = probabilities(decision.distribution)
            #expect((values.reduce(0, +) - 1).magnitude <= 1e-12)
            #expect(values.allSatisfy { $0 >= 0 && $0 <= 1 + 1e-12 })
            #expect(draw >= 0 && draw < 1)
            #expect(decision.propensity > 0)
            #expect(decision.isForced == (count == 1))
            #expect(values.count >= count)
            let singles = (0..<count).allSatisfy {
                decision.distribution.action($0) == PathSet(PathID($0))
            }
            #expect(singles)
            let isLearned =
                selector.name == "lin-ucb"
                || LinearBanditSettings.Rule(rawValue: selector.name) != nil
                || ["exp3", "prune", "falcon"].contains(selector.name)
            if isLearned && count > 1 { checkSafety(set, values) }
            if selector.name == "learned" && count > 1 {
                // The path is left for the best of the others, as by the steady rule.
                let estimates = (0..<count).map { SteadyPolicy.estimate(set[$0]) }
                let bars = estimates.map { $0 / 1.2 - 0.005 }
                for index in 0..<count
                where SteadyPolicy.isSuspicious(set[index])
                    && estimates.contains(where: { $0 < bars[index] })
                {
                    #expect(values[index] == 0)
                }
            }
            if let path = decision.action.first, let chosen = set.index(of: path) {
                let delivery = random.next() % 10 == 0 ? nil : random.uniform()
                selector.learn(
                    Feedback(
                        features: set[chosen].features,
                        predictedDelivery: set[chosen].predictedDelivery, burst: context,
                        outcome: outcome(delivery), now: now, path: path,
                        action: decision.action, propensity: decision.propensity,
                        memo: decision.memo))
            }
            if step == 0 { #expect(selector.name == policy.split(separator: ":")[0]) }
        }
        #expect(selector.overrides == 0)
    }

    /// A path whose reply is overdue is never tried while another's is not.
    private func checkSafety(_ set: CandidateSet, _ values: [Double]) {
        func overdue(_ index: Int) -> Bool {
            set[index].unansweredAge
                > set[index].smoothedRTT + max(4 * set[index].rttVariation, 0.01)
        }
        let someAnswer = (0..<set.count).contains { !overdue($0) }
        for index in 0..<set.count where someAnswer && overdue(index) {
            #expect(values[index] == 0)
        }
    }

    @Test func samplesFollowTheProbabilities() throws {
        var selector = try PathSelector.make("weighted", seed: 5)
        var set = CandidateSet()
        for (index, weight) in [1.0, 2, 5].enumerated() {
            var candidate = Candidate(path: PathID(index), traits: PathTraits(weight: weight))
            candidate.room = 1
            set.append(candidate)
        }
        var counts = [0, 0, 0]
        var propensities: Set<Double> = []
        for _ in 0..<80_000 {
            let (decision, _) = selector.decide(set, burst: burst(), now: .zero)
            counts[decision.chosen] += 1
            propensities.insert(decision.propensity)
        }
        #expect(propensities == [0.125, 0.25, 0.625])
        for (count, expected) in zip(counts, [10_000.0, 20_000, 50_000]) {
            #expect((Double(count) - expected).magnitude < 5 * expected.squareRoot())
        }
    }

    @Test func sameSeedSameDraws() throws {
        var one = try PathSelector.make("lin-ucb:epsilon=0.5", seed: 8)
        var two = try PathSelector.make("lin-ucb:epsilon=0.5", seed: 8)
        var differs = false
        var other = try PathSelector.make("lin-ucb:epsilon=0.5", seed: 9)
        for _ in 0..<200 {
            let set = candidates([0.03, 0.031, 0.032])
            let a = one.decide(set, burst: burst(), now: .zero)
            let b = two.decide(set, burst: burst(), now: .zero)
            #expect(a.draw == b.draw && a.decision.chosen == b.decision.chosen)
            if other.decide(set, burst: burst(), now: .zero).draw != a.draw { differs = true }
        }
        #expect(differs)
    }

    @Test func noCandidateMeansWait() throws {
        var selector = try PathSelector.make("steady")
        let (decision, _) = selector.decide(CandidateSet(), burst: burst(), now: .zero)
        #expect(decision.action == .wait && decision.isForced && decision.propensity == 1)
    }
}

@Suite struct FixedPolicyTests {
    private func chosen(_ selector: inout PathSelector, _ set: CandidateSet) -> Int {
        selector.decide(set, burst: burst(), now: .zero).decision.chosen
    }

    @Test func singleStaysOnItsPathWhileItIsThere() throws {
        var selector = try PathSelector.make("single:2")
        #expect(chosen(&selector, candidates([0.01, 0.02, 0.03])) == 2)
        #expect(chosen(&selector, candidates([0.01, 0.02])) == 0)
    }

    @Test func roundRobinTakesTurnsAmongPathsWithRoom() throws {
        var selector = try PathSelector.make("round-robin")
        var set = candidates([0.01, 0.02, 0.03])
        #expect((0..<5).map { _ in chosen(&selector, set) } == [0, 1, 2, 0, 1])
        set[0].room = 0
        #expect((0..<4).map { _ in chosen(&selector, set) } == [2, 1, 2, 1])
    }

    @Test func minRTTSpillsWhenTheWindowIsFull() throws {
        var selector = try PathSelector.make("min-rtt")
        var set = candidates([0.03, 0.01, 0.02])
        #expect(chosen(&selector, set) == 1)
        set[1].room = 0
        #expect(chosen(&selector, set) == 2)
        set[0].room = 0
        set[2].room = 0
        #expect(chosen(&selector, set) == 1)
    }

    @Test func earliestFollowsThePrediction() throws {
        var selector = try PathSelector.make("earliest")
        var set = candidates([0.01, 0.02])
        set[0].predictedDelivery = 0.5
        #expect(chosen(&selector, set) == 1)
    }

    @Test func redundantIsOneActionOnAllPaths() throws {
        var selector = try PathSelector.make("redundant")
        let set = candidates([0.01, 0.02, 0.03])
        let (decision, _) = selector.decide(set, burst: burst(), now: .zero)
        #expect(probabilities(decision.distribution) == [0, 0, 0, 1])
        #expect(decision.action.count == 3)
    }

    @Test func steadyMovesOnlyForAClearGain() throws {
        var selector = try PathSelector.make("steady")
        #expect(chosen(&selector, candidates([0.050, 0.060])) == 0)
        // 50 / 1.2 - 5 = 36.7 ms is the bar.
        #expect(chosen(&selector, candidates([0.050, 0.037])) == 0)
        #expect(chosen(&selector, candidates([0.050, 0.036])) == 1)
        #expect(chosen(&selector, candidates([0.050, 0.050])) == 1)
    }

    @Test func steadyLeavesASilentPathAndSpillsWithoutMoving() throws {
        var selector = try PathSelector.make("steady")
        var set = candidates([0.020, 0.100])
        #expect(chosen(&selector, set) == 0)
        set[0].room = 0
        #expect(chosen(&selector, set) == 1)
        set[0].room = 1000
        #expect(chosen(&selector, set) == 0)
        set[0].unansweredAge = 0.120
        #expect(chosen(&selector, set) == 0)
        set[0].unansweredAge = 0.130
        #expect(chosen(&selector, set) == 1)
        set[0].unansweredAge = 0
        #expect(chosen(&selector, set) == 0)
    }
}

@Suite struct CostTests {
    @Test func residualIsTheLogOfDeliveryOverPrediction() {
        let cost = Cost()
        func residual(_ h: Double, _ outcome: Outcome) -> Double {
            cost.residual(predictedDelivery: h, outcome: outcome)
        }
        #expect((residual(0.1, outcome(0.2)) - 0.6931471805599453).magnitude < 1e-12)
        #expect(residual(0.1, outcome(0.1)).magnitude < 1e-12)
        // Unanswered: the deadline's time, and late.
        #expect((residual(0.5, outcome(nil)) - 1.6931471805599453).magnitude < 1e-12)
        #expect(residual(10, outcome(1e-3)) == -2)
        #expect(residual(1e-3, outcome(nil)) == 4)
        #expect(residual(.nan, outcome(.nan)).isFinite)
    }

    @Test func totalComparesChoicesWithDifferentPredictions() {
        let cost = Cost()
        let fast = cost.total(outcome: outcome(0.05), price: 0)
        let slow = cost.total(outcome: outcome(0.1), price: 0)
        #expect((slow - fast - 0.6931471805599453).magnitude < 1e-12)
        let priced = cost.total(
            outcome: outcome(0.05), price: cost.price(bytes: 64_000, pricePerGB: 1))
        #expect((priced - fast - 0.064).magnitude < 1e-12)
    }
}
