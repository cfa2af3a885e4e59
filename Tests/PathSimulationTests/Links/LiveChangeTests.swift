import PathTelemetry
import PathTransport
import Testing

@testable import PathSimulation

/// Links change while a world runs, by a call, and nothing else changes with them.
@Suite struct LiveChangeTests {
    private func world(
        _ links: [LinkSpecification], shared: [String] = [], routes: [[Int]] = []
    ) throws -> World<BulkTransfer> {
        try World(
            network: NetworkSpecification(
                links: links, bottlenecks: try shared.map { try LinkSpecification(parsing: $0) },
                routes: routes),
            settings: WorldSettings(), application: BulkTransfer(total: nil, seed: 5), seed: 3)
    }

    private func links(_ options: [String]) throws -> [LinkSpecification] {
        try options.map {
            var link = try LinkSpecification(parsing: $0)
            link.drawByTime()
            return link
        }
    }

    private static let pair = [
        "rate=20,delay=10,loss=0.001,fading=2000:20", "rate=10,delay=30,jitter=normal:2,loss=0.002",
    ]

    /// A change that is announced and one that is part of the world are the same run.
    @Test func asPlanned() throws {
        let change = "rate=5,delay=60,loss=0.01,queue=40p,aqm=codel,police=30,mtu=1400"
        var planned = try links(LiveChangeTests.pair)
        var next = planned[0]
        try next.set(options: change)
        planned[0].change(to: next, at: .seconds(2))
        var one = try world(planned)
        // The ends are called between two pieces of a run.
        one.run(for: .seconds(1))
        one.run(for: .seconds(5))
        var other = try world(links(LiveChangeTests.pair))
        other.run(for: .seconds(1))
        try other.change(link: 0, at: .seconds(2), change)
        other.run(for: .seconds(5))
        #expect(one.stall == nil && other.stall == nil)
        #expect(one.transcriptHash == other.transcriptHash)
        #expect(one.datagramsDelivered == other.datagramsDelivered)
        var plain = try world(links(LiveChangeTests.pair))
        plain.run(for: .seconds(1))
        plain.run(for: .seconds(5))
        #expect(plain.transcriptHash != one.transcriptHash)
    }

    /// Packets of each second follow the rate that the caller set at its beginning.
    @Test func ratesByCalls() throws {
        var run = try world(links(["rate=20,delay=5,queue=30000b"]))
        for second in 1...12 {
            run.run(for: .seconds(Int64(second)))
            try run.change(link: 0, at: .zero, "rate=\([5, 12, 20][second % 3])")
        }
        let slices = run.application.slices
        for second in 4..<12 {
            // The second half of each second, in which windows have followed.
            let bytes = slices[second * 10 + 9] - slices[second * 10 + 4]
            let megabits = Double(bytes) * 8 / 0.5 / 1e6
            let rate = Double([5, 12, 20][second % 3])
            #expect(megabits > 0.8 * rate && megabits < rate, "\(second): \(megabits) of \(rate)")
        }
    }

