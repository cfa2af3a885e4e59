import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTransport

/// Paths that come, go, move and stand by while data flows.
@Suite struct PathLifeScenarioTests {
    /// A path is removed and added again, several times; packet numbers continue.
    @Test func aRemovedPathComesBack() throws {
        var script = Script()
        script.recordsForward = true
        script.recordsBackward = true
        for round in Int64(0)..<3 {
            script.clientSteps.append(
                Script.Step(at: .milliseconds(1000 + round * 1000)) { connection, now in
                    connection.removePath(PathID(1), now: now)
                })
            script.clientSteps.append(
                Script.Step(at: .milliseconds(1400 + round * 1000)) { connection, now in
                    let added = connection.addPath(
                        PathID(1), socket: 1, remote: .loopback(port: 5001),
                        datagramLimit: 1472, now: now)
                    #expect(added == PathID(1))
                })
        }
        var world = try Bench.world(Bench.equal, script: script)
        world.run(for: .seconds(6))
        Bench.expectSound(world, finished: false)
        #expect(world.application.bulk.longestGap <= .milliseconds(100))
        let rate = world.application.bulk.rate(from: .milliseconds(4500), to: .seconds(6)) / 1e6
        #expect(rate >= 38.2 * 0.9, "\(rate)\n\(world.application.history)")
        // No packet number of a path is used twice by one side: nonces differ.
        for recorded in [world.application.forward, world.application.backward] {
            var seen: Set<[UInt8]> = []
            for datagram in recorded where datagram.bytes[0] & 0xfc == 0x40 {
                let header = Array(datagram.bytes[0..<12])
                #expect(seen.insert(header).inserted)
            }
        }
    }

    /// A path is removed and added at once: the old "abandoned" status does not end the new path.
    @Test(arguments: [0.0, 0.2])
    func aPathReplacedAtOnceWorks(loss: Double) throws {
        var script = Script()
        script.clientSteps.append(
            Script.Step(at: .milliseconds(1000)) { connection, now in
                connection.removePath(PathID(1), now: now)
                connection.addPath(
                    PathID(1), socket: 1, remote: .loopback(port: 5001), datagramLimit: 1472,
                    now: now)
            })
        for seed in UInt64(1)...5 {
            var world = try Bench.world(
                ["rate=20,rtt=20,loss=\(loss)", "rate=20,rtt=60"], seed: seed, script: script)
            world.run(for: .seconds(4))
            Bench.expectSound(world, finished: false)
            let arrived = world.application.arrived(1, from: 3, to: 4)
            #expect(arrived >= 1_800_000, "\(arrived)\n\(world.application.history)")
        }
    }

    /// The only path is removed, and another comes up a second later.
    @Test func theOnlyPathIsReplacedByAnother() throws {
        var script = Script()
        script.clientSteps.append(
            Script.Step(at: .milliseconds(1000)) { connection, now in
                connection.removePath(PathID(0), now: now)
                connection.removePath(PathID(1), now: now)
            })
        script.clientSteps.append(
            Script.Step(at: .milliseconds(2000)) { connection, now in
                connection.addPath(
                    PathID(2), socket: 1, remote: .loopback(port: 5001), datagramLimit: 1472,
                    now: now)
            })
        var world = try Bench.world(Bench.equal, total: 6_000_000, script: script)
        world.run(for: .seconds(8))
        Bench.expectSound(world)
        #expect(world.application.bulk.longestGap <= .milliseconds(1300))
        #expect(world.elapsed <= .seconds(4), "\(world.elapsed.seconds)")
    }

    /// Paths that return in another order keep their numbers, and so their counters; a path with a new
    /// name takes none of theirs.
    @Test func pathsAreKnownByTheirNames() throws {
        var script = Script()
        func step(_ milliseconds: Int64, _ act: @escaping (inout Connection, Instant) -> Void) {
            script.clientSteps.append(Script.Step(at: .milliseconds(milliseconds)) { act(&$0, $1) })
        }
        func add(_ name: String, _ expected: Int, after milliseconds: Int64, _ socket: Int) {
            step(milliseconds) { connection, now in
                let added = connection.addPath(
                    name: name, socket: socket, remote: .loopback(port: 5000 + UInt16(socket)),
                    datagramLimit: 1472, now: now)
                #expect(added == PathID(expected))
            }
        }
        func removeAll(after milliseconds: Int64) {
            step(milliseconds) { connection, now in
                for path in connection.pathIDs { connection.removePath(path, now: now) }
            }
        }
        removeAll(after: 100)
        add("near", 2, after: 200, 0)
        add("far", 3, after: 201, 1)
        removeAll(after: 1000)
        add("far", 3, after: 1500, 1)
        add("other", 4, after: 1600, 0)
        removeAll(after: 2000)
        add("near", 2, after: 2100, 0)
        add("far", 3, after: 2101, 1)
        var world = try Bench.world(["rate=20,rtt=20", "rate=2,rtt=60"], script: script)
        world.run(for: .seconds(4))
        Bench.expectSound(world, finished: false)
        let near = world.client.statistics(of: PathID(2))?.bytesSent ?? 0
        let far = world.client.statistics(of: PathID(3))?.bytesSent ?? 0
        #expect(near > 5_000_000 && far > 200_000 && far < 1_200_000, "\(near) \(far)")
    }

