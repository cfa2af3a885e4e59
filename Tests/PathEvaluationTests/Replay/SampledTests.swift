import Foundation
import Testing

@testable import PathEvaluation
@testable import PathLearning
@testable import PathTelemetry
@testable import PathTrace

/// Evaluations of recordings that have only some of the decisions.
@Suite struct SampledTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "pathwise-sampled-\(UUID().uuidString)")

    private func file(_ name: String) throws -> String {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.appending(path: name).path
    }

    /// Copies some decisions of a trace with their outcomes, as a recording of that share has them.
    private func sample(_ whole: String, _ share: Double, to path: String, start: Int64 = 1) throws
    {
        let reader = try TraceReader(path: whole)
        let writer = try TraceWriter(
            path: path, schema: .current, programVersion: "1", isSampled: share < 1)
        let ring = writer.makeRing(whenFull: .wait)
        for session in try reader.sessions() {
            var info = session.info
            info.share = share
            info.startedWallClock = start
            let sample = DecisionSample(share: share, seed: info.seed)
            let id = writer.beginSession(info)
            for path in try reader.paths(of: session.id) {
                ring.record(added: path.info, session: id)
            }
            try reader.forEachDecision(of: session.id) { decision in
                guard sample.takes(decision.record.number) else { return }
                ring.record(decision.record, session: id)
                if let outcome = decision.outcome { ring.record(outcome, session: id) }
            }
            if let end = session.ended { writer.endSession(id, at: end) }
        }
        try writer.close()
    }

    private var evaluation: TraceEvaluation {
        var options = AnalysisOptions()
        options.estimators = [.snips, .dr]
        return TraceEvaluation(options: options)
    }

    private func explorer() throws -> PolicySpecification {
        try PolicySpecification(parsing: "lin-ucb:epsilon=0.6,ratio=100,slack=10")
    }

    /// Estimates of a fifth of the decisions agree with those of all: over many samples the interval has
    /// the estimate of the whole as often as it should.
    @Test func estimatesAgreeWithTheWhole() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let whole = try file("whole.trace")
        let log = try record(try explorer(), count: 12_000, seed: 3, to: whole)
        let policies: [EvaluatedPolicy] = [
            .logged, .policy(.single(.name("dsl"))), .policy(.minRTT),
        ]
        let all = try evaluation.evaluate([TraceReader(path: whole)], policies: policies)
        var found = (inside: 0, all: 0)
        var meanErrors = [Double](repeating: 0, count: policies.count)
        let rounds = 12
        for round in 0..<rounds {
            // Another seed of the session is another sample.
            let path = try file("s\(round).trace")
            let reseeded = try file("r\(round).trace")
            try reseed(whole, UInt64(round + 1), to: reseeded)
            try sample(reseeded, 0.2, to: path)
            let part = try evaluation.evaluate([TraceReader(path: path)], policies: policies)
            #expect((2000...2800).contains(part.decisions) && part.thinned == 0)
            for (index, (one, other)) in zip(part.policies, all.policies).enumerated() {
                for (mine, theirs) in zip(one.estimates, other.estimates) {
                    found.all += 1
                    if mine.interval.low <= theirs.estimate.value,
                        theirs.estimate.value <= mine.interval.high
                    {
                        found.inside += 1
                    }
                }
                meanErrors[index] +=
                    (one.estimates[1].estimate.value - other.estimates[1].estimate.value)
                    / Double(rounds)
            }
            if round == 0, let dsl = part.policies[1].estimates.last {
                #expect(
                    dsl.interval.low <= log.truthOfFirst && log.truthOfFirst <= dsl.interval.high)
            }
        }
        // 95 % each; the share of a sample in its whole makes it more.
        #expect(Double(found.inside) >= 0.9 * Double(found.all), "\(found)")
        // Without a bias: the mean of twelve is within the interval of one.
        for (index, error) in meanErrors.enumerated() {
            let interval = all.policies[index].estimates[1].interval
            #expect(error.magnitude < interval.high - interval.low, "\(index): \(error)")
        }
    }

    private func reseed(_ whole: String, _ seed: UInt64, to path: String) throws {
        let reader = try TraceReader(path: whole)
        let writer = try TraceWriter(path: path, schema: .current, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        for session in try reader.sessions() {
            var info = session.info
            info.seed = seed
            let id = writer.beginSession(info)
            for path in try reader.paths(of: session.id) {
                ring.record(added: path.info, session: id)
            }
            try reader.forEachDecision(of: session.id) { decision in
                ring.record(decision.record, session: id)
                if let outcome = decision.outcome { ring.record(outcome, session: id) }
            }
            if let end = session.ended { writer.endSession(id, at: end) }
        }
        try writer.close()
    }

    /// Recordings of different shares count by the decisions that were made: the report is that of
    /// both with the smaller share.
    @Test func otherSharesAreThinned() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (first, second) = (try file("a.trace"), try file("b.trace"))
        _ = try record(try explorer(), count: 6000, seed: 4, to: first)
        _ = try record(PolicySpecification(parsing: "single:2"), count: 6000, seed: 5, to: second)
        let thin = try file("thin.trace")
        try sample(second, 0.25, to: thin)
        let report = try evaluation.evaluate(
            [TraceReader(path: first), TraceReader(path: thin)], policies: [.logged])
        // A quarter of either.
        #expect((4200...4800).contains(report.thinned), "\(report.thinned)")
        #expect((2600...3200).contains(report.evaluated), "\(report.evaluated)")
        let both = try evaluation.evaluate(
            [TraceReader(path: first), TraceReader(path: second)], policies: [.logged])
        let interval = report.recordedInterval
        #expect(interval.low < both.recorded.value && both.recorded.value < interval.high)
        // Counted as they lie there, four fifths would be of the first.
        let alone = try evaluation.evaluate([TraceReader(path: first)], policies: [.logged])
        #expect(
            (both.recorded.value - alone.recorded.value).magnitude
                > interval.high - interval.low)
        // Sums cannot tell them apart.
        #expect(throws: EvaluationError.self) {
            try evaluation.statistics(
                [TraceReader(path: first), TraceReader(path: thin)], policies: [.logged])
        }
        let sums = try evaluation.statistics([TraceReader(path: thin)], policies: [.logged])
        let whole = try evaluation.statistics([TraceReader(path: first)], policies: [.logged])
        #expect(throws: EvaluationError.self) { try EvaluationStatistics.merge([sums, whole]) }
        let saved = try file("sums")
        try sums.save(saved)
        #expect(try EvaluationStatistics.load(saved).settings.share == 0.25)
        #expect(
            try EvaluationStatistics.load(saved).report(evaluation.options).evaluated
                == evaluation.evaluate([TraceReader(path: thin)], policies: [.logged]).evaluated)
    }
}
