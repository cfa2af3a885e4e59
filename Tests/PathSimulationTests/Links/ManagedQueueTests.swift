import PathTelemetry
import PathTransport
import Testing

@testable import PathSimulation

/// CoDel, FQ-CoDel, marks and policers do what their documents say.
@Suite struct ManagedQueueTests {
    private func network(_ options: String, _ cross: [CrossTraffic]) throws -> Network {
        Network(
            NetworkSpecification(links: [try LinkSpecification(parsing: options)], cross: cross),
            seed: 1)
    }

    private func flow(_ kind: CrossTraffic.Kind, _ name: String = "x") -> CrossTraffic {
        CrossTraffic(name: name, kind: kind, hop: 0, roundTrip: .milliseconds(40))
    }

    private func run(_ network: inout Network, _ seconds: Int64) {
        _ = network.nextArrival(before: .zero + .seconds(seconds))
    }

    /// The drops of RFC 8289's pseudocode, by hand: one packet of 1,000 bytes waits 20 ms at every
    /// dequeue, which is once a millisecond.
    @Test func controlLaw() {
        var control = CoDel(QueueDiscipline.CoDelSettings())
        var ring = PacketRing()
        var dropped: [QueuedPacket] = []
        var times: [Int64] = []
        for step in Int64(0)..<600 {
            let now = step * 1_000_000 + 1_000_000_000
            while ring.count < 20 {
                ring.append(QueuedPacket(size: 1000, arrival: now - 20_000_000))
            }
            _ = control.dequeue(from: &ring, at: now, dropped: &dropped)
            for _ in dropped { times.append(step) }
            dropped = []
        }
        // First above at 0, dropping from 100 ms on; then 100, 70.7, 57.7, 50, ... ms apart.
        #expect(times == [100, 200, 271, 329, 379, 424, 464, 502, 538, 571])
    }

    /// A short queue, a short wait or a pause leave it alone.
    @Test func leavesShortQueuesAlone() {
        var control = CoDel(QueueDiscipline.CoDelSettings())
        var ring = PacketRing()
        var dropped: [QueuedPacket] = []
        for step in Int64(0)..<2000 {
            let now = step * 1_000_000 + 1_000_000_000
            let isShort = step % 90 == 0
            while ring.count < 3 {
                ring.append(QueuedPacket(size: 1000, arrival: now - (isShort ? 1 : 20) * 1_000_000))
            }
            if isShort { while ring.popFirst() != nil {} }
            _ = control.dequeue(from: &ring, at: now, dropped: &dropped)
        }
        #expect(dropped.isEmpty)
    }

    /// A CUBIC flow with a queue of a megabyte: without management it waits 400 ms, with CoDel some
    /// milliseconds, and the link stays full.
    @Test func coDelKeepsTheQueueShort() throws {
        func mean(_ options: String) throws -> (queue: Double, megabits: Double) {
            var network = try network(options, [flow(.cubic)])
            run(&network, 10)
            let before = network.flows[0].delivered.bytes
            var sum = 0.0
            for step in Int64(1)...2000 {
                _ = network.nextArrival(before: .zero + .seconds(10) + .milliseconds(step * 10))
                sum += Double(network.links[0].forward.counters.queued.bytes)
            }
            #expect(network.imbalance == nil)
            let bytes = network.flows[0].delivered.bytes - before
            return (sum / 2000, Double(bytes) * 8 / 20 / 1e6)
        }
        let plain = try mean("rate=20,delay=10,queue=1000000b")
        let managed = try mean("rate=20,delay=10,aqm=codel")
        let fair = try mean("rate=20,delay=10,aqm=fq-codel,queue=1000000b")
        #expect(plain.queue > 600_000 && plain.megabits > 19.9)
        #expect(managed.queue < 45_000 && managed.megabits > 18.5, "\(managed)")
        #expect(fair.queue < 45_000 && fair.megabits > 18.5, "\(fair)")
    }

    /// With a queue for each flow a flood of datagrams takes its half and no more, and a slow flow
    /// waits for nobody.
    @Test func flowsShareEvenly() throws {
        var flood = flow(.udp, "flood")
        flood.bitsPerSecond = 60e6
        var call = flow(.udp, "call")
        call.bitsPerSecond = 80_000
        call.packetBytes = 200
        func run(_ options: String) throws -> [Double] {
            var network = try network(options, [flood, flow(.cubic), call])
            self.run(&network, 5)
            let before = network.flows.map(\.delivered.bytes)
            self.run(&network, 25)
            #expect(network.imbalance == nil)
            return zip(network.flows, before).map {
                Double($0.delivered.bytes - $1) * 8 / 20 / 1e6
            }
        }
        let plain = try run("rate=20,delay=10,queue=100000b")
        let fair = try run("rate=20,delay=10,aqm=fq-codel")
        #expect(plain[1] < 1, "\(plain)")
        #expect(abs(fair[0] - fair[1]) < 1.5 && fair[0] + fair[1] > 19, "\(fair)")
        #expect(abs(fair[2] - 0.08) < 0.001, "\(fair)")
    }