    /// A NAT repeatedly gives a path a new port; the path continues after validation.
    @Test func aNATRebindingIsFollowed() throws {
        var script = Script()
        script.clientAddress = { path, usual, time in
            guard path == 0 else { return usual }
            let turn = Int(time.seconds)
            return turn == 0 ? usual : .loopback(port: UInt16(30_000 + turn))
        }
        var world = try Bench.world(Bench.equal, script: script)
        world.run(for: .seconds(6))
        Bench.expectSound(world, finished: false)
        #expect(world.application.bulk.longestGap <= .milliseconds(150))
        let moves = world.application.serverChanges.filter {
            if case .pathMoved(PathID(0), _, _) = $0.1 { true } else { false }
        }
        #expect(moves.count == 5)
        let rate = world.application.bulk.rate(from: .seconds(2), to: .seconds(6)) / 1e6
        #expect(rate >= 38.2 * 0.9, "\(rate)\n\(world.application.history)")
    }

    /// With a single path there is nowhere to go meanwhile.
    @Test func aNATRebindingOfTheOnlyPath() throws {
        var script = Script()
        script.clientAddress = { _, usual, time in
            time < .seconds(2) ? usual : .loopback(port: 40_000)
        }
        var world = try Bench.world(["rate=20,rtt=20"], total: 8_000_000, script: script)
        world.run(for: .seconds(8))
        Bench.expectSound(world)
        #expect(world.application.bulk.longestGap <= .milliseconds(200))
        #expect(world.elapsed <= .seconds(4), "\(world.elapsed.seconds)")
    }

