import DenseMath
import Foundation
import PathLearning
import PathTelemetry
import Testing

private func flat(_ value: Any?) -> [Double] {
    if let number = value as? NSNumber { return [number.doubleValue] }
    guard let list = value as? [Any] else { return [] }
    return list.flatMap(flat)
}

@Suite(.enabled(if: Reference.isPresent, "reference numbers are not beside the package"))
struct LinearReferenceTests {
    private let sequence: [[Double]]
    private let contexts: [[Double]]
    private let expected: [String: Any]

    init() throws {
        sequence = try Reference.csv("lin_sequence.csv")
        contexts = try Reference.csv("lin_test_contexts.csv")
        expected = try Reference.json("lin_expected.json")
    }

    private func padded(_ x: some Sequence<Double>) -> [Double] {
        Array(x) + [Double](repeating: 0, count: 3)
    }

    /// One posterior an arm; all fade at each step where `decay` is below one.
    private func learn(
        lambda: Double, decay: Double = 1, rows: Range<Int> = 0..<300
    ) -> [LinearPosterior] {
        var arms = (0..<3).map { _ in
            LinearPosterior(prior: LinearPrior(size: 5, lambda: lambda))
        }
        for row in sequence[rows] {
            for arm in 0..<3 {
                if arm == Int(row[6]) {
                    arms[arm].learn(padded(row[1..<6]), target: row[7], decay: decay)
                } else {
                    arms[arm].fade(decay)
                }
            }
        }
        return arms
    }

    @Test(arguments: [1.0, 0.1, 10])
    func linUCBStates(lambda: Double) throws {
        let name = "linucb_lambda=" + (lambda == 0.1 ? "0.1" : String(Int(lambda)))
        let state = try #require(expected[name] as? [String: Any])
        let arms = learn(lambda: lambda)
        // Both the rank-one path and the fresh solution agree.
        for refreshed in [false, true] {
            var arms = arms
            if refreshed { for arm in 0..<3 { arms[arm].refresh() } }
            #expect(
                relativeError(arms.flatMap(\.precision.elements), flat(state["A"])) <= 1e-12)
            #expect(relativeError(arms.flatMap(\.moment), flat(state["b"])) <= 1e-12)
            #expect(relativeError(arms.flatMap(\.theta), flat(state["theta"])) <= 1e-12)
            #expect(
                relativeError(arms.flatMap(\.covariance.elements), flat(state["A_inv"])) <= 1e-12)
            for (alpha, key) in [(1.0, "ucb_alpha1"), (2.5, "ucb_alpha2_5")] {
                let scores = contexts.flatMap { context in
                    arms.map { arm -> Double in
                        let (mean, spread) = arm.predict(padded(context))
                        return mean + alpha * spread.squareRoot()
                    }
                }
                #expect(relativeError(scores, flat(state[key])) <= 1e-12)
            }
        }
        for arm in 0..<3 {
            let factor = try Cholesky(arms[arm].precision)
            let logDeterminants = flat(state["logdet_A"])
            #expect((factor.logDeterminant - logDeterminants[arm]).magnitude <= 1e-11)
        }
    }

    @Test(arguments: [0.99, 0.95])
    func discountedOnAGlobalClock(gamma: Double) throws {
        let state = try #require(
            expected["discounted_gamma=\(gamma)_global_clock"] as? [String: Any])
        var arms = learn(lambda: 1, decay: gamma)
        for arm in 0..<3 { arms[arm].refresh() }
        #expect(relativeError(arms.flatMap(\.precision.elements), flat(state["A"])) <= 1e-12)
        #expect(relativeError(arms.flatMap(\.moment), flat(state["b"])) <= 1e-12)
        #expect(relativeError(arms.flatMap(\.theta), flat(state["theta"])) <= 1e-12)
    }

    @Test(arguments: [0.99, 0.95])
    func recursiveLeastSquaresWithForgetting(gamma: Double) throws {
        let state = try #require(
            expected["rls_forgetting=\(gamma)_arm_clock"] as? [String: Any])
        var inverses: [Double] = []
        var thetas: [Double] = []
        for arm in 0..<3 {
            var p = [Double](repeating: 0, count: 40)
            for index in 0..<5 { p[index + index * 8] = 1 }
            var theta = [Double](repeating: 0, count: 8)
            var scratch = theta
            for row in sequence where Int(row[6]) == arm {
                SmallKernels.recursiveLeastSquares(
                    inverse: &p, theta: &theta, padded(row[1..<6]), target: row[7], decay: gamma,
                    size: 5, stride: 8, scratch: &scratch)
            }
            for column in 0..<5 { inverses += p[(column * 8)..<(column * 8 + 5)] }
            thetas += theta.prefix(5)
        }
        #expect(relativeError(inverses, flat(state["P"])) <= 1e-11)
        #expect(relativeError(thetas, flat(state["theta"])) <= 1e-11)
    }

    @Test func windowOfTheLastHundred() throws {
        let state = try #require(
            expected["sliding_window_last100_global"] as? [String: Any])
        let arms = learn(lambda: 1, rows: 200..<300)
        #expect(relativeError(arms.flatMap(\.precision.elements), flat(state["A"])) <= 1e-12)
        #expect(relativeError(arms.flatMap(\.theta), flat(state["theta"])) <= 1e-12)
    }
}

