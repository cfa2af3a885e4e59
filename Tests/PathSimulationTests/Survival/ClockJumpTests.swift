import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry
@testable import PathTransport

/// A host sleeps, so that its clock stands still while the other's goes on, or its clock jumps.
@Suite struct ClockJumpTests {
    private struct Late {
        var late = 0
        var all = 0
        var share: Double { all == 0 ? 1 : Double(late) / Double(all) }
    }

    /// Outcomes of decisions that closed after a time since the start.
    private func outcomes(
        _ world: borrowing World<ScriptedTransfer>, after: Instant
    ) -> Late {
        var result = Late()
        for record in world.application.clientRecords {
            guard case .outcome(let outcome) = record, outcome.closedAt >= after else { continue }
            result.all += 1
            if outcome.isLate { result.late += 1 }
        }
        return result
    }

    private func world(idle: TimeDelta) throws -> World<ScriptedTransfer> {
        var world = try Bench.world(["rate=20,rtt=20", "rate=10,rtt=80"]) {
            $0.client.isRecording = true
            $0.client.parameters.idleTimeout = idle
            $0.server.parameters.idleTimeout = idle
        }
        world.application.runsOn = true
        return world
    }

    /// How far the one-way delay of each path is from half of its least round trip, milliseconds.
    private func delays(_ world: borrowing World<ScriptedTransfer>) -> [Double] {
        var delays: [Double] = []
        for index in world.client.paths.indices {
            guard let raw = world.client.paths[index].estimator.evidence.rawDelay else {
                delays.append(.infinity)
                continue
            }
            delays.append(world.client.session.clock.delay(ofRaw: raw) * 1000)
        }
        return delays
    }

    /// Two seconds after a jump of five minutes delays, outcomes and the rate are as before, with an
    /// idle time-out longer and one shorter than the jump.
    @Test(arguments: [TimeDelta.seconds(600), .seconds(10)], [false, true])
    func delaysAreRightAgainAfterAJump(idle: TimeDelta, isServer: Bool) throws {
        var world = try world(idle: idle)
        world.run(for: .seconds(5))
        let before = outcomes(world, after: .zero)
        let jumpAt = world.now
        let jump = TimeDelta.seconds(300)
        if isServer { world.jumpServer(by: jump) } else { world.jumpClient(by: jump) }
        // On the client's clock.
        let end = isServer ? TimeDelta.seconds(15) : .seconds(315)
        world.run(for: end)
        Bench.expectSound(world, finished: false)
        #expect(world.application.bulk.clientReason == nil, "\(world.application.history)")
        #expect(world.client.statistics.clockJumps >= 1)
        let elapsed = jumpAt + (isServer ? .zero : jump)
        let after = outcomes(world, after: elapsed + .seconds(2))
        #expect(after.all > 50 && after.share <= before.share + 0.03, "\(before) \(after)")
        for delay in delays(world) {
            #expect(delay > 1 && delay < 200, "\(delays(world))")
        }
        for path in world.client.pathIDs {
            let rtt = world.client.snapshot(of: path, now: world.now)?.smoothedRTT ?? .zero
            #expect(rtt > .milliseconds(15) && rtt < .milliseconds(400), "\(rtt.seconds)")
        }
        let start = TimeDelta(nanoseconds: end.nanoseconds - 6_000_000_000)
        let rate = world.application.bulk.rate(from: start, to: end) / 1e6
        #expect(rate > 28.6 * 0.9, "\(rate)\n\(world.application.history)")
    }

    /// Both hosts sleep one after the other, many times and for times that a queue could cause too.
    @Test func manyShortJumps() throws {
        var world = try world(idle: .seconds(10))
        var end = TimeDelta.seconds(2)
        world.run(for: end)
        for round in Int64(0)..<12 {
            let jump = TimeDelta.milliseconds(300 * (round + 1))
            if round % 2 == 0 {
                world.jumpServer(by: jump)
            } else {
                world.jumpClient(by: jump)
                end = end + jump
            }
            end = end + .seconds(1)
            world.run(for: end)
        }
        world.run(for: end + .seconds(12))
        Bench.expectSound(world, finished: false)
        #expect(world.application.bulk.clientReason == nil, "\(world.application.history)")
        for delay in delays(world) { #expect(delay > 1 && delay < 200, "\(delays(world))") }
        let rate =
            world.application.bulk.rate(from: end + .seconds(4), to: end + .seconds(12)) / 1e6
        #expect(rate > 28.6 * 0.9, "\(rate)")
    }

    /// A host that sleeps while nothing is sent wakes to a peer that has moved its keys on.
    @Test func keysThatChangedDuringTheSleepAreFollowed() throws {
        var script = Script()
        script.passes = { _, _, time, _ in time < .seconds(2) || time > .seconds(402) }
        var world = try Bench.world(Bench.equal, total: 40_000_000, script: script) {
            $0.client.parameters.idleTimeout = .seconds(600)
            $0.server.parameters.idleTimeout = .seconds(600)
        }
        world.run(for: .seconds(403))
        world.jumpServer(by: .seconds(200))
        world.run(for: .seconds(430))
        Bench.expectSound(world)
        #expect(world.client.statistics.keyChanges >= 1)
    }
}
