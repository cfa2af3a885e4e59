import PathLearning
import PathTelemetry
import Testing

@testable import PathSimulation
@testable import PathTransport

/// Loss, reordering, duplication and damage: the bytes that arrive are the bytes that were sent.
@Suite struct DamageScenarioTests {
    private static let seeds = Array(UInt64(1)...20)

    private func expectSameBytes(
        _ paths: [String], within limit: TimeDelta, seed: UInt64,
        _ change: (inout WorldSettings) -> Void = { _ in }
    ) throws {
        var world = try Bench.world(paths, total: 2_000_000, seed: seed, change)
        world.run(for: .seconds(60))
        Bench.expectSound(world)
        #expect(
            world.elapsed <= limit, "\(world.elapsed.seconds)\n\(world.application.history)")
    }

    @Test(arguments: seeds)
    func randomLoss(seed: UInt64) throws {
        try expectSameBytes(
            ["rate=20,rtt=20,loss=0.01", "rate=20,rtt=20,loss=0.01"], within: .seconds(1),
            seed: seed)
    }

    @Test(arguments: seeds)
    func burstLoss(seed: UInt64) throws {
        try expectSameBytes(
            ["rate=20,rtt=20,ge=0.0051:0.25", "rate=20,rtt=20,ge=0.0051:0.25"],
            within: .milliseconds(1200), seed: seed)
    }

    @Test(arguments: seeds)
    func reordering(seed: UInt64) throws {
        try expectSameBytes(
            ["rate=20,rtt=20,jitter=10,reorder=1", "rate=20,rtt=20,jitter=10,reorder=1"],
            within: .milliseconds(1200), seed: seed)
    }

    @Test(arguments: seeds)
    func duplication(seed: UInt64) throws {
        try expectSameBytes(
            ["rate=20,rtt=20,duplicate=0.05", "rate=20,rtt=20,duplicate=0.05"],
            within: .seconds(1), seed: seed)
    }

    @Test(arguments: seeds)
    func corruption(seed: UInt64) throws {
        try expectSameBytes(
            ["rate=20,rtt=20,corrupt=0.02", "rate=20,rtt=20,corrupt=0.02"],
            within: .milliseconds(1200), seed: seed)
    }

    @Test(arguments: seeds)
    func allOfItAtOnce(seed: UInt64) throws {
        try expectSameBytes(
            [
                "rate=20,rtt=20,loss=0.02,jitter=5,reorder=1,duplicate=0.02,corrupt=0.01",
                "rate=10,rtt=60,ge=0.01:0.25,jitter=normal:3,corrupt=0.01",
            ], within: .seconds(3), seed: seed)
    }

    /// The handshake itself gets through 30 % loss.
    @Test(arguments: seeds)
    func handshakeUnderHeavyLoss(seed: UInt64) throws {
        var world = try Bench.world(
            ["rate=20,rtt=20,loss=0.3", "rate=20,rtt=20,loss=0.3"], total: 20_000, seed: seed)
        world.run(for: .seconds(20))
        Bench.expectSound(world)
        #expect(world.server.connectionCount <= 1)
    }

    /// Losses cause few more retransmissions than lost bytes.
    @Test func repairsAreFew() throws {
        var world = try Bench.world(
            ["rate=20,rtt=20,loss=0.01", "rate=20,rtt=20,loss=0.01"], total: 20_000_000)
        world.run(for: .seconds(20))
        Bench.expectSound(world)
        let again = Double(world.client.statistics.streamBytesRetransmitted) / 20e6
        #expect(again >= 0.005 && again <= 0.02, "\(again)")
    }
}
