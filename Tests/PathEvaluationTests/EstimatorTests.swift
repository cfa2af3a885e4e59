import PathEvaluation
import PathTelemetry
import Testing

/// True when two numbers differ by at most this share of the larger.
func agree(_ left: Double, _ right: Double, within tolerance: Double = 1e-9) -> Bool {
    (left - right).magnitude <= tolerance * max(1e-300, left.magnitude, right.magnitude)
}

@Suite struct EstimatorTests {
    @Test(
        .enabled(if: Reference.isPresent, Reference.absence),
        arguments: ["binary", "continuous", "poor_overlap"])
    func estimatesAgreeWithTheReference(name: String) throws {
        let expected = try Reference.numbers("expected.json")
        let intervals = try Reference.numbers("expected_ci.json")
        let log = try Reference.log(name)
        let rows = OffPolicyAccumulator(
            weights: log.weights, rewards: log.rewards, modelled: log.modelled,
            direct: log.direct)
        func check(_ value: Double, _ key: String, in numbers: [String: Double]) throws {
            let wanted = try #require(numbers["/\(name)/\(key)"])
            #expect(agree(value, wanted), "\(key): \(value), expected \(wanted)")
        }
        for (estimator, key, interval) in [
            (Estimator.ips, "IPS", "IPS"), (.snips, "SNIPS", "SNIPS_delta_method"),
            (.dm, "DM", "DM"), (.dr, "DR", "DR"),
        ] {
            let estimate = rows.estimate(estimator)
            try check(estimate.value, "estimates/" + key, in: expected)
            try check(estimate.standardError, interval + "/se", in: intervals)
            let bounds = estimate.interval(confidence: 0.95)
            try check(bounds.low, interval + "/normal95/0", in: intervals)
            try check(bounds.high, interval + "/normal95/1", in: intervals)
        }
        let gain = rows.gainOverLogged
        try check(gain.value, "DR_minus_logged/estimate", in: intervals)
        try check(gain.standardError, "DR_minus_logged/se", in: intervals)
        try check(gain.interval(confidence: 0.95).low, "DR_minus_logged/normal95/0", in: intervals)
        try check(rows.effectiveSampleSize, "diagnostics/ess_kish", in: expected)
        try check(rows.largestWeight, "diagnostics/max_weight", in: expected)
        try check(rows.meanWeight.value, "diagnostics/mean_weight", in: expected)
        try check(rows.recorded.value, "diagnostics/mean_reward_logged", in: expected)
        try check(rows.meanWeight.standardError, "weight_diagnostics/mean_se", in: intervals)
        let verdict = Verdict(rows, unsupportedShare: 0)
        #expect(verdict.level == (name == "poor_overlap" ? .doNotTrust : .trust))
        #expect(verdict.reasons.isEmpty == (name != "poor_overlap"))
    }

    @Test(.enabled(if: Reference.isPresent, Reference.absence))
    func sumsAreExactToTheLastDigits() throws {
        let expected = try Reference.numbers("expected.json")
        for name in ["binary", "continuous", "poor_overlap"] {
            let log = try Reference.log(name)
            let rows = OffPolicyAccumulator(
                weights: log.weights, rewards: log.rewards, modelled: log.modelled,
                direct: log.direct)
            for (estimator, key) in [
                (Estimator.ips, "IPS"), (.snips, "SNIPS"), (.dm, "DM"), (.dr, "DR"),
            ] {
                let wanted = try #require(expected["/\(name)/fsum_check/\(key)"])
                #expect(agree(rows.estimate(estimator).value, wanted, within: 1e-15))
            }
        }
    }

    private func randomRow(_ generator: inout SeededGenerator) -> OffPolicyRow {
        OffPolicyRow(
            weight: generator.uniform() * generator.uniform() * 9,
            reward: 1e3 + generator.uniform(), modelled: 1e3 + generator.uniform(),
            direct: 1e3 + generator.uniform())
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func mergedPartsEqualTheWhole(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var whole = OffPolicyAccumulator()
        var merged = OffPolicyAccumulator()
        for _ in 0..<7 {
            var part = OffPolicyAccumulator()
            for _ in 0..<Int(generator.next() % 400) {
                let row = randomRow(&generator)
                whole.add(row)
                part.add(row)
            }
            merged.merge(part)
        }
        #expect(merged.count == whole.count)
        for estimator in Estimator.allCases {
            let (left, right) = (merged.estimate(estimator), whole.estimate(estimator))
            #expect(agree(left.value, right.value, within: 1e-14))
            #expect(agree(left.standardError, right.standardError, within: 1e-11))
        }
        #expect(agree(merged.effectiveSampleSize, whole.effectiveSampleSize, within: 1e-14))
        #expect(merged.largestWeight == whole.largestWeight)
    }

    @Test func aConstantRewardHasNoUncertainty() {
        var generator = SeededGenerator(seed: 3)
        var rows = OffPolicyAccumulator()
        for _ in 0..<1000 {
            rows.add(OffPolicyRow(weight: generator.uniform() * 30, reward: 1))
        }
        let estimate = rows.estimate(.snips)
        #expect(estimate.value == 1)
        #expect(estimate.standardError == 0)
        let bounds = estimate.interval(confidence: 0.95)
        #expect(bounds.low == 1 && bounds.high == 1)
    }

    @Test func aPolicyOnItsOwnLogHasTheRecordedMean() {
        var generator = SeededGenerator(seed: 4)
        var rows = OffPolicyAccumulator()
        for _ in 0..<10_001 {
            let probability = generator.uniform()
            rows.add(
                OffPolicyRow(
                    weight: probability / probability, reward: generator.uniform() * 1e-3 - 7))
        }
        #expect(rows.estimate(.ips).value == rows.recorded.value)
        #expect(rows.estimate(.snips).value == rows.recorded.value)
        #expect(agree(rows.estimate(.snips).standardError, rows.recorded.standardError))
        #expect(rows.effectiveSampleSize == 10_001)
    }

    /// Draws logs of two unlike policies over three actions and checks that 95 % intervals of DR
    /// cover the truth about that often.
    @Test func intervalsCoverTheTruth() {
        var generator = SeededGenerator(seed: 20)
        let logging = [0.6, 0.3, 0.1]
        let evaluated = [0.1, 0.3, 0.6]
        let means = [0.2, 0.5, 0.8]
        let truth = zip(evaluated, means).reduce(0) { $0 + $1.0 * $1.1 }
        var covered = 0
        for _ in 0..<400 {
            var rows = OffPolicyAccumulator()
            for _ in 0..<600 {
                let draw = generator.uniform()
                let action = draw < 0.6 ? 0 : draw < 0.9 ? 1 : 2
                let reward = generator.uniform() < means[action] ? 1.0 : 0
                let model = means.map { 0.8 * $0 + 0.1 }
                rows.add(
                    OffPolicyRow(
                        weight: evaluated[action] / logging[action], reward: reward,
                        modelled: model[action],
                        direct: zip(evaluated, model).reduce(0) { $0 + $1.0 * $1.1 }))
            }
            let bounds = rows.estimate(.dr).interval(confidence: 0.95)
            if bounds.low <= truth, truth <= bounds.high { covered += 1 }
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
        #expect(NormalDistribution.quantile(1) == .infinity)
        #expect(NormalDistribution.quantile(-1).isNaN)
    }
}
