import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTransport

/// A session that is held for minutes without any path that works.
@Suite struct HoldScenarioTests {
    private static let hold = TimeDelta.seconds(900)

    private func world(
        _ paths: [String], total: Int? = 30_000_000, script: Script = Script(),
        traits: [PathTraits] = []
    ) throws -> World<ScriptedTransfer> {
        try Bench.world(paths, total: total, script: script, traits: traits) {
            $0.client.parameters.idleTimeout = HoldScenarioTests.hold
            $0.server.parameters.idleTimeout = HoldScenarioTests.hold
        }
    }

    /// After ten minutes without a path, in both directions or in one, the transfer goes on within a
    /// second and a half, and nothing is lost.
    @Test(arguments: ["down=3-603", "fdown=3-603", "rdown=3-603"])
    func aTransferSurvivesTenMinutesWithoutPaths(outage: String) throws {
        var world = try world(["rate=20,rtt=20,\(outage)", "rate=20,rtt=40,\(outage)"])
        world.run(for: .seconds(630))
        Bench.expectSound(world)
        #expect(
            world.application.bulk.longestGap <= .milliseconds(601_500),
            "\(world.application.bulk.longestGap.seconds)\n\(world.application.history)")
        // 3 s before, and 19 MB at 38 Mbit/s after it.
        #expect(world.elapsed <= .milliseconds(609_500), "\(world.elapsed.seconds)")
        for path in world.client.pathIDs {
            let sent = world.client.statistics(of: path)?.packetsSent ?? 0
            let lost = world.client.statistics(of: path)?.packetsLost ?? 0
            let link = world.links[Int(path.rawValue)].forward.counters
            let dropped = link.droppedOutage.packets + link.droppedQueue.packets
            #expect(abs(Int(lost) - dropped) <= 2, "\(lost) of \(dropped)")
            // Five probes a second at first, then one: about 700 in ten minutes; and where the server's
            // come through, an answer to each of them.
            #expect(lost < (outage.hasPrefix("f") ? 1700 : 1500) && sent > 0, "\(sent) \(lost)")
        }
    }

    /// Metered paths are asked every five seconds at last.
    @Test func meteredPathsAreAskedRarelyDuringALongOutage() throws {
        let down = "rate=20,rtt=20,down=3-603"
        var probes = 0
        var script = Script()
        script.clientSteps = [
            Script.Step(at: .seconds(300)) { connection, _ in
                probes = Int(connection.statistics(of: PathID(0))?.packetsSent ?? 0)
            },
            Script.Step(at: .seconds(600)) { connection, _ in
                probes = Int(connection.statistics(of: PathID(0))?.packetsSent ?? 0) - probes
            },
        ]
        var world = try world(
            [down, down], script: script,
            traits: [PathTraits(pricePerGB: 5), PathTraits(pricePerGB: 5)])
        world.run(for: .seconds(630))
        Bench.expectSound(world)
        #expect((55...65).contains(probes), "\(probes)")
        #expect(
            world.application.bulk.longestGap <= .milliseconds(605_500),
            "\(world.application.bulk.longestGap.seconds)")
    }

    /// Every address of the client is replaced while nothing works.
    @Test func allAddressesChangeDuringTheOutage() throws {
        var script = Script()
        script.clientSteps = [
            Script.Step(at: .seconds(200)) { connection, now in
                for path in connection.pathIDs { connection.removePath(path, now: now) }
                for path in 0..<2 {
                    connection.addPath(
                        socket: path, remote: .loopback(port: UInt16(5000 + path)),
                        datagramLimit: 1472, now: now)
                }
            }
        ]
        script.clientAddress = { path, usual, time in
            time < .seconds(200) ? usual : .loopback(port: UInt16(7000 + path))
        }
        let down = "rate=20,rtt=20,down=3-303"
        var world = try world([down, down], script: script)
        world.run(for: .seconds(330))
        Bench.expectSound(world)
        #expect(
            world.application.bulk.longestGap <= .milliseconds(301_500),
            "\(world.application.bulk.longestGap.seconds)\n\(world.application.history)")
    }

    /// All interfaces of the client vanish for five minutes; other ones appear.
    @Test func allInterfacesVanishAndOthersAppear() throws {
        var script = Script()
        script.clientSteps = [
            Script.Step(at: .seconds(3)) { connection, now in
                for path in connection.pathIDs { connection.removePath(path, now: now) }
            },
            Script.Step(at: .seconds(303)) { connection, now in
                connection.addPath(
                    PathID(4), socket: 1, remote: .loopback(port: 5001), datagramLimit: 1472,
                    now: now)
            },
        ]
        var world = try world(Bench.equal, total: 20_000_000, script: script)
        world.run(for: .seconds(330))
        Bench.expectSound(world)
        #expect(
            world.application.bulk.longestGap <= .milliseconds(300_500),
            "\(world.application.bulk.longestGap.seconds)\n\(world.application.history)")
    }

    /// A NAT gives both paths other ports, while data flows, or while nothing works for five minutes.
    @Test(arguments: [("rate=20,rtt=20", 500.0), ("rate=20,rtt=20,down=2-302", 301_500)])
    func aNATForgetsEveryPath(path: String, longestGap: Double) throws {
        var script = Script()
        script.clientAddress = { path, usual, time in
            time < .seconds(3) ? usual : .loopback(port: UInt16(8000 + path))
        }
        var world = try world([path, path], script: script)
        world.run(for: .seconds(330))
        Bench.expectSound(world)
        #expect(
            world.application.bulk.longestGap.milliseconds <= longestGap,
            "\(world.application.bulk.longestGap.seconds)\n\(world.application.history)")
        let moved = world.application.serverChanges.filter { change in
            if case .pathMoved = change.1 { return true }
            return false
        }
        #expect(moved.count >= 2, "\(world.application.history)")
    }

    /// The lower idle time-out of the two sides holds, on both.
    @Test func theLowerIdleTimeoutWins() throws {
        var script = Script()
        script.passes = { _, _, time, _ in time < .seconds(1) }
        var world = try Bench.world(Bench.equal, script: script) {
            $0.client.parameters.idleTimeout = .seconds(600)
            $0.server.parameters.idleTimeout = .seconds(7)
        }
        world.application.runsOn = true
        world.application.stopsAtClose = true
        world.run(for: .seconds(20))
        #expect(world.client.idleTimeout == .seconds(7))
        #expect(world.application.bulk.clientReason == .idleTimeout)
        #expect(world.application.clientClosedAt.map { $0 <= .milliseconds(8100) } == true)
    }
}
