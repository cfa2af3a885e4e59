import PathTransport
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry

/// The reference scenarios in virtual time: real endpoints over simulated links.
///
/// Limits are those of 1,432 payload bytes in each packet of 1,500 bytes.
@Suite struct BulkScenarioTests {
    private func world(
        _ paths: [String], policy: PolicySpecification = .earliest, total: Int? = nil,
        seed: UInt64 = 1
    ) throws -> World<BulkTransfer> {
        var settings = WorldSettings()
        settings.policy = policy
        return try World(
            links: try paths.map { try LinkSpecification(parsing: $0) }, settings: settings,
            application: BulkTransfer(total: total, seed: seed), seed: seed)
    }

    private func steadyMegabits(_ world: borrowing World<BulkTransfer>, to end: Int64) -> Double {
        world.application.rate(from: .seconds(2), to: .seconds(end)) / 1e6
    }

    /// S1: two equal paths.
    ///
    /// Limit 38.2 Mbit/s.
    @Test func s1AggregatesEqualPaths() throws {
        var world = try world(["rate=20,rtt=20", "rate=20,rtt=20"])
        world.run(for: .seconds(10))
        #expect(steadyMegabits(world, to: 10) >= 38.2 * 0.94)
        #expect(!world.application.isCorrupt)
    }

    /// S2: unequal rate and delay.
    ///
    /// Limit 57.3 Mbit/s.
    @Test func s2AggregatesUnequalPaths() throws {
        var world = try world(["rate=50,rtt=20", "rate=10,rtt=100"])
        world.run(for: .seconds(10))
        #expect(steadyMegabits(world, to: 10) >= 57.3 * 0.94)
        #expect(!world.application.isCorrupt)
    }

    /// Streams that begin with the small window of forwards reach what a large one has: the window
    /// grows although the bytes of the slow path arrive long after a round trip of the fast one.
    @Test(arguments: [
        ["rate=50,rtt=20", "rate=10,rtt=100"], ["rate=50,rtt=40", "rate=50,rtt=140"],
        ["rate=50,rtt=40", "rate=50,rtt=640"], ["rate=100,rtt=20", "rate=20,rtt=300"],
    ])
    func smallWindowsGrowOverUnlikePaths(paths: [String]) throws {
        var rates: [Double] = []
        for window in [UInt64(16) << 20, 64 << 10] {
            var settings = WorldSettings()
            settings.policy = .earliest
            settings.server.parameters.maximumStreamData = window
            settings.server.parameters.maximumData = 128 << 20
            var world = try World(
                links: try paths.map { try LinkSpecification(parsing: $0) }, settings: settings,
                application: BulkTransfer(total: nil, seed: 1), seed: 1)
            world.run(for: .seconds(10))
            #expect(!world.application.isCorrupt)
            rates.append(steadyMegabits(world, to: 10))
        }
        #expect(rates[1] >= rates[0] * 0.98, "\(rates)")
    }

    /// S3: one path loses 2 % in bursts of four.
    ///
    /// Limit 42.4 Mbit/s.
    @Test(arguments: [UInt64(1), 2, 3])
    func s3ToleratesBurstsOfLoss(seed: UInt64) throws {
        var world = try world(["rate=30,rtt=40,ge=0.0051:0.25", "rate=15,rtt=15"], seed: seed)
        world.run(for: .seconds(10))
        #expect(steadyMegabits(world, to: 10) >= 42.4 * 0.88)
        #expect(!world.application.isCorrupt)
    }

    /// Two paths with a round trip above a second, as behind satellites or full queues: both are
    /// validated, though the answer to a challenge arrives after the next one was sent.
    @Test(arguments: [1000, 1400, 3000])
    func farPathsCarryData(rtt: Int) throws {
        let path = "rate=10,rtt=\(rtt),queue=2000000b"
        var world = try world([path, path])
        world.run(for: .seconds(60))
        let rate = world.application.rate(from: .seconds(40), to: .seconds(60)) / 1e6
        #expect(rate >= 15, "\(rate)")
        #expect(!world.application.isCorrupt)
    }

    /// S4: one path is silently down from 10 to 15 s.
    ///
    /// Mean limit 34.4 Mbit/s over 25 s.
    @Test func s4FailsOverAndReturns() throws {
        var world = try world(["rate=20,rtt=20,down=10-15", "rate=20,rtt=20"])
        world.run(for: .seconds(25))
        let mean = world.application.rate(from: .zero, to: .seconds(25)) / 1e6
        #expect(mean >= 34.4 * 0.94)
        #expect(world.application.longestGap <= .milliseconds(120))
        // Both carry data again within a second of the return.
        let after = world.application.rate(from: .seconds(16), to: .seconds(17)) / 1e6
        #expect(after >= 38.2 * 0.94)
        #expect(!world.application.isCorrupt)
    }

    @Test func aMegabyteTakesLittleMoreThanItsTime() throws {
        var world = try world(["rate=20,rtt=20"], total: 1_000_000)
        world.run(for: .seconds(10))
        #expect(world.application.finishedAt != nil)
        // 419 ms on the wire, a handshake of 20 ms, and 10 ms to arrive.
        #expect(world.elapsed <= .milliseconds(480))
        #expect(!world.application.isCorrupt)
    }

    @Test func sameSeedSameRun() throws {
        var hashes: [UInt64] = []
        for seed in [UInt64(5), 5, 6] {
            var world = try world(
                ["rate=20,rtt=20,loss=0.01", "rate=10,rtt=60,jitter=normal:5"],
                policy: .learned(LearnedSettings()), total: 2_000_000, seed: seed)
            world.run(for: .seconds(20))
            #expect(world.application.finishedAt != nil)
            hashes.append(world.transcriptHash)
        }
        #expect(hashes[0] == hashes[1])
        #expect(hashes[0] != hashes[2])
    }
}
