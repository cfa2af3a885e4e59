import Foundation
import Testing

@testable import PathEvaluation
@testable import PathLearning
@testable import PathTelemetry
@testable import PathTrace

/// A world of three paths with known parameters: delivery is h times a factor that depends on one
/// feature and on hidden noise.
struct World {
    var generator: SeededGenerator

    mutating func candidates(_ count: Int) -> CandidateSet {
        var set = CandidateSet()
        for index in 0..<count {
            var candidate = Candidate(
                path: PathID(index), traits: PathTraits(pricePerGB: Double(index) * 0.1))
            for feature in 0..<FeatureVector.count {
                candidate.features[feature] = generator.uniform() - 0.5
            }
            candidate.predictedDelivery = 0.02 + 0.02 * generator.uniform()
            candidate.smoothedRTT = 0.02 + 0.01 * generator.uniform()
            candidate.rttVariation = 0.002
            candidate.room = 100_000
            candidate.rate = 1e6
            set.append(candidate)
        }
        return set
    }

    /// What happens when the burst goes on this candidate.
    mutating func outcome(
        _ candidate: Candidate, number: UInt64, at time: Instant
    ) -> Outcome {
        let factor = exp(
            candidate.features[3] + 0.5 * Double(candidate.path.index)
                + 0.4 * (generator.uniform() - 0.5))
        let delivery = candidate.predictedDelivery * factor
        let late = delivery > 0.08
        return Outcome(
            decision: number, delivery: late ? nil : delivery, isLate: late, deadline: 0.08,
            packets: 3, lostPackets: 0,
            closedAt: time + TimeDelta(seconds: late ? 0.08 : delivery))
    }
}

/// A log of a world, with its true values.
struct WorldLog {
    var path: String
    /// Mean reward if every decision had taken path 0.
    var truthOfFirst = 0.0
}

/// Records `count` decisions of a policy that learns as a live sender does.
func record(
    _ specification: PolicySpecification, count: Int, seed: UInt64, to path: String,
    sessions: Int = 1
) throws -> WorldLog {
    var world = World(generator: SeededGenerator(seed: seed))
    var truth = SeededGenerator(seed: seed &+ 1)
    let cost = Cost()
    var log = WorldLog(path: path)
    let writer = try TraceWriter(path: path, schema: .current, programVersion: "1")
    let ring = writer.makeRing(whenFull: .wait)
    for _ in 0..<sessions {
        let session = writer.beginSession(
            SessionInfo(startedWallClock: 0, started: .zero, role: "simulate", policy: "x"))
        for index in 0..<3 {
            ring.record(
                added: PathInfo(
                    path: PathID(index), name: ["dsl", "lte", "sat"][index], local: "",
                    remote: "", traits: PathTraits(), added: .zero), session: session)
        }
        var selector = try PathSelector(specification, seed: seed)
        var pending: [Feedback] = []
        for number in 0..<count {
            let now = Instant(nanoseconds: Int64(number) * 7_000_001)
            pending.sort { $0.outcome.closedAt < $1.outcome.closedAt }
            while let first = pending.first, first.outcome.closedAt <= now {
                selector.learn(first)
                pending.removeFirst()
            }
            let set = world.candidates(number % 50 == 17 ? 1 : 3)
            let burst = BurstContext(
                bytes: 20_000, deadline: .milliseconds(80), trafficClass: .message)
            let (decision, draw) = selector.decide(set, burst: burst, now: now)
            ring.record(
                DecisionRecord(
                    number: UInt64(number), time: now, burst: burst, candidates: set,
                    decision: decision, draw: draw), session: session)
            if !decision.isForced {
                var other = World(generator: truth)
                let first = other.outcome(set[0], number: 0, at: now)
                truth = other.generator
                log.truthOfFirst -= cost.total(outcome: first, price: 0)
            }
            guard let taken = decision.action.first, let index = set.index(of: taken) else {
                continue
            }
            let outcome = world.outcome(set[index], number: UInt64(number), at: now)
            if number % 97 == 5 { continue }
            ring.record(outcome, session: session)
            if !decision.isForced {
                pending.append(
                    Feedback(
                        features: set[index].features,
                        predictedDelivery: set[index].predictedDelivery, burst: burst,
                        outcome: outcome, now: outcome.closedAt, path: taken,
                        action: decision.action, propensity: decision.propensity,
                        memo: decision.memo))
            }
        }
        writer.endSession(session, at: Instant(nanoseconds: Int64(count) * 7_000_001))
    }
    try writer.close()
    let taken = Double(sessions) * Double(count - (count + 32) / 50)
    log.truthOfFirst /= taken
    return log
}

