import PathEvaluation
import PathTelemetry
import Testing

/// Columns in memory against rows fed one by one.
@Suite struct ColumnTests {
    /// Shares in tenths, so that actions are often equally probable.
    private func shares(_ width: Int, _ generator: inout SeededGenerator) -> [Double] {
        let parts = (0..<width).map { _ in Double(1 + generator.next() % 3) }
        let sum = parts.reduce(0, +)
        return parts.map { $0 / sum }
    }

    private func log(_ count: Int, width: Int, hasModel: Bool) -> (BanditLog, [OffPolicyRow]) {
        var generator = SeededGenerator(seed: UInt64(count * 31 + width))
        var log = BanditLog(actionCount: width)
        var rows: [OffPolicyRow] = []
        for _ in 0..<count {
            let evaluated = shares(width, &generator)
            let logging = shares(width, &generator)
            let expected = (0..<width).map { _ in generator.uniform() }
            let action = Int(generator.next() % UInt64(width))
            let reward = generator.uniform()
            log.append(
                action: action, reward: reward, propensity: logging[action],
                evaluated: evaluated, expected: hasModel ? expected : [])
            // The first of the most probable actions.
            let best = evaluated.firstIndex(of: evaluated.max() ?? 0)
            rows.append(
                OffPolicyRow(
                    weight: evaluated[action] / logging[action], reward: reward,
                    modelled: hasModel ? expected[action] : 0,
                    direct: hasModel ? zip(evaluated, expected).reduce(0) { $0 + $1.0 * $1.1 } : 0,
                    isMatch: best == action))
        }
        return (log, rows)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 9], [1, 255, 256, 257, 1000])
    func columnsAgreeWithRows(width: Int, count: Int) throws {
        let (log, rows) = log(count, width: width, hasModel: true)
        let given = Estimator.all.filter { $0.name != .mrdr }
        let scores = Estimator.scores(for: given)
        var accumulator = OffPolicyAccumulator(scores: scores)
        for row in rows { accumulator.add(row) }
        let (sums, wanted) = (log.sums(scores: scores), accumulator.sums)
        for estimator in given {
            let left = sums.estimate(estimator)
            let right = wanted.estimate(estimator)
            #expect(left?.count == right?.count, "\(estimator)")
            let value = try #require(right?.value)
            guard !value.isNaN else { continue }
            #expect(agree(left?.value ?? .nan, value, within: 1e-12), "\(estimator)")
            let alone = try #require(log.estimate(estimator))
            #expect(agree(alone.value, value, within: 1e-12), "\(estimator) alone")
            #expect(agree(alone.standardError, right?.standardError ?? .nan, within: 1e-9))
        }
        #expect(sums.largestWeight == wanted.largestWeight)
    }

    @Test func withoutAModelOnlyWeightsCount() throws {
        let (log, rows) = log(300, width: 4, hasModel: false)
        let mean = rows.reduce(0) { $0 + $1.weight * $1.reward } / 300
        #expect(agree(try #require(log.estimate(.ips)).value, mean, within: 1e-13))
        #expect(log.estimate(.dr) == nil)
        #expect(log.estimate(Estimator(.dm)) == nil)
        #expect(log.sums().estimate(.sndr) == nil)
        #expect(agree(log.scores().reduce(0, +) / 300, mean, within: 1e-13))
    }

    /// What each rule makes of a weight, written out.
    @Test func rulesDoToWeightsWhatTheirPapersSay() throws {
        let (log, rows) = log(301, width: 3, hasModel: true)
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
                    let value = try #require(log.estimate(estimator)).value
                    #expect(agree(value, wanted, within: 1e-13), "\(estimator)")
                }
                if let estimator = Estimator(parsing: "\(doublyRobust)=\(lambda)") {
                    let wanted =
                        rows.reduce(0) {
                            $0 + $1.direct + rule($1.weight) * ($1.reward - $1.modelled)
                        } / 301
                    let value = try #require(log.estimate(estimator)).value
                    #expect(agree(value, wanted, within: 1e-13), "\(estimator)")
                    let sums = log.sums(scores: Estimator.scores(for: [estimator]))
                    #expect(sums.estimate(estimator)?.value == value, "\(estimator)")
                }
            }
        }
    }

    /// Few decisions widen the default interval of DR; the normal one stays what it is.
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