@Suite struct LinearPosteriorTests {
    @Test func staysSoundWithHalfTheDirectionsNeverExcited() throws {
        var random = SeededGenerator(seed: 12)
        var posterior = LinearPosterior(prior: LinearPrior(size: 8, lambda: 1))
        var x = [Double](repeating: 0, count: 8)
        for _ in 0..<20_000 {
            for index in 0..<4 { x[index] = random.uniform() * 2 - 1 }
            posterior.learn(x, target: x[0] - x[2], decay: 0.99)
        }
        #expect(posterior.resets == 0 && posterior.observations == 20_000)
        let inverse = posterior.covariance
        let fresh = try Cholesky(posterior.precision)
        let truth = fresh.inverse()
        for column in 0..<8 {
            for row in 0..<8 {
                #expect(inverse[row, column] == inverse[column, row])
                // Up to two percent of fading may be pending.
                #expect((inverse[row, column] - truth[row, column]).magnitude < 0.021)
            }
        }
        for index in 4..<8 { #expect((truth[index, index] - 1).magnitude < 1e-9) }
        #expect((posterior.theta[0] - 1).magnitude < 0.05)
        #expect(try relativeError(posterior.theta, fresh.solve(posterior.moment)) < 1e-3)
        posterior.refresh()
        #expect(try relativeError(posterior.theta, fresh.solve(posterior.moment)) < 1e-12)
    }

    @Test func refusesWhatIsNotFinite() {
        var posterior = LinearPosterior(prior: LinearPrior(size: 2, lambda: 1))
        posterior.learn([1, 1, 0, 0], target: 1)
        let before = posterior.theta
        posterior.learn([.nan, 1, 0, 0], target: 1)
        posterior.learn([1, 1, 0, 0], target: .infinity)
        #expect(posterior.theta == before && posterior.refused == 2)
        // A square that overflows costs the data, not the policy.
        posterior.learn([1e200, 1e200, 0, 0], target: 1)
        #expect(posterior.resets == 1)
        #expect(posterior.theta == [0, 0])
        posterior.learn([1, 0, 0, 0], target: 1)
        #expect(posterior.theta == [0.5, 0])
    }

    @Test func aLongPauseReturnsToThePrior() throws {
        let prior = try LinearPrior(mean: [2, -1], precision: Matrix(diagonal: 3, size: 2))
        var posterior = LinearPosterior(prior: prior)
        for _ in 0..<100 { posterior.learn([1, 0, 0, 0], target: 7) }
        #expect(posterior.theta[0] > 6.8)
        posterior.fade(0)
        posterior.fade(0)
        posterior.refresh()
        #expect(relativeError(posterior.theta, [2, -1]) < 1e-9)
    }

    @Test func unusablePriorsAreRefused() {
        #expect(throws: LearningError.self) {
            try LinearPrior(mean: [1], precision: Matrix(diagonal: 1, size: 2))
        }
        #expect(throws: LearningError.self) {
            try LinearPrior(mean: [1], precision: Matrix(diagonal: -1, size: 1))
        }
        #expect(throws: LearningError.self) {
            try LinearPrior(mean: [.nan], precision: Matrix(diagonal: 1, size: 1))
        }
    }
}

/// Three paths whose heuristic is wrong by factors that their features give away.
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

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func learnsWhichHeuristicIsWrong(seed: UInt64) throws {
        var world = World(random: SeededGenerator(seed: seed), factors: [1.6, 1.0, 0.7])
        var now = Instant.zero
        var learned = try PathSelector.make("lin-ucb", seed: seed)
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