    /// Packets that can carry a mark are marked and not dropped, and CUBIC yields to marks.
    @Test func marks() throws {
        var capable = flow(.cubic)
        capable.isCapable = true
        var network = try network("rate=20,delay=10,aqm=codel", [capable])
        run(&network, 30)
        let link = network.links[0].forward.counters
        #expect(link.marked.packets > 20 && link.dropped.packets == 0)
        #expect(network.flows[0].delivered.bytes > 30 * 2_300_000)
        #expect(link.queued.bytes < 100_000)
    }

    /// A limit of packets in FQ-CoDel drops from the longest flow.
    @Test func overflowHitsTheLongest() throws {
        var flood = flow(.udp, "flood")
        flood.bitsPerSecond = 500e6
        var call = flow(.udp, "call")
        call.bitsPerSecond = 1e6
        var network = try network("rate=20,delay=10,aqm=fq-codel,queue=50p", [flood, call])
        run(&network, 5)
        let call1 = network.flows[1]
        #expect(call1.sent.packets - call1.delivered.packets < 5)
        let link = network.links[0].forward.counters
        #expect(link.droppedQueue.packets > 100_000 && link.queued.packets <= 51)
        #expect(network.imbalance == nil)
    }

    /// A policer passes its rate and a burst, and delays nothing.
    @Test func policer() throws {
        var link = try link("delay=5,police=8:10000")
        var passed = 0
        for token in 0..<10_000 {
            let now = at(Double(token) * 0.0005)
            while let delivery = link.popDelivery(now: now) {
                #expect(delivery.time - at(Double(delivery.token) * 0.0005) == .milliseconds(5))
            }
            switch link.handleSend(bytes: 972, token: token, now: now) {
            case .accepted: passed += 1
            case .dropped(let reason): #expect(reason == .policed && token >= 10)
            }
        }
        // 8 Mbit/s are 1,000 packets a second, for 5 s, and the burst of ten.
        #expect(abs(passed - 5010) <= 1, "\(passed)")
        #expect(link.counters.droppedPolicer.packets == 10_000 - passed)
    }

    /// A managed queue with a rate of steps, a trace or none serves like a plain one while it drops
    /// nothing.
    @Test(arguments: ["rate=20,rate@0.5=5,delay=3", "rate=0,delay=3", "rate=8,loss=0.1,jitter=2"])
    func servesLikeAPlainOne(_ options: String) throws {
        func arrivals(_ options: String) throws -> [Link.Delivery] {
            Run(try link(options), payload: 900, interval: 0.0012, until: 0.5).deliveries
        }
        #expect(
            try arrivals(options + ",queue=10000p")
                == arrivals(options + ",aqm=codel:5000:6000,queue=10000p"))
    }

    /// Datagrams of a path that the management drops free their memory, and copies keep theirs.
    @Test func memory() throws {
        var network = Network(
            NetworkSpecification(
                links: [try LinkSpecification(parsing: "rate=5,aqm=codel,duplicate=0.3,loss=0.1")]),
            seed: 1, capacity: 2000)
        var buffer = [UInt8](repeating: 0, count: 2048)
        var seen = 0
        let packet = [UInt8](repeating: 1, count: 1000)
        for step in 0..<5000 {
            let now = at(Double(step) * 0.0012)
            while buffer.withUnsafeMutableBytes({ network.popArrival(now: now, into: $0) }) != nil {
                seen += 1
            }
            let sent = packet.withUnsafeBytes {
                network.send($0, path: 0, direction: .forward, now: now)
            }
            #expect(sent == .offered)
        }
        while let arrival = buffer.withUnsafeMutableBytes({
            network.popArrival(now: at(100), into: $0)
        }) {
            seen += 1
            #expect(arrival.count == 1000)
        }
        let link = network.links[0].forward.counters
        #expect(link.droppedManaged.packets > 100 && link.duplicated.packets > 100)
        #expect(seen == link.delivered.packets && network.storedCount == 0)
        #expect(network.imbalance == nil)
    }
}
