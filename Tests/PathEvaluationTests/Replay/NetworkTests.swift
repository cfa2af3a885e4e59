import Foundation
import Testing

@testable import PathEvaluation
@testable import PathTelemetry

/// Late shares, delivery times and costs in worlds with known parameters.
@Suite struct NetworkTests {
    /// A world of two paths that generates actions and outcomes.
    private struct LinkWorld {
        var generator: SeededGenerator
        /// Probability that the log takes the second path, and that the policy does.
        var logging = 0.3
        var evaluated = 0.8
        /// Shares of late bursts, and means of the exponential delivery times, ms.
        var late = [0.05, 0.01]
        var means = [30.0, 15.0]
        /// Mean length of a bad period, decisions; one means no periods.
        var spell = 1.0
        private var isTrouble = false

        init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

        /// The true share of late bursts of the policy.
        var lateShare: Double { (1 - evaluated) * late[0] + evaluated * late[1] }

        mutating func sums(_ count: Int) -> NetworkSums {
            var sums = NetworkSums()
            for _ in 0..<count {
                let path = generator.uniform() < logging ? 1 : 0
                let (own, other) =
                    path == 1 ? (evaluated, logging) : (1 - evaluated, 1 - logging)
                var share = late[path]
                if spell > 1 {
                    // A tenth of the time is bad, and then ten times as many bursts are late.
                    let change = isTrouble ? 1 / spell : 1 / (9 * spell)
                    if generator.uniform() < change { isTrouble.toggle() }
                    share = isTrouble ? 10 * late[path] : 0
                }
                let isLate = generator.uniform() < share
                let time = -log(1 - generator.uniform()) * means[path] / 1000
                sums.add(
                    BurstFacts(
                        isLate: isLate, delivery: isLate ? nil : time, deadline: 0.2, bytes: 1000,
                        price: 0.5e-6), weight: own / other, agreement: own)
            }
            return sums
        }

        /// The true quantile of the policy's delivery times, late ones last.
        func quantile(_ probability: Double) -> Double {
            var (low, high) = (0.0, 10_000.0)
            for _ in 0..<200 {
                let middle = (low + high) / 2
                let share =
                    (1 - evaluated) * (1 - late[0]) * (1 - exp(-middle / means[0]))
                    + evaluated * (1 - late[1]) * (1 - exp(-middle / means[1]))
                if share < probability { low = middle } else { high = middle }
            }
            return low / 1000
        }
    }

    @Test(arguments: [(300, 1.0), (3000, 1.0), (6000, 40.0)])
    func lateSharesAreCovered(count: Int, spell: Double) {
        let repeats = 300
        var covered = 0
        var width = 0.0
        for seed in 1...UInt64(repeats) {
            var world = LinkWorld(seed: seed)
            world.spell = spell
            let interval = world.sums(count).figures(confidence: 0.95).lateInterval
            if interval.contains(world.lateShare) { covered += 1 }
            width += (interval.high - interval.low) / Double(repeats)
        }
        // Clopper and Pearson guarantee at least 95 %; few bad periods reduce the coverage
        // somewhat.
        let least = spell > 1 ? 0.88 : 0.93
        #expect(Double(covered) / Double(repeats) >= least, "\(covered) of \(repeats)")
        #expect(width < (count < 1000 ? 0.09 : 0.035), "\(width)")
    }

    /// For a policy without late bursts the interval is that of the effective number of bursts.
    @Test func noneLateIsNotNever() {
        var sums = NetworkSums()
        for _ in 0..<1000 {
            sums.add(
                BurstFacts(isLate: false, delivery: 0.01, deadline: 0.1, bytes: 1, price: 0),
                weight: 1, agreement: 1)
        }
        let figures = sums.figures(confidence: 0.95)
        #expect(figures.lateShare == 0 && figures.lateInterval.low == 0)
        // 1 - 0.025^(1/1000).
        #expect((figures.lateInterval.high - 0.0036821).magnitude < 1e-6)
    }

    @Test func quantilesAreCovered() {
        let repeats = 300
        var covered = [0, 0, 0]
        for seed in 1...UInt64(repeats) {
            var world = LinkWorld(seed: seed)
            world.late = [0.008, 0.001]
            for (place, quantile) in world.sums(2000).figures(confidence: 0.95).deliveries
                .enumerated()
            {
                let truth = world.quantile(quantile.probability)
                if (quantile.low...quantile.high).contains(truth) { covered[place] += 1 }
                if place < 2 {
                    #expect((quantile.value / truth - 1).magnitude < 0.5, "\(seed)")
                }
            }
        }
        for count in covered {
            #expect(Double(count) / Double(repeats) >= 0.91, "\(covered) of \(repeats)")
        }
    }

