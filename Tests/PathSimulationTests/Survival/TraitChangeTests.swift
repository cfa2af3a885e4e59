import PathTelemetry
import PathTransport
import Testing

@testable import PathSimulation

/// A user changes what is said of a path while data flows.
struct TraitChangeTests {
    /// A limit holds from the next packet on, and its end too; nothing is lost, and the path is the
    /// same.
    @Test func aLimitComesAndGoes() throws {
        var script = Script()
        // 2 Mbit/s of the link's 20.
        let limited = PathTraits(rateLimit: 250_000)
        script.clientSteps = [
            Script.Step(at: .seconds(3)) { $0.setTraits(PathID(1), limited, now: $1) },
            Script.Step(at: .seconds(6)) { $0.setTraits(PathID(1), PathTraits(), now: $1) },
        ]
        var world = try Bench.world(Bench.equal, script: script)
        world.run(for: .seconds(9))
        Bench.expectSound(world, finished: false)
        let before = world.application.arrived(1, from: 1, to: 3)
        let held = world.application.arrived(1, from: 3.3, to: 6)
        let after = world.application.arrived(1, from: 7, to: 9)
        #expect(before > 4_000_000 && after > 4_000_000, "\(before) \(after)")
        #expect((500_000...700_000).contains(held), "\(held)")
        #expect(world.application.bulk.longestGap <= .milliseconds(100))
        // The path is in service all the time.
        let changes = world.application.serverChanges.count { change in
            if case .pathChanged(PathID(1), _, _, _, _) = change.1 { true } else { false }
        }
        #expect(changes <= 2, "\(world.application.history)")
    }

    /// A price makes a path a reserve of the policy, and only what differs is told to the peer.
    @Test func aPriceIsTakenAtOnce() throws {
        var script = Script()
        script.clientSteps = [
            Script.Step(at: .seconds(2)) {
                $0.setTraits(PathID(1), PathTraits(pricePerGB: 7), now: $1)
            }
        ]
        var world = try Bench.world(Bench.equal, script: script)
        world.run(for: .seconds(3))
        let found = world.client.snapshot(of: PathID(1), now: world.now)
        let snapshot = try #require(found)
        #expect(snapshot.traits.pricePerGB == 7 && snapshot.state == .active)
    }
}
