import PathTelemetry
import PathTransport
import Testing

@testable import PathSimulation

/// Paths that share a bottleneck: order of hops, one queue, and nothing vanishes.
@Suite struct NetworkTests {
    private func network(
        _ links: [String], shared: [String] = [], routes: [[Int]] = [],
        cross: [CrossTraffic] = [], seed: UInt64 = 1, capacity: Int = 65_536
    ) throws -> Network {
        Network(
            NetworkSpecification(
                links: try links.map { try LinkSpecification(parsing: $0) },
                bottlenecks: try shared.map { try LinkSpecification(parsing: $0) },
                routes: routes, cross: cross),
            seed: seed, capacity: capacity)
    }

    private func send(
        _ network: inout Network, _ bytes: [UInt8], path: Int,
        _ direction: LinkDirection = .forward, at now: Instant
    ) {
        bytes.withUnsafeBytes { _ = network.send($0, path: path, direction: direction, now: now) }
    }

    private func take(_ network: inout Network, until now: Instant) -> [Network.Arrival] {
        var buffer = [UInt8](repeating: 0, count: 2048)
        var arrivals: [Network.Arrival] = []
        buffer.withUnsafeMutableBytes {
            while let arrival = network.popArrival(now: now, into: $0) { arrivals.append(arrival) }
        }
        return arrivals
    }

    /// 972 bytes of payload are 1,000 of IP: 1 ms at 8 Mbit/s, 2 ms at 4.
    @Test func delaysAndServiceAddUp() throws {
        var network = try network(
            ["rate=8,fdelay=10,rdelay=20", "rate=8,delay=1"], shared: ["rate=4,delay=5"],
            routes: [[0], []])
        let packet = [UInt8](repeating: 7, count: 972)
        send(&network, packet, path: 0, at: .zero)
        send(&network, packet, path: 0, .backward, at: .zero)
        send(&network, packet, path: 1, at: .zero)
        #expect(network.nextArrival(before: at(1)) == at(0.002))
        let arrivals = take(&network, until: at(1))
        #expect(arrivals.map(\.path) == [1, 0, 0])
        #expect(arrivals.map(\.direction) == [.forward, .forward, .backward])
        #expect(arrivals.map(\.time) == [at(0.002), at(0.018), at(0.028)])
        #expect(network.imbalance == nil && network.storedCount == 0)
        #expect(network.bottlenecks[0].forward.counters.delivered.packets == 1)
        #expect(network.nextTimeout == nil)
    }

    /// A chain of two shared links, which one of the paths leaves after the first.
    @Test func chains() throws {
        var network = try network(
            ["delay=1", "delay=2", "delay=4"], shared: ["delay=10", "delay=100"],
            routes: [[0, 1], [0], [1]])
        for path in 0..<3 {
            send(&network, [1], path: path, at: .zero)
            send(&network, [1], path: path, .backward, at: .zero)
        }
        let arrivals = take(&network, until: at(1))
        let times = Dictionary(
            grouping: arrivals, by: \.path
        ).mapValues { $0.map { ($0.time - .zero).milliseconds.rounded() } }
        #expect(times == [0: [111, 111], 1: [12, 12], 2: [104, 104]])
        #expect(network.imbalance == nil)
    }

