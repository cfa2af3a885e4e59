import Foundation
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry

/// Regret against the known optimum; the whole table is printed by the benchmark `regret`.
@Suite struct RegretTests {
    /// There is no safe set here: it limits a sender's risk, and a bandit must be free to explore.
    private static let free = "ratio=1e6"

    private func regret(
        _ policy: String, _ kind: BanditWorld.Kind, arms: Int, steps: Int = 12_000,
        seeds: Int = 2, delay: Int = 0
    ) throws -> BanditResult {
        let specification = try PolicySpecification(parsing: policy)
        func play(_ seed: UInt64) throws -> BanditResult {
            try BanditResult.play(
                specification, in: BanditWorld(kind, arms: arms, steps: steps, seed: seed),
                seed: seed, delay: delay)
        }
        var sum = try play(1)
        for seed in 2...UInt64(max(2, seeds)) {
            let result = try play(seed)
            sum.regret += result.regret
            sum.randomRegret += result.randomRegret
            sum.fixedArmRegret += result.fixedArmRegret
        }
        return sum
    }

    /// The contextual policies against epsilon-greedy with the same model.
    @Test(
        arguments: [
            "softmax:ratio=1e6,temperature=0.02,epsilon=0.001", "discounted-lin-ucb:ratio=1e6",
            "sliding-lin-ucb:ratio=1e6", "lin-ts:ratio=1e6,epsilon=0.001",
            "squarecb:ratio=1e6,gamma=100", "lin-ucb:ratio=1e6,epsilon=0.001",
        ], [2, 4, 8])
    func belowEpsilonGreedy(policy: String, arms: Int) throws {
        let own = try regret(policy, .linear, arms: arms)
        let greedy = try regret("epsilon-greedy:\(RegretTests.free)", .linear, arms: arms)
        #expect(own.regret < greedy.regret, "\(own.share) against \(greedy.share)")
    }

    /// With a correct model regret grows slower than the root of time (the order of LinUCB and
    /// LinTS is d sqrt(T), of SquareCB sqrt(d K T)): four times the steps cost less than twice.
    @Test(arguments: [
        "discounted-lin-ucb:ratio=1e6,epsilon=0,half-life=inf,change=inf",
        "lin-ts:ratio=1e6,epsilon=0,half-life=inf", "lin-ucb:ratio=1e6,epsilon=0,half-life=inf",
        "squarecb:ratio=1e6,gamma=100,half-life=inf",
    ])
    func growsNoFasterThanTheRoot(policy: String) throws {
        let short = try regret(policy, .linear, arms: 4, steps: 4000)
        let long = try regret(policy, .linear, arms: 4, steps: 16_000)
        #expect(long.regret < 2 * short.regret * 1.1, "\(short.regret), \(long.regret)")
        #expect(long.share < 0.05, "\(long.share)")
    }

    @Test func discountedWithChangeDetectionFollowsChanges() throws {
        let policy = "discounted-lin-ucb:ratio=1e6,epsilon=0.001,alpha=0.3,half-life=2.5"
        let abrupt = try regret(policy, .abrupt, arms: 4, seeds: 4)
        #expect(abrupt.share <= 0.02, "\(abrupt.share)")
        let drifting = try regret(policy, .drifting, arms: 4, seeds: 4)
        #expect(drifting.share <= 0.05, "\(drifting.share)")
        // A model without discounting fails in both.
        let stubborn = "discounted-lin-ucb:ratio=1e6,epsilon=0.001,half-life=inf,change=inf"
        #expect(try regret(stubborn, .abrupt, arms: 4).share > 0.2)
        #expect(try regret(stubborn, .drifting, arms: 4).share > 0.2)
    }

    /// Outcomes that are twenty decisions late cost little.
    @Test func delayedOutcomes() throws {
        let policy = "discounted-lin-ucb:ratio=1e6,epsilon=0.001"
        let prompt = try regret(policy, .linear, arms: 4)
        let late = try regret(policy, .linear, arms: 4, delay: 20)
        #expect(late.regret < 2 * prompt.regret, "\(prompt.regret), \(late.regret)")
    }

    /// Worlds that no linear model fits: still far better than chance, and than any fixed arm.
    @Test(arguments: ["discounted-lin-ucb:ratio=1e6", "lin-ts:ratio=1e6", "squarecb:ratio=1e6"])
    func nonlinearWorldsAreNotLost(policy: String) throws {
        let own = try regret(policy, .nonlinear, arms: 4)
        #expect(own.share < 0.6, "\(own.share)")
        #expect(own.regret < own.fixedArmRegret)
    }

    /// Policies without context in worlds without context; the order of exp3 is sqrt(K T ln K).
    @Test(arguments: [("exp3", 0.35, 0.7), ("prune", 0.05, 0.2)], [2, 4, 8])
    func contextFreePolicies(policy: (name: String, fixed: Double, switching: Double), arms: Int)
        throws
    {
        let own = try regret(policy.name, .fixed, arms: arms)
        #expect(own.share < policy.fixed, "\(own.share)")
        let lasting = policy.name + ":epsilon=0.001,half-life=inf"
        let short = try regret(lasting, .fixed, arms: arms, steps: 4000)
        let long = try regret(lasting, .fixed, arms: arms, steps: 16_000)
        // Prune's regret is a few decisions at the start and its epsilon, which is linear.
        let epsilon = 0.001 * (long.randomRegret - 2.2 * short.randomRegret)
        #expect(
            long.regret < 2.2 * short.regret + epsilon + 5, "\(short.regret), \(long.regret)")
        let switching = try regret(policy.name, .switching, arms: arms)
        #expect(switching.share < policy.switching, "\(switching.share)")
    }

    @Test func worldsRepeatThemselvesAndAreWhatTheySay() throws {
        for kind in BanditWorld.Kind.allCases {
            var one = BanditWorld(kind, arms: 4, steps: 300, seed: 7)
            var two = BanditWorld(kind, arms: 4, steps: 300, seed: 7)
            var a = CandidateSet()
            var b = CandidateSet()
            var distinct: Set<Int> = []
            for number in 0..<300 as Range<UInt64> {
                one.advance(&a)
                two.advance(&b)
                #expect(one.costs == two.costs)
                let arm = Int(number % 4)
                #expect(
                    one.outcome(of: arm, number: number).delivery
                        == two.outcome(of: arm, number: number).delivery)
                distinct.insert(one.costs.indices.min { one.costs[$0] < one.costs[$1] } ?? 0)
            }
            #expect(distinct.count == (kind == .fixed ? 1 : kind == .switching ? 3 : 4))
        }
    }
}
