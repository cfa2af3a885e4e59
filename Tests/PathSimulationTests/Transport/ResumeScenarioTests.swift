import Foundation
import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTransport

/// Transfers on a new connection that knows what an earlier one measured (RFC 9959).
@Suite struct ResumeScenarioTests {
    /// What a transfer of 40 MB leaves for the next connection, by path.
    private func measured(
        _ paths: [String], congestion: CongestionAlgorithm = .modelBased
    ) throws -> [SavedCapacity?] {
        var world = try Bench.world(
            paths, total: 40_000_000, policy: .learned(LearnedSettings()), seed: 77
        ) { $0.client.congestion = congestion }
        world.run(for: .seconds(60))
        Bench.expectSound(world)
        return paths.indices.map { world.client.capacity(of: PathID($0))?.saved }
    }

    /// Milliseconds with the handshake, and bytes that full queues dropped.
    private func transfer(
        _ total: Int, _ paths: [String], from saved: [SavedCapacity?] = [],
        congestion: CongestionAlgorithm = .modelBased, seed: UInt64 = 1, script: Script = Script()
    ) throws -> (time: Double, dropped: Int, left: [SavedCapacity?]) {
        var world = try Bench.world(
            paths, total: total, policy: .learned(LearnedSettings()), seed: seed, script: script
        ) { $0.client.congestion = congestion }
        for (index, capacity) in saved.enumerated() {
            if let capacity { world.client.resume(PathID(index), from: capacity) }
        }
        world.run(for: .seconds(60))
        Bench.expectSound(world)
        var dropped = 0
        for index in world.links.indices {
            dropped += world.links[index].forward.counters.droppedQueue.bytes
        }
        let left = paths.indices.map { world.client.capacity(of: PathID($0))?.saved }
        return (world.elapsed.milliseconds, dropped, left)
    }

    /// The table of docs/measurements.md: medians of five seeds, without and with what is known.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["PATHWISE_TABLES"] != nil))
    func table() throws {
        let far = ["rate=50,rtt=320"]
        let rows: [(before: [String], now: [String], congestion: CongestionAlgorithm)] = [
            (far, far, .modelBased),
            (["rate=50,rtt=100"], ["rate=50,rtt=100"], .modelBased),
            (["rate=20,rtt=600"], ["rate=20,rtt=600"], .modelBased),
            (["rate=50,rtt=320,loss=0.01"], ["rate=50,rtt=320,loss=0.01"], .modelBased),
            (
                ["rate=50,rtt=40", "rate=50,rtt=640"], ["rate=50,rtt=40", "rate=50,rtt=640"],
                .modelBased
            ),
            (far, far, .cubic), (far, ["rate=25,rtt=320"], .modelBased),
            (far, ["rate=12.5,rtt=320"], .modelBased),
        ]
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        for row in rows {
            let saved = try measured(row.before, congestion: row.congestion)
            var line = "\(row.now), \(row.congestion), known from \(row.before)"
            for total in [1_000_000, 5_000_000, 20_000_000] {
                var (times, drops) = ([[Double]](), [[Double]]())
                for known in [[], saved] {
                    let runs = try (1...5 as ClosedRange<UInt64>).map {
                        try transfer(
                            total, row.now, from: known, congestion: row.congestion, seed: $0)
                    }
                    times.append(runs.map(\.time))
                    drops.append(runs.map { Double($0.dropped) / 1000 })
                }
                let pairs = zip(times, drops).map { time, drop in
                    String(format: "%.0f ms (%.0f kB dropped)", median(time), median(drop))
                }
                line += "\n  \(total / 1_000_000) MB: \(pairs[0]), resumed \(pairs[1])"
            }
            print(line)
        }
    }

    /// Far paths: a megabyte is there a round trip sooner, and nothing is dropped.
    @Test(arguments: [CongestionAlgorithm.modelBased, .cubic])
    func aFarPathStartsFaster(congestion: CongestionAlgorithm) throws {
        let far = ["rate=50,rtt=320"]
        let saved = try measured(far, congestion: congestion)
        let first = try #require(saved[0])
        #expect(first.roundTrip >= .milliseconds(320) && first.roundTrip < .milliseconds(323))
        for total in [1_000_000, 5_000_000] {
            let plain = try transfer(total, far, congestion: congestion)
            let resumed = try transfer(total, far, from: saved, congestion: congestion)
            #expect(resumed.time < 0.85 * plain.time, "\(resumed.time), \(plain.time)")
            #expect(resumed.dropped <= plain.dropped)
        }
    }

    /// A program asks first, and sends when the answer has come: the packets of its request show nothing
    /// of the link, those of its data do. (CUBIC spreads these over the round trip that it knows by then,
    /// and they show nothing.)
    @Test func dataAfterARequestStartsFaster() throws {
        let far = ["rate=50,rtt=320"]
        let saved = try measured(far)
        var script = Script()
        script.begins = .milliseconds(660)
        script.clientSteps = [
            Script.Step(at: .milliseconds(340)) { connection, now in
                let message = Array(repeating: UInt8(1), count: 800)
                _ = try? message.withUnsafeBytes {
                    try connection.sendMessage($0, options: MessageOptions(), now: now)
                }
            }
        ]
        let plain = try transfer(5_000_000, far, script: script)
        let resumed = try transfer(5_000_000, far, from: saved, script: script)
        #expect(resumed.time < 0.85 * plain.time, "\(resumed.time), \(plain.time)")
        #expect(resumed.dropped <= plain.dropped)
    }

    /// A short session leaves what it was given, so that the sessions after it start as fast.
    @Test func shortSessionsKeepWhatIsKnown() throws {
        let far = ["rate=50,rtt=320"]
        let saved = try measured(far)
        for total in [10_000, 1_000_000] {
            let left = try transfer(total, far, from: saved).left
            #expect(left == saved, "\(left), \(saved)")
        }
        #expect(try transfer(10_000, far).left == [nil])
    }

    /// Paths that an initial window and the first packets fill anyway save nothing.
    @Test func nearPathsSaveNothing() throws {
        for paths in [
            ["rate=20,rtt=20", "rate=20,rtt=20"], ["rate=50,rtt=20", "rate=10,rtt=100"],
            ["rate=30,rtt=40,ge=0.0051:0.25", "rate=15,rtt=15"],
        ] {
            #expect(try measured(paths) == [nil, nil])
        }
    }

    /// The link has a quarter of its rate: the first packets show it, and nothing jumps.
    @Test(arguments: [CongestionAlgorithm.modelBased, .cubic])
    func aSlowerLinkIsNoticed(congestion: CongestionAlgorithm) throws {
        let saved = try measured(["rate=50,rtt=320"], congestion: congestion)
        for total in [1_000_000, 5_000_000] {
            let slow = ["rate=12.5,rtt=320"]
            let plain = try transfer(total, slow, congestion: congestion)
            let resumed = try transfer(total, slow, from: saved, congestion: congestion)
            #expect(resumed.time == plain.time)
            #expect(resumed.dropped == plain.dropped)
            #expect(resumed.left != saved)
        }
    }

    /// The server is reached over another path now.
    @Test func anotherRoundTripIsAnotherPath() throws {
        let saved = try measured(["rate=50,rtt=320"])
        for paths in [["rate=50,rtt=100"], ["rate=50,rtt=700"]] {
            let plain = try transfer(2_000_000, paths)
            let resumed = try transfer(2_000_000, paths, from: saved)
            #expect(resumed.time == plain.time)
        }
    }
}
