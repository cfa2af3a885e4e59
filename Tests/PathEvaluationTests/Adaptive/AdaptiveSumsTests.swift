import Glibc
import PathTelemetry
import Testing

@testable import PathEvaluation

@Suite struct AdaptiveSumsTests {
    /// Rows of a log whose exploration fades: the policy to be evaluated takes an action that the
    /// log takes with probability p, in half of the decisions; the reward model expects too little.
    private static func fill(
        _ count: Int, seed: UInt64, floor: (Int) -> Double, into add: (OffPolicyRow) -> Void
    ) {
        var generator = SeededGenerator(seed: seed)
        for index in 0..<count {
            let isRare = generator.uniform() < 0.5
            let chance = isRare ? floor(index + 1) : 1
            let isTaken = generator.uniform() < chance
            let reward = (isTaken ? 0.5 : 1) + 0.5 * generator.normal()
            var row = OffPolicyRow(
                weight: isTaken ? 1 / chance : 0, reward: reward, modelled: 0.3, direct: 0.3)
            row.weightSquare = 1 / chance
            add(row)
        }
    }

    private static func analysis(
        _ estimators: [Estimator], _ count: Int, seed: UInt64, floor: (Int) -> Double
    ) -> OffPolicySums {
        var sums = OffPolicySums(
            scores: [], adaptive: AdaptiveSums.needed(for: estimators), hasModel: true)
        var block = RowBlock()
        fill(count, seed: seed, floor: floor) { row in
            block.append(row)
            if block.isFull {
                sums.add(block)
                block.removeAll()
            }
        }
        sums.add(block)
        return sums
    }

    private static let estimators = [
        Estimator.dr, Estimator(.adaptiveStable, lambda: 200),
        Estimator(.adaptiveLeast, lambda: 200),
    ]

    /// With exploration that fades as t^-0.8, DR's intervals cover too rarely, and weights by what
    /// was known before each decision make them narrower and cover more often.
    @Test func fadingExplorationNeedsWeights() throws {
        var covered = [0, 0, 0]
        var width = [0.0, 0, 0]
        let repeats = 400
        for run in 0..<repeats {
            let sums = Self.analysis(
                Self.estimators, 2000, seed: UInt64(run + 1), floor: { 0.5 * pow(Double($0), -0.8) }
            )
            for (index, estimator) in Self.estimators.enumerated() {
                let estimate = try #require(sums.estimate(estimator))
                let interval = estimate.normal(confidence: 0.95)
                if interval.contains(0.5) { covered[index] += 1 }
                width[index] += interval.high - interval.low
            }
        }
        // An independent simulation gave 74, 82 and 90 %, and widths of 0.57, 0.49 and 0.46.
        let shares = covered.map { Double($0) / Double(repeats) }
        #expect((shares[0] - 0.74).magnitude < 0.07, "\(shares)")
        #expect((shares[1] - 0.82).magnitude < 0.06, "\(shares)")
        #expect((shares[2] - 0.90).magnitude < 0.05, "\(shares)")
        #expect(width[1] < 0.93 * width[0] && width[2] < 0.88 * width[0], "\(width)")
    }

    /// With a constant floor all weights are about equal, and so are the estimates.
    @Test func constantExplorationNeedsNone() throws {
        let sums = Self.analysis(Self.estimators, 4000, seed: 3, floor: { _ in 0.2 })
        let plain = try #require(sums.estimate(.dr))
        for estimator in Self.estimators.dropFirst() {
            let weighted = try #require(sums.estimate(estimator))
            #expect((weighted.value - plain.value).magnitude < 0.2 * plain.standardError)
            #expect((weighted.standardError / plain.standardError - 1).magnitude < 0.02)
        }
    }

    @Test func numbersAfterTheNameAreHalfLives() throws {
        let quick = try #require(Estimator(parsing: "adr-stable=50"))
        let slow = try #require(Estimator(parsing: "adr-stable"))
        let sums = Self.analysis(
            [quick, slow], 3000, seed: 4, floor: { $0 % 1000 < 500 ? 0.5 : 0.02 })
        let one = try #require(sums.estimate(quick))
        let other = try #require(sums.estimate(slow))
        #expect(one.lambda == 50 && other.lambda == nil)
        // It follows the changes of exploration every 500 decisions.
        #expect(one.standardError < 0.95 * other.standardError)
        #expect(Estimator(parsing: "adr-min=0.5") == nil)
    }

    /// Merged sums are those of one pass with the same weights.
    @Test func mergedSumsEqualOnePass() {
        var generator = SeededGenerator(seed: 6)
        var (whole, left, right) = (
            AdaptiveSums(.stable), AdaptiveSums(.stable), AdaptiveSums(.stable)
        )
        for index in 0..<500 {
            let (score, weight) = (7 + generator.normal(), 0.1 + generator.uniform())
            whole.add(score, weight: weight)
            if index < 200 {
                left.add(score, weight: weight)
            } else {
                right.add(score, weight: weight)
            }
        }
        left.merge(right)
        #expect(left.count == 500)
        #expect((left.mean - whole.mean).magnitude < 1e-12)
        #expect((left.variance / whole.variance - 1).magnitude < 1e-10)
    }
}
