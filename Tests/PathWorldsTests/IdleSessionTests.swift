import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathWorlds

/// Sessions that wait before they are used.
@Suite struct IdleSessionTests {
    /// Bits per second without the first two of twelve seconds, of eight seeds.
    private func rates(start: TimeDelta) throws -> [Double] {
        var world = try ShippedWorlds.world(named: "jit_20")
        var bulk = try #require(Workload.usual.first { $0.name == "bulk" })
        bulk.start = start
        world.workloads = [bulk]
        world.duration = .seconds(12)
        world.warmUp = .seconds(2)
        return try (UInt64(1)...8).map { seed in
            let run = WorldRun(
                world: world, contender: Contender(name: "steady", policy: .steady, model: nil),
                seed: seed)
            return try run.run(world: 0, contender: 0).workloads[0][.goodput]
        }
    }

    /// Two links of 50 Mbit/s with a jitter of 20 ms: it costs little, also after half a second
    /// without data.
    ///
    /// Single packets of an idle session take nearly nothing under such jitter, and any flight far more:
    /// with that minimum a session that had idled reached 41 to 80 Mbit/s, one that had not 44 to 92.
    @Test(arguments: [0, 500]) func jitterCostsLittle(start: Int64) throws {
        let rates = try rates(start: .milliseconds(start))
        #expect(rates.reduce(0, +) / 8 >= 86e6, "\(rates)")
        #expect(rates.allSatisfy { $0 >= 75e6 }, "\(rates)")
    }
}
