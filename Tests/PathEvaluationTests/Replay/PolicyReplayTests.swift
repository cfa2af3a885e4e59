import Foundation
import PathSimulation
import PathTelemetry
import PathTrace
import PathTransport
import Testing

@testable import PathEvaluation
@testable import PathLearning

/// A policy that is replayed on its own recording, with online learning, computes the same
/// probabilities as live.
@Suite struct PolicyReplayTests {
    @Test(arguments: [
        "lin-ucb:epsilon=0.3", "weighted:by=learned", "prune:epsilon=0.2", "exp3", "exp4",
        "epsilon-greedy", "softmax:temperature=0.3", "lin-ts:scale=2", "squarecb",
        "discounted-lin-ucb:epsilon=0.1,change=3", "sliding-lin-ucb:epsilon=0.1,window=1",
        "falcon:epsilon=0.1",
    ])
    func everyProbabilityIsTheSame(policy: String) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "pathwise-replay-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "own.trace").path
        let specification = try PolicySpecification(parsing: policy)
        _ = try record(specification, count: 500, seed: 21, to: path)
        var replay = try PolicyReplay(
            .policy(specification, mode: .online), pathNames: ["dsl", "lte", "sat"])
        var compared = 0
        var cursor = try TraceReader(path: path).batches(
            columns: [.outcomes, .candidates, .distributions])
        var batch = DecisionBatch()
        var live = ActionDistribution()
        while try cursor.next(into: &batch) {
            for decision in 0..<batch.count {
                replay.state(decision, of: batch)
                let again = replay.distribution
                batch.fillDistribution(of: decision, into: &live)
                #expect(again.count == live.count)
                for index in 0..<min(again.count, live.count) {
                    #expect(
                        again[index].bitPattern == live[index].bitPattern,
                        "decision \(batch.numbers[decision])")
                    compared += 1
                }
            }
        }
        #expect(compared > 1400)
    }

    /// Every policy replays recordings of real endpoints over three different paths, one of which
    /// fails for a while, to the same decisions, bit for bit.
    @Test(
        arguments: PolicySpecification.catalogue.map(\.name) + [
            "single:1", "weighted:by=telemetry", "weighted:by=learned", "lin-ucb:features=16",
        ], UInt64(1)...3)
    func everySessionIsReplayedAsItRan(policy: String, seed: UInt64) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "pathwise-replay-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "own.trace").path
        let specification = try PolicySpecification(parsing: policy)
        let writer = try TraceWriter(path: path, schema: .current, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(
            SessionInfo(startedWallClock: 0, started: .zero, role: "send", policy: policy))
        for index in 0..<3 {
            ring.record(
                added: PathInfo(
                    path: PathID(index), name: "p\(index)", local: "", remote: "",
                    traits: PathTraits(), added: .zero), session: session)
        }
        var settings = WorldSettings()
        settings.policy = specification
        settings.client.isRecording = true
        var world = try PathSimulation.World(
            links: try [
                "rate=12,rtt=20,jitter=2", "rate=8,rtt=60,queue=60000b,down=1.5-2.2",
                "rate=15,rtt=40,loss=0.02",
            ].map { try LinkSpecification(parsing: $0) }, settings: settings,
            application: RecordedFlow(ring: ring, session: session), seed: seed)
        world.run(for: .seconds(4))
        world.application.record(&world.client)
        writer.endSession(session, at: world.now)
        try writer.close()

        var replay = try PolicyReplay(
            .policy(specification, mode: .online), pathNames: ["p0", "p1", "p2"])
        var cursor = try TraceReader(path: path).batches(
            columns: [.outcomes, .candidates, .distributions])
        var batch = DecisionBatch()
        var live = ActionDistribution()
        var decisions = 0
        var unlike = 0
        var first: UInt64?
        while try cursor.next(into: &batch) {
            for index in 0..<batch.count {
                decisions += 1
                replay.state(index, of: batch)
                batch.fillDistribution(of: index, into: &live)
                let again = replay.distribution
                let isSame =
                    again.count == live.count
                    && (0..<live.count).allSatisfy {
                        again.action($0) == live.action($0)
                            && again[$0].bitPattern == live[$0].bitPattern
                    }
                if !isSame {
                    unlike += 1
                    first = first ?? batch.numbers[index]
                }
            }
        }
        #expect(decisions == world.application.decisions && decisions > 500)
        #expect(unlike == 0, "\(unlike) of \(decisions), the first is \(first ?? 0)")
    }
}