    /// A backup path carries data only while no other does.
    @Test func aBackupPathWaitsForItsTurn() throws {
        var backup = PathTraits()
        backup.isBackup = true
        var world = try Bench.world(
            ["rate=20,rtt=20,down=3-6", "rate=10,rtt=40"], traits: [PathTraits(), backup])
        world.run(for: .seconds(9))
        Bench.expectSound(world, finished: false)
        let application = world.application
        #expect(application.arrived(1, from: 0.5, to: 3) <= 30_000)
        #expect(application.arrived(1, from: 4, to: 6) >= 2_000_000, "\(application.history)")
        #expect(application.arrived(1, from: 7.5, to: 9) <= 30_000, "\(application.history)")
        #expect(application.arrived(0, from: 7.5, to: 9) >= 3_000_000)
        #expect(
            application.bulk.longestGap <= .milliseconds(500),
            "\(application.bulk.longestGap.seconds)\n\(application.history)")
    }

    /// `single` uses only its path, even while that is dead.
    @Test func theSinglePolicyKeepsToItsPath() throws {
        var world = try Bench.world(
            ["rate=20,rtt=20", "rate=20,rtt=20,down=2-4"],
            policy: .single(.number(PathID(1))))
        world.run(for: .seconds(8))
        Bench.expectSound(world, finished: false)
        #expect(world.application.arrived(0, from: 0.5, to: 8) <= 60_000)
        #expect(world.application.arrived(1, from: 5, to: 8) >= 7_000_000)
        #expect(world.application.bulk.longestGap <= .milliseconds(3000))
    }

    /// `redundant` puts every byte on every path: a black hole has no effect.
    @Test func redundantPolicyFeelsNoBlackHole() throws {
        var world = try Bench.world(
            ["rate=20,rtt=20,down=2-4", "rate=20,rtt=24"], total: 12_000_000,
            policy: PolicySpecification(parsing: "redundant"))
        world.run(for: .seconds(12))
        Bench.expectSound(world)
        #expect(
            world.application.bulk.longestGap <= .milliseconds(50),
            "\(world.application.bulk.longestGap.seconds) at \(world.application.bulk.longestGapAt)"
        )
        #expect(world.client.statistics.bytesDuplicated >= 6_000_000)
    }

    /// A rate limit of the user holds.
    @Test func aRateLimitHolds() throws {
        var limited = PathTraits()
        limited.rateLimit = 5e6 / 8
        var world = try Bench.world(Bench.equal, traits: [limited])
        world.run(for: .seconds(6))
        Bench.expectSound(world, finished: false)
        let rate = Double(world.application.arrived(0, from: 1, to: 6)) * 8 / 5 / 1e6
        #expect(rate <= 5.1 && rate >= 4.0, "\(rate)")
    }

    /// The search finds the size that the path carries, whatever the interface's MTU.
    @Test(arguments: [1272, 1300, 1400, 1472])
    func theMTUSearchFindsWhatThePathCarries(limit: Int) throws {
        var script = Script()
        script.passes = { _, _, _, length in length <= limit }
        var world = try Bench.world(["rate=20,rtt=20"], script: script) {
            $0.datagramLimit = 1472
        }
        world.run(for: .seconds(5))
        Bench.expectSound(world, finished: false)
        let found = world.client.endpoint(of: PathID(0))?.maximumDatagram ?? 0
        #expect(found <= limit && found > limit - 17, "\(found)")
        let rate = world.application.bulk.rate(from: .seconds(2), to: .seconds(5)) / 1e6
        #expect(rate >= 17.5, "\(rate)")
    }

    /// Both sides know of an orderly end within a round trip.
    @Test(arguments: [true, false])
    func anOrderlyCloseTakesARoundTrip(byClient: Bool) throws {
        var script = Script()
        let step = Script.Step(at: .milliseconds(1000)) { connection, now in
            connection.close(now: now)
        }
        if byClient { script.clientSteps = [step] } else { script.serverSteps = [step] }
        var world = try Bench.world(["rate=20,rtt=20", "rate=20,rtt=40"], script: script)
        world.application.runsOn = true
        world.application.stopsAtClose = true
        world.run(for: .seconds(3))
        #expect(world.stall == nil)
        let application = world.application
        let peer = CloseReason.peer(code: 0, reason: "")
        #expect(application.bulk.clientReason == (byClient ? .local : peer))
        #expect(application.serverReason == (byClient ? peer : .local))
        // The close frame waits behind queued data for at most 60 ms.
        #expect(application.clientClosedAt.map { $0 <= .milliseconds(1100) } == true)
        #expect(application.serverClosedAt.map { $0 <= .milliseconds(1100) } == true)
    }

    /// Close frames are repeated until one arrives.
    @Test(arguments: Array(UInt64(1)...20))
    func aCloseSurvivesLoss(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var script = Script()
        script.passes = { _, _, time, _ in time < .seconds(1) || generator.uniform() > 0.3 }
        script.clientSteps = [
            Script.Step(at: .milliseconds(1000)) { connection, now in connection.close(now: now) }
        ]
        var world = try Bench.world(["rate=20,rtt=20"], seed: seed, script: script)
        world.application.runsOn = true
        world.application.stopsAtClose = true
        world.run(for: .seconds(3))
        #expect(world.stall == nil)
        #expect(
            world.application.serverReason == .peer(code: 0, reason: ""),
            "\(world.application.history)")
    }

    /// Keys change on both sides, even at the same time, with loss and two different paths.
    @Test(arguments: [UInt64(1), 2, 3])
    func keysChangeWhileDataFlows(seed: UInt64) throws {
        var script = Script()
        let change = { (at: Int64) in
            Script.Step(at: .milliseconds(at)) { connection, now in
                connection.changeKeys(now: now)
            }
        }
        script.clientSteps = [400, 800, 801, 1200, 1600].map { change(Int64($0)) }
        script.serverSteps = [600, 800, 1201, 1605, 2000].map { change(Int64($0)) }
        var world = try Bench.world(
            ["rate=20,rtt=20,loss=0.01", "rate=10,rtt=150,ge=0.0051:0.25"], total: 8_000_000,
            seed: seed, script: script)
        world.run(for: .seconds(20))
        Bench.expectSound(world)
        #expect(world.client.statistics.keyChanges >= 3)
        #expect(world.client.statistics.forgedPackets == 0)
        #expect(world.application.serverStatistics?.forgedPackets == 0)
        #expect(world.elapsed <= .seconds(5), "\(world.elapsed.seconds)")
    }
}
