import PathTelemetry
import PathTransport
import Testing

@testable import PathSimulation

/// Flows of others use links as such flows do, and leave when they said.
@Suite struct CrossTrafficTests {
    private func network(_ options: String, _ cross: [CrossTraffic], seed: UInt64 = 1) throws
        -> Network
    {
        Network(
            NetworkSpecification(links: [try LinkSpecification(parsing: options)], cross: cross),
            seed: seed)
    }

    /// Megabits per second of IP bytes that each flow got through between two times.
    private func megabits(
        _ network: inout Network, from start: Int64, to end: Int64
    ) -> [Double] {
        _ = network.nextArrival(before: .zero + .seconds(start))
        let before = network.flows.map(\.delivered.bytes)
        _ = network.nextArrival(before: .zero + .seconds(end))
        #expect(network.imbalance == nil)
        return zip(network.flows, before).map {
            Double($0.delivered.bytes - $1) * 8 / Double(end - start) / 1e6
        }
    }

    private func flow(
        _ kind: CrossTraffic.Kind, _ name: String = "x", rtt: Int64 = 20
    ) -> CrossTraffic {
        CrossTraffic(name: name, kind: kind, hop: 0, roundTrip: .milliseconds(rtt))
    }

    /// Two equal CUBIC flows each get half of a link within a tenth, and fill it.
    @Test(
        arguments: [
            ("rate=20,delay=10,queue=100000b", 20), ("rate=50,delay=20,queue=250000b", 20),
            ("rate=8,delay=5,queue=40p", 40),
        ] as [(String, Double)])
    func twoCubicFlowsShare(_ options: String, _ rtt: Double) throws {
        let rate = try LinkSpecification(parsing: options).forward.rateMegabits
        var network = try network(
            options, [flow(.cubic, "a", rtt: Int64(rtt)), flow(.cubic, "b", rtt: Int64(rtt))])
        let got = megabits(&network, from: 20, to: 620)
        let sum = got[0] + got[1]
        #expect(sum > 0.97 * rate && sum < 1.001 * rate, "\(got)")
        #expect(abs(got[0] - got[1]) < 0.1 * sum, "\(got)")
    }

    /// A second flow that comes later gets its half within half a minute, and gives it back.
    @Test func comesAndGoes() throws {
        var second = flow(.cubic, "b")
        second.start = .seconds(30)
        second.stop = .seconds(120)
        var network = try network("rate=20,delay=10,queue=100000b", [flow(.cubic, "a"), second])
        #expect(megabits(&network, from: 5, to: 30)[1] == 0)
        let both = megabits(&network, from: 60, to: 120)
        #expect(abs(both[0] - both[1]) < 5 && both[0] + both[1] > 19, "\(both)")
        let alone = megabits(&network, from: 130, to: 160)
        #expect(alone[0] > 19 && alone[1] == 0, "\(alone)")
    }

    /// With random loss CUBIC has the window of RFC 9438, section 5.1, or that of Reno (RFC 3649: 1.22
    /// over the root of the loss), whichever is larger.
    @Test(arguments: [(0.01, 12.2), (0.0001, 187.0)])
    func windowByLoss(_ loss: Double, _ packets: Double) throws {
        var network = try network("delay=50,loss=\(loss)", [flow(.cubic, rtt: 50)], seed: 3)
        let expected = packets * 1500 * 8 / 0.1 / 1e6
        let got = megabits(&network, from: 60, to: 1060)[0]
        #expect(got > 0.7 * expected && got < 1.3 * expected, "\(got) of \(expected)")
    }

    /// BBR alone fills a link with a deep queue and keeps the queue far from full.
    @Test func modelFillsAndKeepsShort() throws {
        var network = try network("rate=20,delay=20,queue=1000000b", [flow(.bbr)])
        let start = megabits(&network, from: 2, to: 10)[0]
        let before = network.links[0].forward.counters.maximumQueueBytes
        let got = megabits(&network, from: 10, to: 40)[0]
        #expect(start > 17 && got > 18.5, "\(start) \(got)")
        // Two products of 150 kB in flight at most, of which one is on the way.
        #expect(before < 450_000, "\(before)")
        #expect(network.links[0].forward.counters.droppedQueue.packets == 0)
    }

    /// BBR does not take random loss as a sign of congestion; CUBIC does.
    @Test func lossAndModel() throws {
        let options = "rate=20,delay=20,queue=200000b,loss=0.02"
        var model = try network(options, [flow(.bbr)])
        var cubic = try network(options, [flow(.cubic)])
        #expect(megabits(&model, from: 5, to: 30)[0] > 16)
        #expect(megabits(&cubic, from: 5, to: 30)[0] < 4)
    }

