import Testing

@testable import PathEvaluation
@testable import PathTelemetry

/// Whether two numbers differ by at most this share of the larger.
func agree(_ left: Double, _ right: Double, within tolerance: Double = 1e-9) -> Bool {
    (left - right).magnitude <= tolerance * max(1e-300, left.magnitude, right.magnitude)
}

@Suite struct EstimatorTests {
    /// Estimates equal their formulas, whether rows are added in blocks or singly.
    @Test(arguments: [1, 2, 7, 8, 9, 255, 256, 257, 1000]) func formulas(count: Int) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        var rows: [OffPolicyRow] = []
        for _ in 0..<count {
            rows.append(
                OffPolicyRow(
                    weight: generator.uniform() * 3, reward: generator.uniform(),
                    modelled: generator.uniform(), direct: generator.uniform(),
                    robustModelled: generator.uniform(), robustDirect: generator.uniform(),
                    isMatch: generator.uniform() < 0.5))
        }
        let given = ["ips-clip=1.5", "dr-clip=2", "switch-dr=1", "dr-os=3", "sg-dr=0.3", "mrdr"]
            .compactMap { Estimator(parsing: $0) }
        let sums = OffPolicySums(rows, scores: Estimator.scores(for: given))
        func mean(_ value: (OffPolicyRow) -> Double) -> Double {
            rows.reduce(0) { $0 + value($1) } / Double(rows.count)
        }
        let wanted = [
            mean { min($0.weight, 1.5) * $0.reward },
            mean { $0.direct + min($0.weight, 2) * ($0.reward - $0.modelled) },
            mean { $0.direct + ($0.weight <= 1 ? $0.weight * ($0.reward - $0.modelled) : 0) },
            mean {
                $0.direct + 3 * $0.weight / ($0.weight * $0.weight + 3) * ($0.reward - $0.modelled)
            },
            mean { $0.direct + $0.weight / (0.7 + 0.3 * $0.weight) * ($0.reward - $0.modelled) },
            mean { $0.robustDirect + $0.weight * ($0.reward - $0.robustModelled) },
        ]
        for (estimator, value) in zip(given, wanted) {
            let estimate = try #require(sums.estimate(estimator))
            #expect(agree(estimate.value, value, within: 1e-12), "\(estimator)")
        }
    }

    @Test(arguments: [false, true]) func aConstantRewardHasNoUncertainty(hasModel: Bool) throws {
        var generator = SeededGenerator(seed: 3)
        let sums = OffPolicySums(
            (0..<1000).map { _ in
                OffPolicyRow(
                    weight: generator.uniform() * 30, reward: 1,
                    modelled: hasModel ? generator.uniform() : 1,
                    direct: hasModel ? generator.uniform() : 1)
            })
        for estimator in [Estimator.snips, .sndr] {
            let estimate = try #require(sums.estimate(estimator))
            #expect(estimate.value == 1)
            #expect(estimate.standardError == 0)
            let bounds = estimate.normal(confidence: 0.95)
            #expect(bounds.low == 1 && bounds.high == 1)
        }
    }

    @Test func aPolicyOnItsOwnLogHasTheRecordedMean() throws {
        var generator = SeededGenerator(seed: 4)
        let sums = OffPolicySums(
            (0..<10_001).map { _ in
                let probability = generator.uniform()
                return OffPolicyRow(
                    weight: probability / probability, reward: generator.uniform() * 1e-3 - 7)
            })
        let snips = try #require(sums.estimate(.snips))
        #expect(sums.estimate(.ips)?.value == sums.recorded.value)
        #expect(snips.value == sums.recorded.value)
        #expect(agree(snips.standardError, sums.recorded.standardError))
        #expect(sums.effectiveSampleSize == 10_001)
        let likelihood = try #require(sums.estimate(Estimator(.cressieRead)))
        #expect(agree(likelihood.value, sums.recorded.value))
    }

    @Test func namesAndNumbers() {
        #expect(Estimator(parsing: "dr-clip=10")?.lambda == 10)
        #expect(Estimator(parsing: "dr-clip=10")?.text == "dr-clip=10")
        for text in [
            "", "DR", "dr=1", "snips=2", "dr-clip=", "dr-clip=-1", "dr-clip=nan",
            "dr-os=inf", "sg-ips=1.5", "cressie-read=1", "replay=0", "ips-clip=1=2",
        ] {
            #expect(Estimator(parsing: text) == nil, "\(text)")
        }
        for kind in EstimatorDescriptor.catalogue {
            #expect(Estimator(parsing: kind.name) == Estimator(kind))
        }
    }

    /// Draws logs of two different policies over three actions and checks the coverage of 95 %
    /// intervals of DR.
    @Test func intervalsCoverTheTruth() {
        var generator = SeededGenerator(seed: 20)
        let logging = [0.6, 0.3, 0.1]
        let evaluated = [0.1, 0.3, 0.6]
        let means = [0.2, 0.5, 0.8]
        let truth = zip(evaluated, means).reduce(0) { $0 + $1.0 * $1.1 }
        var covered = 0
        for _ in 0..<400 {
            var rows: [OffPolicyRow] = []
            for _ in 0..<600 {
                let draw = generator.uniform()
                let action = draw < 0.6 ? 0 : draw < 0.9 ? 1 : 2
                let reward = generator.uniform() < means[action] ? 1.0 : 0
                let model = means.map { 0.8 * $0 + 0.1 }
                rows.append(
                    OffPolicyRow(
                        weight: evaluated[action] / logging[action], reward: reward,
                        modelled: model[action],
                        direct: zip(evaluated, model).reduce(0) { $0 + $1.0 * $1.1 }))
            }
            let estimate = OffPolicySums(rows).estimate(.dr)
            if estimate?.normal(confidence: 0.95).contains(truth) == true {
                covered += 1
            }
        }
        #expect((364...394).contains(covered), "\(covered) of 400")
    }

    @Test func quantilesOfTheNormalDistribution() {
        for (probability, quantile) in [
            (0.5, 0.0), (0.975, 1.959963984540054), (0.995, 2.5758293035489004),
            (1e-10, -6.361340902404056), (0.841344746068543, 1.0),
        ] {
            #expect(
                (NormalDistribution.quantile(probability) - quantile).magnitude
                    <= 1e-13 * max(1, quantile.magnitude))
        }
        // SciPy 1.17, scipy.stats.t.ppf.
        for (probability, freedom, quantile) in [
            (0.975, 1.0, 12.706204736174694), (0.975, 10, 2.228138851986274),
            (0.95, 50, 1.675905025163097), (0.975, 1000, 1.9623390808264083),
            (0.995, 4999, 2.5768131633989824),
        ] {
            #expect(
                agree(
                    StudentDistribution.quantile(probability, freedom: freedom), quantile,
                    within: 1e-9), "\(freedom)")
        }
        // The expansion and the incomplete beta function agree at the transition.
        #expect(
            agree(
                StudentDistribution.quantile(0.975, freedom: 1000),
                StudentDistribution.quantile(0.975, freedom: 1000.0000001), within: 1e-12))
        #expect(NormalDistribution.quantile(1) == .infinity)
        #expect(NormalDistribution.quantile(-1).isNaN)
    }
}
