import PathTelemetry
import PathTransport
import Testing

@testable import PathLearning
@testable import PathSimulation

/// Every policy completes a transfer over real connections in virtual time, and a replay of the
/// recording gives the same decisions.
@Suite struct PolicyScenarioTests {
    private static let policies =
        PolicySpecification.catalogue.map(\.name) + [
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

    /// Live decisions equal those of an engine that is replayed with the recorded outcomes, to the
    /// last bit.
    @Test(arguments: policies)
    func replayGivesTheSameProbabilities(policy: String) throws {
        let (records, seed) = try run(policy)
        var engine = DecisionEngine(
            try PathSelector(PolicySpecification(parsing: policy), seed: seed))
        var numbers: [UInt64: UInt64] = [:]
        var compared = 0
        var learned = 0
        for record in records {
            switch record {
            case .decision(let made):
                var live = made.decision.distribution
                live.workOut(chosen: made.decision.chosen)
                let count = made.candidates.count
                numbers[made.number] = made.candidates.withSpan {
                    engine.decide(
                        among: $0.extracting(first: count), burst: made.burst, now: made.time,
                        logged: LoggedAction(
                            action: made.decision.action,
                            propensity: live[made.decision.chosen],
                            isForced: made.decision.isForced))
                }
                let again = engine.decision
                #expect(again.distribution.count == live.count)
                for index in 0..<min(live.count, again.distribution.count) {
                    #expect(
                        live[index].bitPattern == again.distribution[index].bitPattern,
                        "decision \(made.number), action \(index)")
                    #expect(live.action(index) == again.distribution.action(index))
                }
                #expect(again.isForced == made.decision.isForced)
                #expect(again.memo == made.decision.memo)
                if !again.isForced { compared += 1 }
            case .outcome(var outcome):
                guard let number = numbers.removeValue(forKey: outcome.decision) else { continue }
                outcome.decision = number
                engine.handleOutcome(outcome)
                while engine.pollOutcome() != nil { learned += 1 }
            default: break
            }
        }
        // A sender with one path has no choices to compare.
        if policy != "single" { #expect(compared > 20 && learned > 10, "\(compared), \(learned)") }
    }

    /// What a policy carries from 2 to 6 s, Mbit/s: bytes that arrived, and those it sent twice.
    private func carried(_ policy: String, _ paths: [String]) throws -> Double {
        var world = try Bench.world(paths, policy: PolicySpecification(parsing: policy), seed: 4)
        world.run(for: .seconds(2))
        let before = world.client.statistics
        world.run(for: .seconds(6))
        Bench.expectSound(world, finished: false)
        let after = world.client.statistics
        let twice =
            after.bytesDuplicated + after.streamBytesRetransmitted - before.bytesDuplicated
            - before.streamBytesRetransmitted
        let rate = world.application.bulk.rate(from: .seconds(2), to: .seconds(6))
        return (rate + Double(twice) * 2) / 1e6
    }

    /// No policy leaves a path idle that could carry data, except the one that uses a single path.
    @Test(arguments: policies.filter { $0 != "single" })
    func twoEqualPathsCarryWhatTheyCan(policy: String) throws {
        let (own, best) = (
            try carried(policy, Bench.equal), try carried("min-rtt", Bench.equal)
        )
        #expect(own >= 0.95 * best, "\(own) against \(best)")
    }

    /// Waiting for a faster path is for the end of a transfer: bulk uses the slow path too.
    @Test(arguments: ["ecf", "blest"])
    func bulkUsesTheSlowPathToo(policy: String) throws {
        let paths = ["rate=50,rtt=20", "rate=10,rtt=100"]
        let (own, best) = (try carried(policy, paths), try carried("min-rtt", paths))
        #expect(own >= 0.95 * best, "\(own) against \(best)")
    }

    /// Data that is unacknowledged for too long is re-injected before a time-out.
    @Test func reinjectionShortensAStall() throws {
        func gap(_ policy: String) throws -> TimeDelta {
            var script = Script()
            // The second path drops data for 300 ms and then works again.
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