@Suite struct ReplayTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "pathwise-evaluation-\(UUID().uuidString)")

    private func file(_ name: String) throws -> String {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.appending(path: name).path
    }

    private func explorer() throws -> PolicySpecification {
        try PolicySpecification(parsing: "lin-ucb:epsilon=0.6,ratio=100,slack=10")
    }

    @Test func theLoggingPolicyHasTheRecordedMeanExactly() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("a.trace")
        let specification = try explorer()
        _ = try record(specification, count: 600, seed: 8, to: path, sessions: 2)
        let report = try TraceEvaluation().evaluate(
            [TraceReader(path: path)],
            policies: [.logged, .policy(specification, mode: .online)])
        #expect(report.decisions == 1200)
        #expect(report.forced == 24)
        #expect(report.withoutOutcome == 14)
        #expect(report.refused == 0)
        for policy in report.policies {
            #expect(policy.rows.largestWeight == 1, "\(policy.label)")
            #expect(policy.rows.estimate(.ips)?.value == report.recorded.value)
            #expect(policy.rows.estimate(.snips)?.value == report.recorded.value)
            for estimator in [Estimator(.dm), .dr] {
                let bounds = try #require(policy.rows.estimate(estimator)).normal(confidence: 0.99)
                #expect(bounds.low <= report.recorded.value)
                #expect(report.recorded.value <= bounds.high)
            }
            #expect(policy.verdict.level == .trust, "\(policy.verdict.reasons)")
            #expect(policy.diagnostics.unsupportedShare == 0)
        }
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func theTruthLiesWithinTheIntervals(seed: UInt64) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("b\(seed).trace")
        let log = try record(explorer(), count: 1500, seed: seed * 100, to: path)
        let report = try TraceEvaluation().evaluate(
            [TraceReader(path: path)], policies: [.policy(.single(.name("dsl")))])
        let policy = report.policies[0]
        // The bound is four standard errors, so that three seeds of three estimators do not fail by
        // chance.
        for estimator in [Estimator.ips, .snips, .dr] {
            let estimate = try #require(policy.rows.estimate(estimator))
            #expect(
                (estimate.value - log.truthOfFirst).magnitude <= 4 * estimate.standardError,
                "\(estimator): \(estimate), truth \(log.truthOfFirst)")
        }
        // The model explains the effect of the features, which makes DR more precise.
        let fit = try #require(report.model)
        #expect(fit.explained > 0.2)
        // This is a share of the variance of rewards, not of the heuristic's residuals.
        let recorded = report.recorded
        let scatter =
            recorded.standardError * recorded.standardError * Double(recorded.count)
            * Double(recorded.count - 1)
        #expect(agree(fit.scatter, scatter, within: 0.01), "a few rewards are held within limits")
        let doublyRobust = try #require(policy.rows.estimate(.dr))
        let inverse = try #require(policy.rows.estimate(.ips))
        #expect(doublyRobust.standardError < 0.8 * inverse.standardError)
        #expect(policy.verdict.level == .trust, "\(policy.verdict.reasons)")
    }

    @Test func latenessIsARewardOfItsOwn() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("late.trace")
        _ = try record(explorer(), count: 800, seed: 3, to: path)
        var evaluation = TraceEvaluation()
        evaluation.target = .late
        let reader = try TraceReader(path: path)
        let report = try evaluation.evaluate([reader], policies: [.logged])
        var late = 0.0
        var count = 0.0
        try reader.forEachDecision { decision in
            guard let outcome = decision.outcome, !decision.record.decision.isForced else { return }
            count += 1
            late += outcome.isLate ? 1 : 0
        }
        #expect(report.recorded.value == -late / count)
        #expect(report.recorded.value < 0)
    }

    @Test func whatTheLogCouldNotDoIsNotToBeTrusted() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("c.trace")
        _ = try record(explorer(), count: 600, seed: 5, to: path)
        let fixed = try file("d.trace")
        _ = try record(.minRTT, count: 600, seed: 5, to: fixed)
        let copies = try TraceEvaluation().evaluate(
            [TraceReader(path: path)],
            policies: [.policy(try PolicySpecification(parsing: "redundant"))]
        ).policies[0]
        #expect(copies.diagnostics.unsupportedShare == 1)
        #expect(copies.verdict.level == .doNotTrust)
        let other = try TraceEvaluation().evaluate(
            [TraceReader(path: fixed)], policies: [.policy(.earliest), .policy(.minRTT)])
        #expect(other.policies[0].verdict.level == .doNotTrust)
        #expect(other.policies[0].diagnostics.unsupportedShare > 0.4)
        #expect(other.policies[1].rows.estimate(.ips)?.value == other.recorded.value)
    }

    @Test func severalTracesAreOneLog() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let first = try file("e.trace")
        let second = try file("f.trace")
        _ = try record(explorer(), count: 400, seed: 6, to: first)
        _ = try record(explorer(), count: 500, seed: 7, to: second)
        var calls: [(Int, Int)] = []
        let report = try TraceEvaluation().evaluate(
            [TraceReader(path: first), TraceReader(path: second)], policies: [.logged],
            progress: { calls.append(($0, $1)) })
        #expect(report.decisions == 900)
        #expect(calls.last?.0 == 1800 && calls.last?.1 == 1800)
    }

    /// The late share and delivery times of the recording equal those of its outcomes, and those of
    /// a policy equal the world's true ones.
    @Test func figuresOfTheNetworkAreThoseOfTheWorld() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("network.trace")
        _ = try record(explorer(), count: 6000, seed: 31, to: path)
        let reader = try TraceReader(path: path)
        var evaluation = TraceEvaluation()
        evaluation.cost.lateness = 4
        let report = try evaluation.evaluate(
            [reader], policies: [.policy(.single(.name("dsl"))), .logged])
        var (late, count) = (0, 0)
        var times: [Double] = []
        var priced = 0.0
        try reader.forEachDecision { decision in
            guard let outcome = decision.outcome, !decision.record.decision.isForced else { return }
            count += 1
            if outcome.isLate { late += 1 }
            times.append(outcome.delivery ?? .infinity)
            priced += Double(decision.record.decision.action.first?.index ?? 0) * 0.1
        }
        times.sort()
        let recorded = try #require(report.recordedNetwork)
        #expect(recorded.lateShare == Double(late) / Double(count))
        #expect(recorded.agreement == 1)
        #expect(agree(recorded.pricePerGB, priced / Double(count), within: 1e-9))
        for quantile in recorded.deliveries {
            let place = Int((quantile.probability * Double(count)).rounded(.up)) - 1
            #expect(quantile.value == times[place])
        }
        let logged = try #require(report.policies[1].network)
        #expect(agree(logged.lateShare, recorded.lateShare, within: 1e-12))
        // Its expected price, and the price of its actual draws.
        #expect(agree(logged.pricePerGB, recorded.pricePerGB, within: 0.03))
        #expect(logged.deliveries.map(\.value) == recorded.deliveries.map(\.value))
        // The truth of the policy that is always on path 0, from the same world.
        var world = World(generator: SeededGenerator(seed: 77))
        let (rounds, repeats) = (40_000, 0.0)
        var (missed, all) = (repeats, repeats)
        var own: [Double] = []
        for _ in 0..<rounds {
            let outcome = world.outcome(world.candidates(3)[0], number: 0, at: .zero)
            all += 1
            if outcome.isLate { missed += 1 }
            own.append(outcome.delivery ?? .infinity)
        }
        own.sort()
        let network = try #require(report.policies[0].network)
        #expect(network.lateInterval.contains(missed / all))
        #expect(network.pricePerGB == 0)
        for quantile in network.deliveries {
            let truth = own[Int((quantile.probability * Double(rounds)).rounded(.up)) - 1]
            #expect((quantile.low...quantile.high).contains(truth), "\(quantile), \(truth)")
        }
        // The cost of lateness affects only the value.
        let usual = try TraceEvaluation().evaluate([reader], policies: [.logged])
        #expect(
            agree(
                usual.recorded.value - report.recorded.value, 3 * recorded.lateShare,
                within: 1e-9))
        #expect(usual.recordedNetwork?.lateShare == recorded.lateShare)
    }

    @Test func theSameRecordingTwiceIsRefused() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("once.trace")
        let copy = try file("copy.trace")
        _ = try record(explorer(), count: 100, seed: 6, to: path)
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        let readers = [try TraceReader(path: path), try TraceReader(path: copy)]
        #expect(
            throws: EvaluationError.trace(
                .repeated("session 1 of '\(path)'", "session 1 of '\(copy)'"))
        ) {
            try TraceEvaluation().evaluate(readers, policies: [.logged])
        }
    }

    @Test func theNumberOfThreadsChangesNothing() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("h.trace")
        _ = try record(explorer(), count: 9000, seed: 12, to: path)
        let specification = try PolicySpecification(parsing: "lin-ucb:epsilon=0.3")
        var texts: [String] = []
        for threads in [1, 2, 5] {
            var evaluation = TraceEvaluation()
            evaluation.threads = threads
            evaluation.baseline = "steady"
            evaluation.options.estimators = Estimator.all
            let report = try evaluation.evaluate(
                [TraceReader(path: path)],
                policies: [.policy(.steady), .policy(specification, mode: .online), .logged])
            #expect(report.decisions == 9000)
            var text = "\(report.withoutOutcome) \(report.forced) \(report.refused)"
            for policy in report.policies {
                text += " \(policy.label) \(policy.estimates) \(policy.gain)"
                text += " \(String(describing: policy.overBaseline)) \(policy.diagnostics)"
            }
            texts.append(text)
        }
        #expect(texts[0] == texts[1])
        #expect(texts[0] == texts[2])
        #expect(texts[0].contains("dr"))
    }

    @Test func whatCannotBeEvaluatedIsRefused() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("g.trace")
        _ = try record(explorer(), count: 60, seed: 9, to: path)
        #expect(throws: EvaluationError.self) {
            try TraceEvaluation().evaluate(
                [TraceReader(path: path)], policies: [.policy(.single(.name("fibre")))])
        }
        let empty = try file("h.trace")
        try TraceWriter(path: empty, schema: .current, programVersion: "1").close()
        #expect(
            throws: EvaluationError.nothingToEvaluate(
                decisions: 0, forced: 0, withoutOutcome: 0, refused: 0)
        ) {
            try TraceEvaluation().evaluate([TraceReader(path: empty)], policies: [.logged])
        }
        let other = try file("i.trace")
        let schema = TraceWriter.Schema(hash: "other", text: "")
        try TraceWriter(path: other, schema: schema, programVersion: "1").close()
        #expect(
            throws: EvaluationError.trace(
                .otherSchema(
                    path: other, found: "other", expected: TraceWriter.Schema.current.hash))
        ) {
            try TraceEvaluation().evaluate([TraceReader(path: other)], policies: [.logged])
        }
    }
}