    /// Two paths offer 8 Mbit/s each to a link of 10: together they get 10, and both meet the same
    /// full queue.
    @Test(arguments: LinkDirection.allCases) func oneQueue(_ direction: LinkDirection) throws {
        var network = try network(
            ["rate=100,delay=5", "rate=100,delay=5"], shared: ["rate=10,queue=50000b,delay=5"],
            routes: [[0], [0]])
        let packet = [UInt8](repeating: 7, count: 1472)
        var arrivals: [Network.Arrival] = []
        for step in 0..<6000 {
            let now = at(Double(step) * 0.0015)
            arrivals += take(&network, until: now)
            send(&network, packet, path: 0, direction, at: now)
            send(&network, packet, path: 1, direction, at: now)
        }
        let counted = arrivals.filter { $0.time > at(1) && $0.time <= at(9) }
        let megabits = Double(counted.count) * 1500 * 8 / 8 / 1e6
        #expect(abs(megabits - 10) < 0.02, "\(megabits)")
        #expect(Set(counted.map(\.path)).count == 2)
        let link = network.bottlenecks[0][direction].counters
        #expect(link.maximumQueueBytes >= 50_000 && link.maximumQueueBytes <= 51_500)
        for path in network.links { #expect(path[direction].counters.dropped.packets == 0) }
        #expect(network.imbalance == nil)
    }

    /// Nothing vanishes and no byte changes that is not said to: random links, two shared ones, and
    /// flows of others.
    @Test(arguments: UInt64(1)...40) func conservation(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let options = (0..<5).map { _ in LinkInvariantTests.randomOptions(&random) }
        let cross = (0..<3).map { number in
            CrossTraffic(
                name: "x\(number)", kind: CrossTraffic.Kind.allCases[number],
                hop: Int(random.next() % 5), direction: number == 1 ? .backward : .forward,
                start: .milliseconds(100), stop: .seconds(2), bitsPerSecond: 3e6)
        }
        var network = try network(
            Array(options[..<3]), shared: Array(options[3...]), routes: [[0], [1, 0], []],
            cross: cross, seed: seed, capacity: 500)
        var buffer = [UInt8](repeating: 0, count: 2048)
        var faults = 0
        var last = Instant.zero
        func drain(_ network: inout Network, _ now: Instant) {
            buffer.withUnsafeMutableBytes { room in
                while let arrival = network.popArrival(now: now, into: room) {
                    if arrival.time < last || arrival.time > now { faults += 1 }
                    last = arrival.time
                    if arrival.count != arrival.bytes { faults += 1 }
                    let sound = (0..<arrival.count).allSatisfy {
                        room[$0] == UInt8(truncatingIfNeeded: arrival.path + arrival.count)
                    }
                    if !arrival.isCorrupted, !sound { faults += 1 }
                    if network.imbalance != nil { faults += 1 }
                }
            }
        }
        var now = Instant.zero
        for _ in 0..<1500 {
            now += TimeDelta(nanoseconds: Int64(random.next() % 2_000_000))
            let next = network.nextArrival(before: now)
            drain(&network, min(next, now))
            drain(&network, now)
            let path = Int(random.next() % 3)
            let count = Int(random.next() % 1473)
            let byte = UInt8(truncatingIfNeeded: path + count)
            send(
                &network, [UInt8](repeating: byte, count: count), path: path,
                random.next() % 2 == 0 ? .forward : .backward, at: now)
            #expect(network.imbalance == nil, "\(options)")
        }
        drain(&network, at(10_000))
        #expect(faults == 0, "\(options)")
        #expect(network.storedCount == 0 && network.imbalance == nil)
        #expect(network.flows.allSatisfy { $0.sent.packets > 0 })
    }

    /// A connection whose two paths lead into one line gets that line and not twice as much.
    @Test func aConnectionOverOneLine() throws {
        var world = try World(
            network: NetworkSpecification(
                links: try ["rate=100,delay=2", "rate=100,delay=4"].map {
                    try LinkSpecification(parsing: $0)
                }, bottlenecks: [try LinkSpecification(parsing: "rate=20,delay=8,queue=100000b")],
                routes: [[0], [0]]),
            settings: WorldSettings(), application: BulkTransfer(total: nil, seed: 1), seed: 1)
        world.run(for: .seconds(10))
        let megabits = world.application.rate(from: .seconds(2), to: .seconds(10)) / 1e6
        #expect(megabits > 17.5 && megabits < 20, "\(megabits)")
        #expect(world.stall == nil && !world.application.isCorrupt)
        #expect(world.links.allSatisfy { $0.forward.counters.delivered.bytes > 0 })
    }

    /// The emulator's clients get their own datagrams through a shared link that damages and copies.
    @Test func emulatedSharedLink() throws {
        var core = EmulatorCore(
            network: NetworkSpecification(
                links: try ["delay=1,duplicate=0.3,corrupt=0.3", "delay=1"].map {
                    try LinkSpecification(parsing: $0)
                }, bottlenecks: [try LinkSpecification(parsing: "rate=50,delay=2,corrupt=0.2")],
                routes: [[0], [0]]),
            seed: 3, origin: .zero)
        var seen = 0
        var wrong = 0
        var buffer = [UInt8](repeating: 0, count: 2048)
        for step in 0..<2000 {
            let now = at(Double(step) * 0.001)
            let path = step % 2
            [UInt8](repeating: UInt8(path), count: 100).withUnsafeBytes {
                _ = core.handleFromClient(
                    path: path, address: .loopback(port: UInt16(1000 + path)), datagram: $0,
                    now: now)
            }
            while let delivery = buffer.withUnsafeMutableBytes({
                core.pollDelivery(now: now, into: $0)
            }) {
                seen += 1
                if delivery.address != .loopback(port: UInt16(1000 + delivery.path)) { wrong += 1 }
                if !delivery.isCorrupted, buffer[0] != UInt8(delivery.path) { wrong += 1 }
            }
        }
        #expect(seen > 2200 && wrong == 0 && core.stale == 0 && core.unstored == 0)
    }
}
