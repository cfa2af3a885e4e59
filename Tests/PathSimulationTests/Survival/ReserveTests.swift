import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTransport

/// Paths in reserve: what they cost, and how they come into use and leave it.
@Suite struct ReserveTests {
    /// Neither side has anything to send.
    private struct Idle: WorldApplication {
        var isDone: Bool { false }
        var nextWake: Instant { .distantFuture }
        mutating func handleClient(_ connection: inout Connection, now: Instant) {
            while connection.pollEvent() != nil {}
        }
        mutating func handleServer(_ connection: inout Connection, now: Instant) {
            while connection.pollEvent() != nil {}
        }
    }

    /// Bytes of a day with IP headers on a path, both directions: docs/protocol.md has the figures.
    @Test func anIdleDayCostsLittle() throws {
        var settings = WorldSettings()
        settings.client.parameters.idleTimeout = .seconds(600)
        settings.server.parameters.idleTimeout = .seconds(600)
        var world = try World(
            links: try ["rate=20,rtt=20", "rate=20,rtt=60", "rate=20,rtt=60"].map {
                try LinkSpecification(parsing: $0)
            },
            traits: [
                PathTraits(), PathTraits(pricePerGB: 5, isBackup: true), PathTraits(isBackup: true),
            ], settings: settings, application: Idle(), seed: 1)
        world.run(for: .seconds(60))
        let before = bytes(world)
        world.run(for: .seconds(60 + 86_400))
        let isEstablished = world.client.isEstablished
        #expect(world.stall == nil && isEstablished)
        let day = zip(bytes(world), before).map { $0 - $1 }
        #expect((300_000...550_000).contains(day[1]), "\(day)")
        #expect((1_000_000...4_000_000).contains(day[0]), "\(day)")
        #expect((1_000_000...4_000_000).contains(day[2]), "\(day)")
    }

    private func bytes(_ world: borrowing World<Idle>) -> [Int] {
        var bytes: [Int] = []
        for path in world.client.pathIDs {
            let statistics = world.client.statistics(of: path) ?? PathStatistics()
            bytes.append(Int(statistics.ipBytesSent + statistics.ipBytesReceived))
        }
        return bytes
    }

    /// A path is put into reserve while data flows, and back: the server follows, and no data takes
    /// the path meanwhile.
    @Test func aPathIsHeldBackAndReturns() throws {
        var script = Script()
        script.clientSteps = [
            Script.Step(at: .seconds(3)) { $0.setStandby(PathID(1), true, now: $1) },
            Script.Step(at: .seconds(6)) { $0.setStandby(PathID(1), false, now: $1) },
        ]
        var world = try Bench.world(Bench.equal, script: script)
        world.run(for: .seconds(9))
        Bench.expectSound(world, finished: false)
        let held = world.application.arrived(1, from: 3.3, to: 6)
        #expect(held < 20_000, "\(held)")
        let before = world.application.arrived(1, from: 1, to: 3)
        let after = world.application.arrived(1, from: 7, to: 9)
        #expect(before > 4_000_000 && after > 4_000_000, "\(before) \(after)")
        let server = world.application.serverChanges.compactMap { change -> PathState? in
            if case .pathChanged(PathID(1), _, let to, .peerRequest, _) = change.1 { return to }
            return nil
        }
        #expect(server == [.standby, .active], "\(world.application.history)")
        #expect(world.application.bulk.longestGap <= .milliseconds(100))
    }

    /// The status of a path survives the loss of the packets that carry it.
    @Test func theServerFollowsInSpiteOfLoss() throws {
        for seed in UInt64(1)...5 {
            var script = Script()
            script.clientSteps = [
                Script.Step(at: .seconds(2)) { $0.setStandby(PathID(0), true, now: $1) },
                Script.Step(at: .milliseconds(2010)) { $0.setStandby(PathID(0), false, now: $1) },
                Script.Step(at: .milliseconds(2020)) { $0.setStandby(PathID(0), true, now: $1) },
            ]
            var world = try Bench.world(
                ["rate=20,rtt=20,loss=0.3", "rate=20,rtt=30,loss=0.3"], seed: seed, script: script)
            // Half of the challenges are lost as well, and the fifth comes after four seconds.
            var state: PathState?
            for end: Int64 in 4...8 where state != .standby {
                world.run(for: .seconds(end))
                state = world.serverBox?.with { $0.state(of: PathID(0)) }
            }
            #expect(state == .standby, "seed \(seed)\n\(world.application.history)")
        }
    }

    /// The path in use dies: a metered path in reserve, asked once a minute, takes over within half a
    /// second, and rests again afterwards.
    @Test func theReserveIsThereWhenNeeded() throws {
        var world = try Bench.world(
            ["rate=20,rtt=20,down=40-45", "rate=20,rtt=60"],
            traits: [PathTraits(), PathTraits(pricePerGB: 5, isBackup: true)])
        world.run(for: .seconds(60))
        Bench.expectSound(world, finished: false)
        #expect(world.application.arrived(1, from: 10, to: 39) < 10_000)
        #expect(
            world.application.bulk.longestGap <= .milliseconds(500),
            "\(world.application.bulk.longestGap.seconds)\n\(world.application.history)")
        #expect(world.application.arrived(1, from: 41, to: 45) > 5_000_000)
        #expect(world.application.arrived(1, from: 48, to: 60) < 10_000)
    }

    /// Counters of both sides agree with the links, with headers.
    @Test func countersAgreeWithTheLinks() throws {
        var world = try Bench.world(
            ["rate=20,rtt=20,loss=0.02", "rate=10,rtt=40,duplicate=0.05"], total: 6_000_000)
        world.run(for: .seconds(20))
        Bench.expectSound(world)
        for path in 0..<2 {
            let client = world.client.statistics(of: PathID(path)) ?? PathStatistics()
            let server = world.serverBox?.with { $0.statistics(of: PathID(path)) }
            let (forward, backward) = (
                world.links[path].forward.counters, world.links[path].backward.counters
            )
            #expect(client.ipBytesSent == UInt64(forward.sent.bytes))
            #expect(client.packetsSent == UInt64(forward.sent.packets))
            // The first message comes over both paths, and the second time it belongs to none.
            let repeated: UInt64 = path == 0 ? 0 : 1_228
            #expect(server?.ipBytesReceived == UInt64(forward.delivered.bytes) - repeated)
            #expect(server?.ipBytesSent == UInt64(backward.sent.bytes))
            #expect(client.ipBytesReceived == UInt64(backward.delivered.bytes))
            let dropped = forward.droppedLoss.packets + forward.droppedQueue.packets
            #expect(abs(Int(client.packetsLost) - dropped) <= 1, "\(client.packetsLost) \(dropped)")
        }
    }

    /// More messages than the path carries do not starve a stream: it gets a sixteenth at least.
    @Test func messagesDoNotStarveStreams() throws {
        var world = try World(
            links: [try LinkSpecification(parsing: "rate=20,rtt=20")], settings: WorldSettings(),
            application: MessageFlow(
                size: 1200, interval: .microseconds(300), deadline: .seconds(1), seconds: 11,
                hasBulk: true), seed: 3)
        world.run(for: .seconds(11))
        #expect(world.stall == nil)
        let stream = world.application.bulkBytes
        // 20 Mbit/s are 27 MB in 11 s.
        #expect(stream > 1_300_000 && stream < 4_000_000, "\(stream)")
        // 4 MB/s are offered, and 2.3 MB/s carried.
        let late = world.application.lateShare
        #expect(late < 0.6, "\(late)")
    }
}
