import CKernels
import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// The conversion of costs to probabilities, against straightforward formulas.
@Suite struct ChoiceTests {
    private static let rounds = 400

    /// Candidates; those in `overdue` have an overdue reply.
    private func candidates(
        _ count: Int, overdue: UInt32, _ random: inout SeededGenerator
    ) -> [Candidate] {
        var paths = Array(0..<16)
        paths.shuffle(using: &random)
        return (0..<count).map { index in
            var candidate = Candidate(path: PathID(paths[index]))
            candidate.smoothedRTT = 0.02
            candidate.unansweredAge = overdue & 1 << UInt32(index) == 0 ? 0.0299 : 0.0301
            return candidate
        }
    }

    /// Sixteen numbers; those beyond `count` are NaN.
    private func row(_ count: Int, _ random: inout SeededGenerator) -> [Double] {
        (0..<16).map { $0 < count ? 0.05 + 0.1 * random.uniform() : .nan }
    }

    /// A quarter of the candidates, or all of a few.
    private func overdue(_ count: Int, _ random: inout SeededGenerator) -> UInt32 {
        let all = (UInt32(1) << UInt32(count)) - 1
        return UInt32(truncatingIfNeeded: random.next() & random.next()) & all
    }

    private func expect(
        _ distribution: ActionDistribution, is shares: [Double], of candidates: [Candidate]
    ) {
        #expect(distribution.count == candidates.count)
        for (index, share) in shares.enumerated() {
            #expect(distribution.action(index) == PathSet(candidates[index].path))
            #expect((distribution[index] - share).magnitude < 1e-13)
            #expect((distribution[index] == 0) == (share == 0))
        }
    }

    @Test(arguments: 1...16)
    func theSafeSetIsWhatAnswersAndIsNearlyAsFast(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        for _ in 0..<ChoiceTests.rounds {
            var deliveries = row(count, &random)
            if random.next() % 4 == 0 {
                deliveries[Int.random(in: 0..<count, using: &random)] = .nan
            }
            let overdue = overdue(count, &random)
            let all = candidates(count, overdue: overdue, &random)
            let some = (0..<count).filter { overdue & 1 << UInt32($0) == 0 }
            let answering = some.isEmpty ? Array(0..<count) : some
            let fastest = answering.map { deliveries[$0] }.filter { !$0.isNaN }.min() ?? .infinity
            let safe = answering.filter { deliveries[$0] <= 1.3 * fastest + 0.01 }
            #expect(
                SafeSet.members(all.span, deliveries: deliveries.span, ratio: 1.3, slack: 0.01)
                    == safe.reduce(0) { $0 | 1 << UInt32($1) })
        }
    }

    @Test(arguments: 1...16)
    func theLeastCostOfTheSafeSetGetsTheRest(count: Int) {
        var random = SeededGenerator(seed: UInt64(20 + count))
        let rule = ck_choice(ratio: 1.3, slack: 0.01, epsilon: 0.1)
        for round in 0..<ChoiceTests.rounds {
            let overdue = overdue(count, &random)
            let all = candidates(count, overdue: overdue, &random)
            var costs = row(count, &random)
            // Equal ones now and then: the first is taken.
            if round % 3 == 0, count > 1 { costs[count - 1] = costs[0] }
            let deliveries = row(count, &random)
            let bits = SafeSet.members(
                all.span, deliveries: deliveries.span, ratio: 1.3, slack: 0.01)
            let safe = (0..<count).filter { bits & 1 << UInt32($0) != 0 }
            let best = safe.min { (costs[$0], $0) < (costs[$1], $1) }
            var distribution = ActionDistribution()
            distribution.chooseLeast(rule, costs.span, deliveries.span, among: all.span)
            expect(
                distribution,
                is: (0..<count).map {
                    safe.contains($0) ? 0.1 / Double(safe.count) + ($0 == best ? 0.9 : 0) : 0
                }, of: all)
        }
    }

    @Test func withoutAFiniteDeliveryNothingIsChosen() {
        let all = (0..<3).map { Candidate(path: PathID($0)) }
        let none = [Double](repeating: .nan, count: 16)
        var distribution = ActionDistribution()
        distribution.chooseLeast(
            ck_choice(ratio: 1.3, slack: 0.01, epsilon: 0.1), none.span, none.span, among: all.span)
        expect(distribution, is: [0, 0, 0], of: all)
        #expect(distribution.sample(0.5) == nil, "the steady rule decides then")
    }

    @Test(arguments: 1...16)
    func theLearnedPolicySharesByExponentials(count: Int) {
        var random = SeededGenerator(seed: UInt64(40 + count))
        var settings = LearnedSettings()
        settings.epsilon = 0.1
        settings.risk = 0.05
        var scorer = LearnedScorer(settings: settings, cost: Cost(), stride: 28)
        for _ in 0..<ChoiceTests.rounds {
            let overdue = overdue(count, &random)
            let all = candidates(count, overdue: overdue, &random)
            let (costs, risks) = (row(count, &random), row(count, &random))
            let (deliveries, estimates) = (row(count, &random), row(count, &random))
            let quickest = estimates[..<count].min() ?? .infinity
            let stays = (0..<count).filter {
                overdue & 1 << UInt32($0) == 0 || !(quickest < estimates[$0] / 1.2 - 0.005)
            }
            let best = stays.min { costs[$0] < costs[$1] } ?? 0
            let safe = stays.filter {
                deliveries[$0] <= settings.ratio * deliveries[best] + settings.slack
                    && risks[$0] <= risks[best] + settings.risk
            }
            let shares = safe.map { exp((costs[best] - costs[$0]) / settings.temperature) }
            let sum = shares.reduce(0, +)
            var expected = [Double](repeating: 0, count: count)
            for (place, share) in zip(safe, shares) {
                expected[place] = 0.1 / Double(safe.count) + 0.9 * share / sum
            }
            // The row of results is not used here.
            var rows = costs + risks + deliveries + deliveries + estimates
            var distribution = ActionDistribution()
            rows.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                scorer.fill(
                    &distribution, all.span,
                    LearnedEvaluation(rows: base, overdue: overdue, isFinite: true))
            }
            expect(distribution, is: expected, of: all)
        }
    }

    @Test func theDrawPicksTheShareItFallsInto() {
        var distribution = ActionDistribution()
        for (path, share) in [0, 0.25, 0, 0.5, 0.25, 0].enumerated() {
            distribution.append(PathSet(PathID(path)), share)
        }
        let picks = [0, 0.249, 0.25, 0.5, 0.749, 0.75, 0.999, 1].map { distribution.sample($0) }
        #expect(picks == [1, 1, 3, 3, 3, 4, 4, 4])
        for broken in [-0.25, .nan, .infinity, 0.5] {
            var other = distribution
            other[1] = broken
            #expect(other.sample(0.6) == nil)
        }
    }
}