    /// Both live beside each other; neither starves.
    @Test func modelBesideCubic() throws {
        var network = try network("rate=20,delay=20,queue=150000b", [flow(.bbr), flow(.cubic)])
        let got = megabits(&network, from: 20, to: 120)
        #expect(got[0] + got[1] > 18.5 && min(got[0], got[1]) > 1.5, "\(got)")
    }

    /// An outage of five seconds ends in a time-out, after which the flow fills the link again.
    @Test(arguments: [CrossTraffic.Kind.cubic, .bbr]) func outage(_ kind: CrossTraffic.Kind) throws
    {
        var network = try network("rate=20,delay=10,queue=100000b,down=10-15", [flow(kind)])
        #expect(megabits(&network, from: 11, to: 15)[0] == 0)
        #expect(megabits(&network, from: 25, to: 40)[0] > 17)
    }

    /// Reordering by jitter costs CUBIC something, and is no loss for long.
    @Test func reordering() throws {
        var network = try network(
            "rate=20,delay=20,queue=200000b,jitter=normal:3,reorder=1", [flow(.cubic)])
        #expect(megabits(&network, from: 10, to: 60)[0] > 12)
    }

    /// The rate of UDP is exact; on and off times follow from the seed, whoever else sends.
    @Test func datagramsAtAFixedRate() throws {
        var udp = flow(.udp)
        udp.bitsPerSecond = 4e6
        udp.packetBytes = 1000
        var steady = try network("rate=20", [udp])
        #expect(abs(megabits(&steady, from: 1, to: 11)[0] - 4) < 0.01)
        udp.pattern = CrossTraffic.Pattern(on: .seconds(1), off: .seconds(3))
        var alone = try network("rate=20,queue=10000000b", [udp], seed: 5)
        var beside = try network("rate=20,queue=10000000b", [udp, flow(.cubic)], seed: 5)
        var other = try network("rate=20,queue=10000000b", [udp], seed: 6)
        var sent: [[Int]] = []
        for second in Int64(1)...400 {
            _ = alone.nextArrival(before: .zero + .seconds(second))
            _ = beside.nextArrival(before: .zero + .seconds(second))
            _ = other.nextArrival(before: .zero + .seconds(second))
            sent.append([alone, beside, other].map { $0.flows[0].sent.packets })
        }
        #expect(sent.allSatisfy { $0[0] == $0[1] })
        #expect(sent.contains { $0[0] != $0[2] })
        // A quarter of the time.
        let mean = Double(sent[399][0]) * 8000 / 400 / 1e6
        #expect(mean > 0.7 && mean < 1.3, "\(mean)")
    }

    /// The same seed gives the same run.
    @Test func repeats() throws {
        func run(_ seed: UInt64) throws -> [CrossFlow.Counters] {
            var network = try network(
                "rate=20,delay=10,queue=60000b,jitter=3,loss=0.001",
                [flow(.cubic), flow(.bbr), flow(.udp)], seed: seed)
            _ = network.nextArrival(before: .zero + .seconds(20))
            return network.flows
        }
        #expect(try run(4) == run(4))
        #expect(try run(4) != run(5))
    }

    /// A connection with CUBIC and a flow of others share a link fairly.
    @Test func besideAConnection() throws {
        var settings = WorldSettings()
        settings.client.congestion = .cubic
        var world = try World(
            network: NetworkSpecification(
                links: [try LinkSpecification(parsing: "rate=20,delay=10,queue=100000b")],
                cross: [flow(.cubic)]),
            settings: settings, application: BulkTransfer(total: nil, seed: 1), seed: 1)
        world.run(for: .seconds(100))
        #expect(world.stall == nil)
        let all = world.links[0].forward.counters.delivered.bytes
        let others = world.network.flows[0].delivered.bytes
        // Its bytes are its own.
        let offered = world.offeredBytes[0]
        let sent = world.links[0]
        #expect(offered > all - others)
        #expect(
            offered + world.network.flows[0].sent.bytes
                == sent.forward.counters.sent.bytes + sent.backward.counters.sent.bytes)
        let share = Double(all - others) / Double(all)
        #expect(share > 0.35 && share < 0.65, "\(share)")
        #expect(Double(all) * 8 / 100 / 1e6 > 19)
    }
}
