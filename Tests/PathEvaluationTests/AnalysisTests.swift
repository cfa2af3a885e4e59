import Testing

@testable import PathEvaluation
@testable import PathTelemetry

/// The analysis of rows: weight rules, intervals of few decisions, values by path.
@Suite struct AnalysisTests {
    private func rows(_ count: Int) -> [OffPolicyRow] {
        var generator = SeededGenerator(seed: 931)
        return (0..<count).map { _ in
            OffPolicyRow(
                weight: 6 * generator.uniform() * generator.uniform(),
                reward: generator.uniform(), modelled: generator.uniform(),
                direct: generator.uniform())
        }
    }

    /// The effect of each rule on a weight, computed by its formula.
    @Test func rulesDoToWeightsWhatTheirPapersSay() throws {
        let rows = rows(301)
        for lambda in [0.0, 0.4, 0.9, 1.0, 2.0, 5.0] {
            let rules: [(String, String, (Double) -> Double)] = [
                ("ips-clip", "dr-clip", { min($0, lambda) }),
                ("", "switch-dr", { $0 <= lambda ? $0 : 0 }),
                ("", "dr-os", { lambda == 0 ? 0 : lambda * $0 / ($0 * $0 + lambda) }),
                (
                    lambda > 1 ? "" : "sg-ips", lambda > 1 ? "" : "sg-dr",
                    { $0 / (1 - lambda + lambda * $0) }
                ),
            ]
            for (weighted, doublyRobust, rule) in rules {
                if let estimator = Estimator(parsing: "\(weighted)=\(lambda)") {
                    let wanted = rows.reduce(0) { $0 + rule($1.weight) * $1.reward } / 301
                    let sums = OffPolicySums(rows, scores: Estimator.scores(for: [estimator]))
                    let value = try #require(sums.estimate(estimator)).value
                    #expect(agree(value, wanted, within: 1e-13), "\(estimator)")
                }
                if let estimator = Estimator(parsing: "\(doublyRobust)=\(lambda)") {
                    let wanted =
                        rows.reduce(0) {
                            $0 + $1.direct + rule($1.weight) * ($1.reward - $1.modelled)
                        } / 301
                    let sums = OffPolicySums(rows, scores: Estimator.scores(for: [estimator]))
                    let value = try #require(sums.estimate(estimator)).value
                    #expect(agree(value, wanted, within: 1e-13), "\(estimator)")
                }
            }
        }
    }

    /// Few decisions widen the default interval of DR, and not the normal one.
    @Test func fewEffectiveDecisionsWidenTheIntervalOfDR() throws {
        for (count, isWider) in [(500, true), (1000, false)] {
            var analysis = PolicyAnalysis(options: AnalysisOptions(), hasModel: true)
            var generator = SeededGenerator(seed: 8)
            for row in 0..<count {
                let weight = row % 100 == 0 ? 40.0 : 0.5
                analysis.add(
                    OffPolicyRow(
                        weight: weight, reward: generator.uniform(), modelled: 0.5, direct: 0.5),
                    RowFacts(row: row, propensity: 0.1, agreement: 0.1, outcome: 0, action: 0))
            }
            analysis.finish()
            let estimate = try #require(analysis.sums.estimate(.dr))
            let normal = estimate.normal(confidence: 0.95)
            let interval = analysis.interval(of: estimate, confidence: 0.95)
            #expect(interval.contains(normal.low) == isWider || interval == normal)
            #expect((interval.high - interval.low > normal.high - normal.low) == isWider)
            // Two and a half effective degrees of freedom and more.
            let size = analysis.sums.effectiveSampleSize
            let wanted = estimate.student(confidence: 0.95, effectiveSampleSize: size)
            if isWider { #expect(interval == wanted) }
            #expect(wanted.method == "t, by the effective sample size")
            let least = estimate.student(confidence: 0.95, effectiveSampleSize: 0)
            #expect(
                agree(least.high - estimate.value, 4.302652729749464 * estimate.standardError))
        }
    }

    /// An action of two paths belongs to both.
    @Test func valuesByPath() {
        var analysis = PolicyAnalysis(options: AnalysisOptions(), hasModel: false)
        for (row, paths) in [0b01, 0b10, 0b11, 0b01].enumerated() {
            analysis.add(
                OffPolicyRow(weight: 1, reward: Double(row)),
                RowFacts(
                    row: row, propensity: 1, agreement: 1, outcome: 0, action: paths,
                    paths: UInt16(paths)),
                pathName: { "path \($0)" })
        }
        analysis.finish()
        let values = analysis.byPath
        #expect(values.map(\.name) == ["path 0", "path 1"])
        #expect(values.map(\.sums.count) == [3, 2])
        #expect(values[0].sums.selfNormalised.value == 5.0 / 3)
        #expect(values[1].sums.selfNormalised.value == 1.5)
    }
}
