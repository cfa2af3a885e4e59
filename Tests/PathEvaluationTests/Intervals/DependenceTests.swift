import Testing

@testable import PathEvaluation
@testable import PathTelemetry

/// For autocorrelated decisions the default intervals have about their nominal coverage.
@Suite struct DependenceTests {
    /// Two actions in equal parts of time, a slow disturbance common to both.
    private func analysis(
        _ count: Int, memory: Double, seed: UInt64, interval: IntervalMethod
    ) -> PolicyAnalysis {
        var generator = SeededGenerator(seed: seed)
        func normal() -> Double { NormalDistribution.quantile(max(1e-16, generator.uniform())) }
        var options = AnalysisOptions()
        options.interval = interval
        var analysis = PolicyAnalysis(options: options, hasModel: true)
        var level = 0.0
        for row in 0..<count {
            level = memory * level + 0.1 * normal()
            let action = generator.uniform() < 0.6 ? 0 : 1
            let reward = (action == 0 ? 0.4 : 0.6) + level + 0.3 * normal()
            analysis.add(
                OffPolicyRow(
                    weight: action == 0 ? 0.3 / 0.6 : 0.7 / 0.4, reward: reward, modelled: 0.5,
                    direct: 0.5),
                RowFacts(
                    row: row, propensity: action == 0 ? 0.6 : 0.4,
                    agreement: action == 0 ? 0.3 : 0.7, outcome: reward, action: action))
        }
        analysis.finish()
        return analysis
    }

    @Test func theDefaultIntervalsCoverTheTruth() {
        let truth = 0.3 * 0.4 + 0.7 * 0.6
        let repeats = 200
        var covered = [Estimator.dr: 0, .snips: 0, .ips: 0]
        var naive = 0
        for seed in 1...UInt64(repeats) {
            let analysis = analysis(4000, memory: 0.95, seed: seed, interval: .automatic)
            for (estimate, interval) in analysis.estimates where interval.contains(truth) {
                covered[estimate.estimator]? += 1
            }
            let estimate = analysis.sums.estimate(.dr)!
            if estimate.normal(confidence: 0.95).contains(truth) { naive += 1 }
        }
        // The bound is below 95 % because of chance and the finite number of batches.
        for (estimator, count) in covered {
            #expect(Double(count) / Double(repeats) >= 0.89, "\(estimator): \(count)")
        }
        #expect(Double(naive) / Double(repeats) < 0.6)
    }

    @Test func independentDecisionsKeepTheirIntervals() {
        var changed = 0
        for seed in 1...100 as ClosedRange<UInt64> {
            let analysis = analysis(4000, memory: 0, seed: seed, interval: .automatic)
            if analysis.isDependent { changed += 1 }
        }
        #expect(changed <= 3, "\(changed) of 100")
    }

    /// Intervals of estimators without sums per batch are widened as much.
    @Test func allEstimatorsAreWidened() throws {
        var analysis = analysis(4000, memory: 0.95, seed: 3, interval: .automatic)
        #expect(analysis.isDependent)
        // The direct method has no variance here: the model predicts one number.
        for (estimate, interval) in analysis.estimates where estimate.estimator.kind != .dm {
            #expect(interval.method.contains("batch"))
            // The error is that of the interval: two of them on each side, by Student's t.
            let width = (interval.high - interval.low) / 2
            #expect((1.9...2.4).contains(width / estimate.standardError))
        }
        #expect(analysis.gainInterval.method.contains("batch"))
        let ratio = try #require(analysis.errorRatio)
        let clipped = Estimate(
            estimator: Estimator(.ipsClip, lambda: 2), value: 1, standardError: 0.01, count: 4000)
        let interval = analysis.interval(of: clipped, confidence: 0.95)
        #expect(agree(interval.high - 1, 1.959963984540054 * 0.01 * ratio, within: 1e-9))
        analysis = self.analysis(4000, memory: 0.95, seed: 3, interval: .normal)
        #expect(analysis.estimates.allSatisfy { $0.interval.method.hasPrefix("normal") })
    }
}
