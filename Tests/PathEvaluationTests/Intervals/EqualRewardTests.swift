import Foundation
import Testing

@testable import PathEvaluation
@testable import PathTelemetry

/// Equal rewards of all relevant decisions in a sample do not prove that other rewards do not
/// exist.
@Suite struct EqualRewardTests {
    private func analysis(
        _ rows: [(weight: Double, reward: Double)], range: ClosedRange<Double>? = nil,
        interval: IntervalMethod = .automatic, matches: Bool = false
    ) -> PolicyAnalysis {
        var options = AnalysisOptions()
        options.rewardRange = range
        options.interval = interval
        var analysis = PolicyAnalysis(options: options, hasModel: true)
        for (index, row) in rows.enumerated() {
            analysis.add(
                OffPolicyRow(
                    weight: row.weight, reward: row.reward, modelled: 0.001, direct: 0.001,
                    isMatch: matches),
                RowFacts(
                    row: index, propensity: 0.5, agreement: row.weight / 2, outcome: row.reward,
                    action: 0))
        }
        analysis.finish()
        return analysis
    }

    /// The rule of three, times the largest weight, for every estimator and kind of interval.
    @Test(arguments: IntervalMethod.allCases) func noIntervalHasNoWidth(method: IntervalMethod) {
        let count = 2000
        let rows = (0..<count).map { (weight: $0 % 3 == 0 ? 0 : 1.5, reward: 0.0) }
        let analysis = analysis(rows, interval: method)
        let least = 1.5 * (1 - pow(0.05, 1 / Double(count)))
        #expect((least * Double(count) / 1.5 - 3).magnitude < 0.01)
        #expect(analysis.estimates.count == 5)
        for (estimate, interval) in analysis.estimates {
            #expect(interval.low <= 0, "\(estimate.estimator)")
            #expect(interval.high >= least * (1 - 1e-9), "\(estimate.estimator): \(interval)")
        }
        #expect(analysis.gainInterval.high >= least * (1 - 1e-9))
    }

    /// Rewards are zero where the policy goes and vary elsewhere: the recorded variance proves
    /// nothing.
    @Test func rewardsThatThePolicyNeverMeetsDoNotCount() {
        let rows = (0..<2000).map { index in
            index % 3 == 0
                ? (weight: 0, reward: index % 600 == 0 ? 1.0 : 0) : (weight: 1.5, reward: 0)
        }
        for (_, interval) in analysis(rows).estimates { #expect(interval.high > 0.0022) }
    }

    /// A constant inside of the range may be wrong on both sides, at its ends on one.
    @Test func theIntervalReachesTowardsTheEndsOfTheRange() {
        let share = 1 - pow(0.05, 1.0 / 100)
        for (reward, range, low, high) in [
            (4.0, 0.0...10.0, 4 - 4 * share, 4 + 6 * share), (10, 0...10, 10 - 10 * share, 10),
            (-1, -1...0, -1, -1 + share),
        ] {
            let rows = [(weight: Double, reward: Double)](
                repeating: (1, reward), count: 100)
            let analysis = analysis(rows, range: range)
            for estimator in [Estimator.ips, .snips] {
                let estimate = analysis.estimates.first { $0.estimate.estimator == estimator }
                #expect((estimate!.interval.low - low).magnitude < 1e-9)
                #expect((estimate!.interval.high - high).magnitude < 1e-9)
            }
            let recorded = analysis.recordedInterval(confidence: 0.95)
            #expect((recorded.low - low).magnitude < 1e-9)
            #expect((recorded.high - high).magnitude < 1e-9)
        }
    }

    /// Without a known range there is no bound, and the output says so.
    @Test func anUnknownRangeIsTold() {
        let rows = [(weight: Double, reward: Double)](repeating: (1, -4), count: 200)
        let verdict = Verdict(analysis(rows).diagnostics)
        #expect(verdict.reasons.contains { $0.contains("--reward-range") })
    }

    @Test func whereThePolicyNeverGoesAllIsPossible() {
        let rows = (0..<50).map { (weight: 0.0, reward: $0 % 3 == 0 ? 1.0 : 0) }
        for (_, interval) in analysis(rows).estimates {
            #expect(interval.low <= 0 && interval.high >= 1)
        }
    }

    /// A reward of probability 0.001 occurs in few samples of 1000: these intervals cover its
    /// effect, where intervals from the sample alone never do.
    @Test func rareRewardsAreCovered() {
        var generator = SeededGenerator(seed: 4)
        var covered = 0
        var empty = 0
        for _ in 0..<400 {
            let rows = (0..<1000).map { _ in
                (
                    weight: generator.uniform() < 0.5 ? 0.5 : 1.5,
                    reward: generator.uniform() < 0.001 ? 1.0 : 0
                )
            }
            guard rows.allSatisfy({ $0.reward == 0 }) else { continue }
            empty += 1
            let interval = analysis(rows).estimates.first { $0.estimate.estimator == .ips }
            if interval?.interval.contains(0.001) == true { covered += 1 }
        }
        #expect(empty > 100)
        #expect(covered == empty)
    }
}
