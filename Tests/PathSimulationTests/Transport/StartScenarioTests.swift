import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTransport

/// A transfer of 1 MB on a new connection, with its handshake.
@Suite struct StartScenarioTests {
    private static let unlike = ["rate=50,rtt=20", "rate=10,rtt=100"]

    /// Milliseconds to the last byte, packets that full queues dropped, and bytes sent again.
    private func megabyte(
        _ paths: [String], seed: UInt64 = 1
    ) throws -> (time: Double, drops: Int, again: UInt64) {
        var world = try Bench.world(
            paths, total: 1_000_000, policy: .learned(LearnedSettings()), seed: seed)
        world.run(for: .seconds(10))
        Bench.expectSound(world)
        var drops = 0
        for index in world.links.indices {
            drops += world.links[index].forward.counters.droppedQueue.packets
        }
        return (
            world.elapsed.milliseconds, drops, world.client.statistics.streamBytesRetransmitted
        )
    }

    /// The limit is 240 ms: a handshake, and the bytes over 40 Mbit/s.
    @Test func equalPaths() throws {
        let run = try megabyte(["rate=20,rtt=20", "rate=20,rtt=20"])
        #expect(run.time <= 253, "\(run.time)")
        #expect(run.drops == 0)
    }

    /// The limit is 176 ms.
    ///
    /// The slow path takes data with the client's first packets, the start of the fast one does not
    /// overflow its queue, and the end leaves the slow one alone.
    @Test func unlikePaths() throws {
        let run = try megabyte(Self.unlike)
        #expect(run.time <= 214, "\(run.time)")
        #expect(run.drops <= 5, "\(run.drops)")
    }

    /// The limit is 220 ms; one path loses 2 % in bursts of four.
    @Test func aLossyPath() throws {
        let times = try (1...10).map {
            try megabyte(["rate=30,rtt=40,ge=0.0051:0.25", "rate=15,rtt=15"], seed: $0).time
        }.sorted()
        #expect(times[5] <= 247, "\(times)")
        #expect(times[9] <= 275, "\(times)")
    }

    /// A path that does not work costs its initial window, sent again on the other.
    @Test func aDeadPathCostsLittle() throws {
        let alone = try megabyte([Self.unlike[0]]).time
        let run = try megabyte([Self.unlike[0], "rate=10,rtt=100,down=0-100"])
        #expect(run.time <= alone + 12, "\(run.time), \(alone)")
        #expect(run.again <= 50_000)
    }

    /// The connection begins with the first answer of any path.
    @Test func theFastestAnswerBegins() throws {
        for dead in [0, 1] {
            var paths = Self.unlike
            paths[dead] += ",down=0-100"
            var world = try Bench.world(paths, total: 1_000)
            world.run(for: .seconds(2))
            Bench.expectSound(world)
            // One and a half round trips of the path that works, and the first packets on it.
            #expect(world.elapsed <= .milliseconds(dead == 0 ? 160 : 37), "\(world.elapsed)")
        }
    }
}
