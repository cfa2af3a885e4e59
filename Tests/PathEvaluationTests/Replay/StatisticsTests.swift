import Foundation
import PathLearning
import PathTelemetry
import PathTrace
import Testing

@testable import PathEvaluation

/// Sums of traces that are merged: the report does not depend on who made them where.
@Suite struct StatisticsTests {
    static let policies: [EvaluatedPolicy] = [
        .logged, .policy(.minRTT), .policy(.steady), .policy(.single(.name("dsl"))),
    ]

    private static func evaluation(_ options: AnalysisOptions = AnalysisOptions())
        -> TraceEvaluation
    {
        var evaluation = TraceEvaluation(options: options)
        evaluation.baseline = "min-rtt"
        return evaluation
    }

    /// Traces of different sizes, one of them too short for a reward model.
    private static func traces(in folder: URL) throws -> [TraceReader] {
        try [(2500, UInt64(1)), (700, 2), (1500, 3), (12, 4)].map { count, seed in
            let path = folder.appending(path: "\(seed).trace").path
            _ = try record(
                PolicySpecification(parsing: "lin-ucb"), count: count, seed: seed, to: path)
            return try TraceReader(path: path)
        }
    }

    private static func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func equal(_ one: Double, _ other: Double) -> Bool {
        one == other || (one.isNaN && other.isNaN)
            || (one - other).magnitude <= 1e-9 * max(1, one.magnitude)
    }