    /// Where more than one burst in a hundred is late, the 99 % quantile is late.
    @Test func lateBurstsAreTheSlowest() {
        var world = LinkWorld(seed: 9)
        world.late = [0.05, 0.04]
        let figures = world.sums(5000).figures(confidence: 0.95)
        #expect(figures.deliveries[2].value == .infinity)
        #expect(figures.deliveries[0].value < 0.03)
        #expect((figures.pricePerGB - 0.5).magnitude < 1e-12)
    }

    /// Beyond its exact size the sketch agrees within a percent.
    @Test func manyBurstsFitInBoundedMemory() {
        var world = LinkWorld(seed: 10)
        world.late = [0.008, 0.001]
        let figures = world.sums(200_000).figures(confidence: 0.95)
        for quantile in figures.deliveries {
            let truth = world.quantile(quantile.probability)
            #expect((quantile.value / truth - 1).magnitude < 0.05)
            #expect(quantile.low <= quantile.value && quantile.value <= quantile.high)
        }
    }

    private func report(_ policies: [(String, value: Double, late: Int)]) -> EvaluationReport {
        var report = EvaluationReport(source: .traces(.cost))
        func sums(_ late: Int) -> NetworkSums {
            var sums = NetworkSums()
            for index in 0..<1000 {
                sums.add(
                    BurstFacts(
                        isLate: index * late % 1000 < late, delivery: 0.01, deadline: 0.1,
                        bytes: 1, price: 0), weight: 1, agreement: 1)
            }
            return sums
        }
        report.model = RewardModelFit(rows: 1)
        report.recordedNetwork = sums(policies[0].late).figures(confidence: 0.95)
        for policy in policies.dropFirst() {
            var options = AnalysisOptions()
            options.hasGate = true
            var analysis = PolicyAnalysis(options: options, hasModel: true)
            var generator = SeededGenerator(seed: 3)
            for row in 0..<1000 {
                let noise = 0.1 * generator.uniform() - 0.05
                analysis.add(
                    OffPolicyRow(
                        weight: 1, reward: policies[0].value + noise,
                        modelled: policies[0].value + noise, direct: policy.value + noise),
                    RowFacts(row: row, propensity: 1, agreement: 1, outcome: 0, action: 0))
            }
            analysis.finish()
            var evaluation = PolicyEvaluation(
                label: policy.0, analysis: analysis, diagnostics: analysis.diagnostics)
            evaluation.network = sums(policy.late).figures(confidence: 0.95)
            report.policies.append(evaluation)
        }
        report.warnOfLateness(1)
        return report
    }

    /// A policy with a better value that is late ten times as often is reported and not deployed.
    @Test func lateWinnersAreWarnedOf() {
        let report = report([
            ("", -1, 10), ("hasty", -0.5, 100), ("calm", -0.9, 8), ("slow", -2, 300),
        ])
        #expect(
            report.latenessWarnings.map { "\($0.policy) \($0.other)" } == [
                "hasty calm", "hasty (recorded)",
            ])
        #expect(report.policies[0].gate?.decision == .hold)
        #expect(report.policies[0].gate?.reason == "it is late far more often")
        #expect(report.policies[1].gate?.decision == .deploy)
    }

    @Test func chanceIsNoWarning() {
        #expect(report([("", -1, 0), ("a", -0.5, 2)]).latenessWarnings.isEmpty)
        #expect(report([("", -1, 10), ("a", -0.5, 18)]).latenessWarnings.isEmpty)
        #expect(report([("", -1, 1), ("a", -0.5, 12)]).latenessWarnings.count == 1)
    }

    /// A gain below the margin is no reason to deploy.
    @Test func theMarginHoldsSmallGains() {
        for (gain, decision) in [
            (0.005, Gate.Decision.hold), (0.02, .deploy), (0, .hold), (-0.02, .reject),
        ] {
            let trusted = Verdict(self.report([("", -1, 0), ("a", -1, 0)]).policies[0].diagnostics)
            let interval = Interval(gain - 0.001, gain + 0.001, method: "")
            #expect(Gate(interval, trusted, margin: 0.01).decision == decision, "\(gain)")
        }
    }
}
