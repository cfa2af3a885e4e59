import PathTelemetry
import PathTransport
import Testing

@testable import PathLearning
@testable import PathSimulation

/// Every policy carries a transfer over real connections in virtual time, and decides the same
/// again from what was recorded.
@Suite struct PolicyScenarioTests {
    /// Not peekaboo, whose arms depend on decisions that ended in nothing and were not recorded.
    private static let policies =
        PolicySpecification.catalogue.map(\.name).filter { $0 != "peekaboo" } + [
            "weighted:by=telemetry", "weighted:by=learned",
        ]

    /// Paths that differ in everything, one with losses.
    private static let paths = [
        "rate=20,rtt=20", "rate=10,rtt=60,queue=60000b", "rate=15,rtt=40,loss=0.02",
    ]

    private func run(_ policy: String) throws -> (records: [TransportRecord], seed: UInt64) {
        let seed: UInt64 = 11
        var world = try Bench.world(
            PolicyScenarioTests.paths, total: 3_000_000,
            policy: PolicySpecification(parsing: policy), seed: seed
        ) { settings in
            settings.client.isRecording = true
        }
        world.run(for: .seconds(20))
        Bench.expectSound(world)
        return (world.application.clientRecords, seed)
    }

    /// Live decisions, and the same selector asked again with outcomes in their order: equal to the
    /// last bit.
    @Test(arguments: policies)
    func replayGivesTheSameProbabilities(policy: String) throws {
        let (records, seed) = try run(policy)
        var selector = try PathSelector(PolicySpecification(parsing: policy), seed: seed)
        var open: [UInt64: (record: DecisionRecord, memo: UInt64)] = [:]
        var compared = 0
        var learned = 0
        for record in records {
            switch record {
            case .decision(let made):
                var again = Decision()
                let count = made.candidates.count
                made.candidates.withSpan {
                    selector.decide(
                        among: $0.extracting(first: count), burst: made.burst, now: made.time,
                        taking: made.decision.action, into: &again)
                }
                var live = made.decision.distribution
                live.workOut(chosen: made.decision.chosen)
                #expect(again.distribution.count == live.count)
                for index in 0..<min(live.count, again.distribution.count) {
                    #expect(
                        live[index].bitPattern == again.distribution[index].bitPattern,
                        "decision \(made.number), action \(index)")
                    #expect(live.action(index) == again.distribution.action(index))
                }
                #expect(again.isForced == made.decision.isForced)
                #expect(again.memo == made.decision.memo)
                open[made.number] = (made, again.memo)
                if !again.isForced { compared += 1 }
            case .outcome(let outcome):
                guard let (made, memo) = open.removeValue(forKey: outcome.decision),
                    let index = carrier(made)
                else { continue }
                if !made.decision.isForced { learned += 1 }
                selector.learn(
                    Feedback(
                        features: made.candidates[index].features,
                        predictedDelivery: made.candidates[index].predictedDelivery,
                        burst: made.burst, outcome: outcome, now: outcome.closedAt,
                        path: made.candidates[index].path, action: made.decision.action,
                        propensity: made.decision.propensity, memo: memo,
                        isForced: made.decision.isForced))
            default: break
            }
        }
        // A sender on one path has no choices to compare.
        if policy != "single" { #expect(compared > 20 && learned > 10, "\(compared), \(learned)") }
    }

    /// The candidate whose features stand for the burst.
    private func carrier(_ made: DecisionRecord) -> Int? {
        var best: Int?
        for index in 0..<made.candidates.count {
            let candidate = made.candidates[index]
            guard made.decision.action.contains(candidate.path), candidate.room > 0 else {
                continue
            }
            if let other = best, made.candidates[other].smoothedRTT <= candidate.smoothedRTT {
                continue
            }
            best = index
        }
        return best
    }

    /// What is unanswered too long goes again before a time-out says so.
    @Test func reinjectionShortensAStall() throws {
        func gap(_ policy: String) throws -> TimeDelta {
            var script = Script()
            // The second path swallows data for 300 ms and answers again.
            script.passes = { path, direction, time, _ in
                !(path == 1 && direction == .forward && time >= .milliseconds(900)
                    && time < .milliseconds(1200))
            }
            var world = try Bench.world(
                ["rate=8,rtt=20", "rate=8,rtt=30"], total: 3_000_000,
                policy: PolicySpecification(parsing: policy), seed: 3, script: script)
            world.run(for: .seconds(20))
            Bench.expectSound(world)
            return world.application.bulk.longestGap
        }
        let (plain, reinjecting) = (try gap("min-rtt"), try gap("reinject"))
        #expect(reinjecting <= plain + .milliseconds(5), "\(reinjecting) against \(plain)")
    }
}