    @Test func sumsOfOneTraceGiveItsReport() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let trace = try Self.traces(in: folder)[0]
        var options = AnalysisOptions()
        options.estimators = Estimator.all
        options.hasGate = true
        let whole = try Self.evaluation(options).evaluate([trace], policies: Self.policies)
        let file = folder.appending(path: "sums").path
        try Self.evaluation(options).statistics([trace], policies: Self.policies).save(file)
        let read = try EvaluationStatistics.load(file).report(options)
        #expect(read.evaluated == whole.evaluated && read.forced == whole.forced)
        #expect(read.withoutOutcome == whole.withoutOutcome)
        #expect(read.model?.explained == whole.model?.explained)
        for (one, other) in zip(read.policies, whole.policies) {
            #expect(one.label == other.label)
            #expect(one.verdict == other.verdict)
            #expect(one.notes == other.notes)
            #expect(one.gate == other.gate)
            #expect(one.estimates.count == other.estimates.count)
            for (mine, theirs) in zip(one.estimates, other.estimates) {
                #expect(mine.estimate == theirs.estimate)
                #expect(
                    mine.interval == theirs.interval,
                    "\(one.label), \(mine.estimate.estimator)")
            }
            #expect(one.gain.estimate == other.gain.estimate)
            #expect(one.gain.interval == other.gain.interval)
            #expect(one.overBaseline?.estimate == other.overBaseline?.estimate)
            #expect(one.overBaseline?.interval == other.overBaseline?.interval)
            #expect(one.diagnostics.effectiveSampleSize == other.diagnostics.effectiveSampleSize)
            #expect(one.diagnostics.weightTest == other.diagnostics.weightTest)
            #expect(one.diagnostics.autocorrelation == other.diagnostics.autocorrelation)
            #expect(
                one.diagnostics.influential.map(\.row) == other.diagnostics.influential.map(\.row))
            #expect(one.network?.lateShare == other.network?.lateShare)
            #expect(one.network?.lateInterval == other.network?.lateInterval)
            for (mine, theirs) in zip(
                one.network?.deliveries ?? [], other.network?.deliveries ?? [])
            where theirs.value.isFinite {
                #expect((mine.value / theirs.value - 1).magnitude < 0.011)
            }
            #expect(
                Self.equal(
                    one.analysis.discountedValue.value, other.analysis.discountedValue.value))
            #expect(one.analysis.byAction.map(\.name) == other.analysis.byAction.map(\.name))
        }
    }

    @Test func filesMergeInAnyOrderAndGrouping() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let traces = try Self.traces(in: folder)
        func sums(_ traces: [TraceReader]) throws -> EvaluationStatistics {
            try Self.evaluation().statistics(traces, policies: Self.policies)
        }
        func bytes(_ sums: EvaluationStatistics) throws -> Data {
            let file = folder.appending(path: "sums")
            try sums.save(file.path)
            // A merged file was written and read at each step of a tree.
            try EvaluationStatistics.load(file.path).save(file.path)
            return try Data(contentsOf: file)
        }
        let (a, b) = (try sums([traces[0]]), try sums([traces[1]]))
        let (c, d) = (try sums([traces[2]]), try sums([traces[3]]))
        let expected = try bytes(sums(traces))
        #expect(try bytes(EvaluationStatistics.merge([a, b, c, d])) == expected)
        #expect(try bytes(EvaluationStatistics.merge([d, b, a, c])) == expected)
        #expect(
            try bytes(
                .merge([
                    EvaluationStatistics.merge([c, a]), EvaluationStatistics.merge([d, b]),
                ])) == expected)
        // The report adds up all traces.
        let report = try EvaluationStatistics.merge([a, b, c, d]).report(AnalysisOptions())
        let parts = try [a, b, c, d].map { try $0.report(AnalysisOptions()) }
        #expect(report.evaluated == parts.reduce(0) { $0 + $1.evaluated })
        for (index, policy) in report.policies.enumerated() {
            let rows = Double(policy.rows.count)
            for kind in [Estimator.dr, .ips] {
                let mean =
                    parts.reduce(0) { sum, part in
                        let rows = part.policies[index].rows
                        return sum + (rows.estimate(kind)?.value ?? .nan) * Double(rows.count)
                    } / rows
                let merged = try #require(policy.rows.estimate(kind))
                #expect((merged.value - mean).magnitude < 1e-9, "\(policy.label), \(kind)")
            }
            let weights = parts.reduce(0) { $0 + $1.policies[index].rows.weights.sum }
            #expect((policy.rows.weights.sum - weights).magnitude < 1e-9 * weights + 1e-12)
        }
        // The variance of the union, from the moments of the parts about other origins.
        let whole = try TraceEvaluation().evaluate(traces, policies: [.logged])
        let logged = try #require(report.policies.first)
        #expect(
            (logged.rows.logged.scatter / whole.policies[0].rows.logged.scatter - 1).magnitude
                < 1e-9)
        #expect(
            Self.equal(logged.rows.logged.mean, whole.policies[0].rows.logged.mean))
    }

    /// Sums about other origins merge to those of one pass, up to rounding.
    @Test func mergedSumsEqualOnePass() {
        var generator = SeededGenerator(seed: 8)
        let scores = Estimator.scores(for: Estimator.all)
        var (one, left, right) = (
            OffPolicySums(scores: scores), OffPolicySums(scores: scores),
            OffPolicySums(scores: scores)
        )
        for index in 0..<40 {
            var block = RowBlock()
            for _ in 0..<(index % 2 == 0 ? 256 : 100) {
                block.append(
                    OffPolicyRow(
                        weight: 3 * generator.uniform(), reward: 5 + generator.normal(),
                        modelled: 4 + generator.uniform(), direct: 5 + generator.normal(),
                        robustModelled: generator.uniform(), robustDirect: generator.uniform(),
                        isMatch: generator.uniform() < 0.3))
            }
            one.add(block)
            if index < 13 { left.add(block) } else { right.add(block) }
        }
        left.merge(right)
        #expect(left.count == one.count)
        for estimator in Estimator.all {
            guard let mine = left.estimate(estimator), let theirs = one.estimate(estimator) else {
                continue
            }
            #expect(Self.equal(mine.value, theirs.value), "\(estimator)")
            #expect(
                (mine.standardError / theirs.standardError - 1).magnitude < 1e-8,
                "\(estimator): \(mine.standardError), \(theirs.standardError)")
        }
    }

    @Test func otherSettingsAndRepetitionsAreRefused() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let traces = try Self.traces(in: folder)
        let one = try Self.evaluation().statistics([traces[1]], policies: Self.policies)
        var other = Self.evaluation()
        other.cost.lateness = 5
        let heavier = try other.statistics([traces[2]], policies: Self.policies)
        var found = ""
        do { _ = try EvaluationStatistics.merge([one, heavier]) } catch {
            found = error.description
        }
        #expect(found == "statistics with lateness 5.0, not 1.0, do not merge")
        do { _ = try EvaluationStatistics.merge([one, one]) } catch { found = error.description }
        #expect(found.contains("'2.trace' and '2.trace' contain the same session"))
        var options = AnalysisOptions()
        options.interval = .betting
        do { _ = try one.report(options) } catch { found = error.description }
        #expect(found.contains("the interval betting needs all decisions"))
        options = AnalysisOptions()
        options.estimators = [Estimator(.mrdr)]
        do { _ = try one.report(options) } catch { found = error.description }
        #expect(found == "the statistics have no sums for mrdr; they have dr, sndr, snips, ips, dm")
    }

    /// Changed files are refused or give a report; nothing traps.
    @Test func changedFilesAreRefusedOrGiveAReport() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let trace = try Self.traces(in: folder)[1]
        let path = folder.appending(path: "sums").path
        let sums = try Self.evaluation().statistics([trace], policies: Array(Self.policies[..<2]))
        try sums.save(path)
        let sound = try Safetensors.load(path)
        let values = try #require(sound["sums"]).values
        let wild = [
            0, -1, 0.5, 1, 63, 1e12, 1e13, 9e15, 1e300, -1e300, .leastNonzeroMagnitude,
            .greatestFiniteMagnitude,
        ]
        var generator = SeededGenerator(seed: 21)
        let asked = ProcessInfo.processInfo.environment["PATHWISE_FUZZ"].flatMap { Int($0) }
        var reports = 0
        for _ in 0..<min(asked ?? 400, 100_000) {
            var file = sound
            var changed = values
            for _ in 0...(generator.next() % 4) {
                // Half of the changes are among the first numbers, which are counts.
                let limit = generator.next() % 2 == 0 ? 60 : changed.count
                changed[Int(generator.next() % UInt64(limit))] =
                    wild[Int(generator.next() % UInt64(wild.count))]
            }
            file.tensors = [Tensor(name: "sums", shape: [changed.count], values: changed)]
            if generator.next() % 8 == 0 {
                let keys = file.metadata.keys.sorted()
                file.metadata[keys[Int(generator.next() % UInt64(keys.count))]] = "1\n\n9e9\n-1"
            }
            try file.save(path)
            guard let read = try? EvaluationStatistics.load(path),
                let report = try? read.report(AnalysisOptions())
            else { continue }
            reports += 1
            for policy in report.policies {
                _ = (policy.diagnostics, policy.estimates, policy.analysis.overTime)
                _ = policy.analysis.outcomes.weightedQuantiles([0.5])
                _ = policy.analysis.outcomes.upperTailMean(0.05)
            }
        }
        #expect(reports > 10)
    }
}
