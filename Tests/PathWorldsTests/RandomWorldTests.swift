import Glibc
import PathLearning
import PathSimulation
import PathTelemetry
import Testing

@testable import PathWorlds

/// Worlds drawn at random are worlds, are wide, and run.
@Suite struct RandomWorldTests {
    /// A thousand seeds give worlds of every size and kind, each the same every time.
    @Test func allParse() throws {
        var counts: Set<Int> = []
        var kinds: Set<String> = []
        var changes = 0
        var shared = 0
        var cross: [CrossTraffic.Kind: Int] = [:]
        for seed in UInt64(0)..<1000 {
            let world = try RandomWorld.world(seed: seed)
            #expect(try RandomWorld.world(seed: seed) == world)
            counts.insert(world.links.count)
            kinds.formUnion(world.workloads.map(\.name))
            if !world.outages.isEmpty { changes += 1 }
            if !world.bottlenecks.isEmpty {
                shared += 1
                #expect(world.routes[0] == [0] && world.routes[1] == [0])
            }
            if let first = world.cross.first { cross[first.kind, default: 0] += 1 }
        }
        #expect(counts == [2, 3, 4, 6, 8])
        #expect(kinds == ["messages", "video", "transfers", "bulk"])
        #expect((200...300).contains(changes), "\(changes)")
        #expect((160...240).contains(shared), "\(shared)")
        #expect((115...185).contains(cross[.cubic] ?? 0), "\(cross)")
        #expect((40...80).contains(cross[.bbr] ?? 0), "\(cross)")
        #expect((60...120).contains(cross[.udp] ?? 0), "\(cross)")
    }

    @Test(arguments: UInt64(100)..<130)
    func someRun(seed: UInt64) throws {
        var world = try RandomWorld.world(seed: seed)
        world.duration = .seconds(3)
        let contender = Contender(name: "steady", policy: .steady, model: nil)
        let run = WorldRun(world: world, contender: contender, seed: seed)
        let figures = try run.run(world: 0, contender: 0)
        #expect(figures.linkBytes.count == world.links.count)
        #expect(figures.linkBytes.reduce(0, +) > 0)
    }

    /// Files of random worlds are read and run for 100 ms, every tenth for a second of traffic,
    /// without a trap and without an endpoint that never comes to rest.
    ///
    /// `PATHWISE_WORLDS=COUNT[,FIRST]` sets how many, and the first seed.
    @Test func manyRunShortly() throws {
        let asked = getenv("PATHWISE_WORLDS").map { String(cString: $0).split(separator: ",") }
        let numbers = (asked ?? []).compactMap { UInt64($0) }
        let first = numbers.count > 1 ? numbers[1] : 10_000
        let contender = Contender(name: "steady", policy: .steady, model: nil)
        for seed in first..<first + (numbers.first ?? 300) {
            let text = RandomWorld.text(seed: seed)
            var world = try WorldFile.parse(text, name: "random", file: "random")
            world.duration = seed % 10 == 0 ? .milliseconds(1500) : .milliseconds(100)
            let run = WorldRun(world: world, contender: contender, seed: seed)
            let figures = try run.run(world: 0, contender: 0)
            #expect(figures.linkBytes.reduce(0, +) > 0, "seed \(seed)")
        }
    }
}
