import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Thompson sampling whose probabilities are computed after the decision.
@Suite struct OpenDistributionTests {
    private let roundTrips = [0.030, 0.031, 0.0315, 0.033, 0.034, 0.036, 0.040, 0.043]

    /// Actions are drawn as often as the later computed probabilities say.
    @Test(arguments: 2...8)
    func drawsFollowTheProbabilities(count: Int) throws {
        let set = candidates(Array(roundTrips.prefix(count)))
        var selector = try PathSelector.make("lin-ts:scale=0.5,epsilon=0.05,ratio=10", seed: 3)
        var decision = Decision()
        let rounds = 60_000
        var counts = [Int](repeating: 0, count: count)
        for _ in 0..<rounds {
            _ = selector.decide(set, burst: burst(), now: .zero, into: &decision)
            #expect(decision.distribution.isOpen && decision.propensity.isNaN)
            counts[decision.chosen] += 1
        }
        decision.distribution.workOut(chosen: decision.chosen)
        #expect(!decision.distribution.isOpen && decision.propensity > 0)
        let shares = probabilities(decision.distribution)
        #expect((shares.reduce(0, +) - 1).magnitude <= 1e-12)
        #expect(shares.allSatisfy { $0 >= 0.05 / Double(count) - 1e-15 })
        for (index, share) in shares.enumerated() {
            let deviation = (share * (1 - share) / Double(rounds)).squareRoot()
            let error = Double(counts[index]) / Double(rounds) - share
            #expect(error.magnitude <= 5 * deviation, "\(count) candidates, \(index): \(share)")
        }
    }

    @Test func laterIsTheSameAsAtOnce() throws {
        let set = candidates(Array(roundTrips.prefix(5)))
        var later = try PathSelector.make("lin-ts", seed: 7)
        var atOnce = try PathSelector.make("lin-ts", seed: 7)
        for step in 0..<200 {
            var decision = Decision()
            let now = Instant.zero + .milliseconds(Int64(step))
            let draw = later.decide(set, burst: burst(), now: now, into: &decision)
            decision.distribution.workOut(chosen: decision.chosen)
            let other = atOnce.decide(set, burst: burst(), now: now)
            #expect(draw == other.draw && decision.chosen == other.decision.chosen)
            #expect(
                probabilities(decision.distribution).map(\.bitPattern)
                    == probabilities(other.decision.distribution).map(\.bitPattern))
            let feedback = Feedback(
                features: set[decision.chosen].features, predictedDelivery: 0.02, burst: burst(),
                outcome: outcome(0.015 + 0.001 * Double(decision.chosen)), now: now,
                path: set[decision.chosen].path, propensity: .nan)
            later.learn(feedback)
            atOnce.learn(feedback)
        }
    }

    /// An action that quadrature considers impossible has been drawn.
    @Test func theActionTakenNeverHasProbabilityZero() {
        let all = [Candidate(path: PathID(0)), Candidate(path: PathID(1))]
        var distribution = ActionDistribution()
        var (means, deviations) = (
            InlineArray<16, Double>(repeating: 0), InlineArray<16, Double>(repeating: 1e-3)
        )
        means[1] = 1
        deviations[0] = 0
        distribution.leaveOpen(
            all.span, means: means, deviations: deviations, members: 3, epsilon: 0)
        var taken = distribution
        distribution.workOut(chosen: 0)
        taken.workOut(chosen: 1)
        #expect(probabilities(distribution) == [1, 0])
        #expect(taken[1] > 0 && (taken[0] + taken[1] - 1).magnitude < 1e-12)
    }
}