    /// Hundreds of changes, each of which takes effect; what was planned for later still comes.
    @Test func hundreds() throws {
        var specification = try LinkSpecification(parsing: "rate=0,delay=1")
        specification.change(
            to: try LinkSpecification(parsing: "rate=0,delay=500"), at: .seconds(100))
        var network = Network(NetworkSpecification(links: [specification]), seed: 1)
        var buffer = [UInt8](repeating: 0, count: 2048)
        func arrival(_ time: Double) -> TimeDelta? {
            [UInt8](repeating: 1, count: 50).withUnsafeBytes {
                _ = network.send($0, path: 0, direction: .forward, now: at(time))
            }
            return buffer.withUnsafeMutableBytes {
                network.popArrival(now: at(time + 1), into: $0).map { $0.time - at(time) }
            }
        }
        for step in 1...500 {
            var next = try LinkSpecification(parsing: "rate=0")
            next.forward.delayMilliseconds = Double(step % 50)
            network.change(0, to: next, at: at(Double(step) / 10))
            #expect(
                arrival(Double(step) / 10) == .milliseconds(Int64(step % 50)), "change \(step)")
        }
        #expect(arrival(99) == .zero && arrival(101) == .milliseconds(500))
        #expect(network.imbalance == nil)
    }

    /// A change of one link leaves the fates of the other as they are, packet by packet.
    @Test func otherLinksStay() throws {
        func fates(_ changes: Bool) throws -> [Bool] {
            let links = try links(["rate=0,loss=0.3", "rate=0,loss=0.3,fading=50:50,jitter=3"])
            var network = Network(NetworkSpecification(links: links), seed: 9)
            var fates: [Bool] = []
            var buffer = [UInt8](repeating: 0, count: 2048)
            for step in 0..<3000 {
                let now = Instant.zero + .milliseconds(Int64(step))
                if changes, step % 10 == 0 {
                    let next = try LinkSpecification(parsing: "rate=0,loss=0.\(step / 10 % 10)")
                    network.change(0, to: next, at: now)
                }
                for path in 0...1 {
                    let before = network.links[path].forward.counters.dropped.packets
                    [UInt8](repeating: 1, count: 50).withUnsafeBytes {
                        _ = network.send($0, path: path, direction: .forward, now: now)
                    }
                    let after = network.links[path].forward.counters.dropped.packets
                    if path == 1 { fates.append(after > before) }
                }
                buffer.withUnsafeMutableBytes {
                    while network.popArrival(now: now, into: $0) != nil {}
                }
            }
            return fates
        }
        let plain = try fates(false)
        #expect(try fates(true) == plain)
        #expect(plain.filter { $0 }.count > 1000)
    }

    /// A bottleneck can change as a link can, and be managed from then on.
    @Test func bottlenecks() throws {
        var run = try world(
            links(["rate=50,delay=5", "rate=50,delay=5"]), shared: ["rate=40,queue=400000b"],
            routes: [[0], [0]])
        run.run(for: .seconds(4))
        let before = run.application.received
        try run.change(bottleneck: 0, at: .seconds(4), "rate=10,aqm=fq-codel")
        run.run(for: .seconds(10))
        #expect(run.stall == nil)
        let megabits = Double(run.application.received - before) * 8 / 6 / 1e6
        #expect(megabits > 8 && megabits < 10.5, "\(megabits)")
    }

    /// Larger packets than any before find room.
    @Test func largerPackets() throws {
        var network = Network(
            NetworkSpecification(links: try links(["rate=0,delay=5,mtu=1000"])), seed: 1)
        var buffer = [UInt8](repeating: 0, count: 9000)
        let small = [UInt8](repeating: 7, count: 900)
        let large = (0..<8000).map { UInt8(truncatingIfNeeded: $0) }
        func send(_ bytes: [UInt8], _ time: Double) {
            bytes.withUnsafeBytes {
                _ = network.send($0, path: 0, direction: .forward, now: at(time))
            }
        }
        send(small, 0)
        send(large, 0)
        network.change(
            0, to: try LinkSpecification(parsing: "rate=0,delay=5,mtu=9000"), at: at(0.001))
        send(large, 0.002)
        var counts: [Int] = []
        while true {
            let arrival = buffer.withUnsafeMutableBytes { network.popArrival(now: at(1), into: $0) }
            guard let arrival else { break }
            counts.append(arrival.count)
            #expect(Array(buffer[..<arrival.count]) == (arrival.count == 900 ? small : large))
        }
        #expect(counts == [900, 8000] && network.imbalance == nil)
    }

    /// A transfer survives that packets of its size no longer pass.
    @Test func smallerPackets() throws {
        var run = try world(links(["rate=20,delay=10"]))
        run.run(for: .seconds(3))
        try run.change(link: 0, at: .seconds(3), "mtu=1300")
        run.run(for: .seconds(10))
        #expect(run.stall == nil)
        let slices = run.application.slices
        try #require(slices.count > 98, "nothing arrived after \(slices.count / 10) s")
        let megabits = Double(slices[98] - slices[58]) * 8 / 4 / 1e6
        #expect(megabits > 16, "\(megabits)")
    }

    @Test(arguments: [
        ("trace=x.up", "x.up"), ("rates=x.txt", "x.txt"), ("netem=1", "cannot change"),
        ("down=1-2", "cannot change"), ("rate@5=3", "cannot change"), ("rate=0", "with a rate"),
        ("aqm=red", "codel"), ("", "at least one"), ("speed=4", "no such key"),
    ])
    func refusals(options: String, part: String) throws {
        var run = try world(links(["rate=20,delay=10"]))
        do throws(SimulationError) {
            try run.change(link: 0, at: .zero, options)
            Issue.record("'\(options)' is accepted")
        } catch { #expect("\(error)".contains(part), "\(error)") }
        #expect(throws: SimulationError.self) { try run.change(link: 1, at: .zero, "rate=5") }
        #expect(throws: SimulationError.self) { try run.change(bottleneck: 0, at: .zero, "rate=5") }
    }

    @Test func aLinkWithoutARate() throws {
        var run = try world(links(["rate=0,delay=10"]))
        #expect(throws: SimulationError.self) { try run.change(link: 0, at: .zero, "rate=5") }
        try run.change(link: 0, at: .zero, "delay=20")
    }
}
