import PathTelemetry
import PathTransport
import Testing

@testable import PathSimulation

/// Every parameter of a link can change at a known time: the queue, its management, the policer and the
/// size of packets too.
@Suite struct LinkChangeTests {
    private func link(_ begins: String, _ changes: [(Double, String)], seed: UInt64 = 1) throws
        -> LinkSpecification
    {
        var link = try LinkSpecification(parsing: begins)
        var next = link
        for (time, options) in changes {
            try next.set(options: options)
            try next.check()
            link.change(to: next, at: TimeDelta(seconds: time))
        }
        link.drawByTime()
        return link
    }

    private func forward(_ begins: String, _ changes: [(Double, String)]) throws -> Link {
        Link(try link(begins, changes).forward, seed: 1, path: 0, direction: .forward)
    }

    /// Of a burst of 200 packets one is served, and as many wait as the limit of that time allows.
    @Test func limits() throws {
        var link = try forward(
            "rate=10,queue=10p", [(1, "queue=100p"), (2, "queue=15000b"), (3, "queue=0p")])
        for (time, most) in [(0.5, 11), (1.5, 101), (2.5, 11), (3.5, 1)] {
            while link.popDelivery(now: at(time)) != nil {}
            var accepted = 0
            for token in 0..<200 {
                let result = link.handleSend(bytes: 1472, token: token, now: at(time))
                if result == .accepted(copies: 1) { accepted += 1 }
            }
            #expect(accepted == most, "at \(time) s")
        }
    }

    /// 40 Mbit/s are offered; a second with a policer lets its rate and one burst through.
    @Test func policers() throws {
        let run = Run(
            try forward(
                "rate=0", [(1, "police=10:15000"), (2, "police=20:30000"), (3, "police=none")]),
            interval: 1500 * 8 / 40e6, until: 4)
        for (second, megabits) in [40, 10.12, 20, 40].enumerated() {
            // Packets have no delay: those of the first moment belong to the second before.
            let start = Double(second) - 1e-6
            let got = run.megabits(from: start, to: start + 1)
            #expect(abs(got - megabits) < 0.05, "\(second): \(got)")
        }
    }

    @Test func sizes() throws {
        let specification = try link("rate=0,mtu=1300", [(1, "mtu=1500"), (2, "mtu=600")])
        var link = Link(specification.forward, seed: 1, path: 0, direction: .forward)
        for (time, most) in [(0.5, 1300), (1, 1500), (2.5, 600)] {
            let fits = link.handleSend(bytes: most - 28, token: 0, now: at(time))
            let exceeds = link.handleSend(bytes: most - 27, token: 1, now: at(time))
            #expect(fits == .accepted(copies: 1) && exceeds == .dropped(.size), "at \(time) s")
        }
        #expect(NetworkSpecification(links: [specification]).maximumPacket(of: 0) == 1500)
    }

    /// A CUBIC flow: the queue of a megabyte is full, short while CoDel or FQ-CoDel manage it, and full
    /// again; nothing vanishes at the changes.
    @Test func managements() throws {
        let specification = try link(
            "rate=20,delay=10,queue=1000000b",
            [
                (10, "aqm=codel,queue=1000000b"), (20, "aqm=fq-codel,queue=1000000b"),
                (30, "aqm=drop-tail"),
            ])
        let flow = CrossTraffic(name: "x", kind: .cubic, hop: 0, roundTrip: .milliseconds(40))
        var network = Network(
            NetworkSpecification(links: [specification], cross: [flow]), seed: 1)
        var means: [Double] = []
        for second in Int64(0)..<50 {
            var sum = 0.0
            for step in Int64(1)...100 {
                let now = at(Double(second)) + .milliseconds(step * 10)
                _ = network.nextArrival(before: now)
                #expect(network.imbalance == nil)
                sum += Double(network.links[0].forward.counters.queued.bytes)
            }
            means.append(sum / 100)
        }
        func mean(_ seconds: Range<Int>) -> Double {
            means[seconds].reduce(0, +) / Double(seconds.count)
        }
        #expect(mean(5..<10) > 500_000 && mean(45..<50) > 500_000, "\(means)")
        #expect(mean(15..<20) < 60_000 && mean(25..<30) < 60_000, "\(means)")
        let delivered = network.flows[0].delivered.bytes
        #expect(Double(delivered) * 8 / 50 / 1e6 > 18.5)
    }

    /// 30 packets wait, 12 ms each, of two flows.
    ///
    /// What was taken by turns leaves in the order of
    /// arrival once the management ends, one behind the other, and the other way round.
    @Test func waitingPacketsStay() throws {
        for (begins, change) in [
            ("aqm=fq-codel:5000:5000", "aqm=drop-tail"), ("queue=1000p", "aqm=fq-codel:5000:5000"),
            ("aqm=codel:5000:5000", "aqm=fq-codel:5000:5000,queue=5p"),
        ] {
            var link = try forward("rate=1,\(begins)", [(0.05, change)])
            for token in 0..<30 {
                let result = link.handleSend(
                    bytes: 1472, token: token, flow: token < 20 ? 0 : 1, isCapable: false,
                    now: at(0))
                #expect(result == .accepted(copies: 1))
            }
            var arrivals: [(token: Int, milliseconds: Int64)] = []
            while link.nextDue < .max {
                let now = Instant(nanoseconds: link.nextDue)
                link.advance(to: now)
                while let delivery = link.popDelivery(now: now) {
                    arrivals.append((delivery.token, delivery.time.nanoseconds / 1_000_000))
                }
                #expect(link.popSettlement() == nil)
            }
            #expect(arrivals.map(\.milliseconds) == (1...30).map { Int64($0) * 12 }, "\(change)")
            #expect(Set(arrivals.map(\.token)) == Set(0..<30), "\(change)")
            // From the sixth on they were taken after the change.
            if change == "aqm=drop-tail" {
                let rest = arrivals.map(\.token)[5...]
                #expect(rest.elementsEqual(rest.sorted()), "\(arrivals)")
            }
            let counters = link.counters
            #expect(counters.delivered.packets == 30 && counters.queued.packets == 0)
            #expect(counters.inFlight.packets == 0)
        }
    }

    /// More changes than a text of options could have once, at the end of a long list too.
    @Test func thousands() throws {
        var parameters = try LinkSpecification(parsing: "rate=0,delay=9,police=1000")
        for step in 1...5000 {
            var next = try LinkSpecification(parsing: "rate=0,police=1000")
            next.forward.delayMilliseconds = Double(step % 7)
            next.forward.intake.maximumPacket = 1000 + step % 2
            parameters.change(to: next, at: .milliseconds(Int64(step)))
        }
        #expect(parameters.forward.phases.count == 5000)
        #expect(parameters.forward.intakeSteps.count == 5000)
        var link = Link(parameters.forward, seed: 1, path: 0, direction: .forward)
        for step in 1...5000 {
            let now = Instant.zero + .milliseconds(Int64(step))
            let result = link.handleSend(bytes: 973, token: step, now: now)
            #expect(result == (step % 2 == 1 ? .accepted(copies: 1) : .dropped(.size)))
        }
        var late = 0
        while let delivery = link.popDelivery(now: at(10)) {
            // Each waits for those before it.
            let alone = Instant.zero + .milliseconds(Int64(delivery.token + delivery.token % 7))
            if delivery.time < alone { late += 1 }
        }
        #expect(late == 0 && link.counters.delivered.packets == 2500)
        let options = "rate=5" + (1...200).map { ",rate@\($0)=\(1 + $0 % 9)" }.joined()
        #expect(try LinkSpecification(parsing: options).forward.rateSteps.count == 200)
    }

    /// A change of the delay, the rate or the queue leaves every draw as it is: the same packets are
    /// lost, doubled and damaged.
    @Test(arguments: ["delay=50", "rate=9", "queue=50p", "delay=50,police=500"])
    func otherDrawsStay(change: String) throws {
        func fates(_ changes: [(Double, String)]) throws -> [String] {
            var link = try forward(
                "rate=10,delay=10,loss=0.05,fading=300:60,duplicate=0.03,corrupt=0.05,aggregate=1",
                changes)
            var fates: [String] = []
            for token in 0..<20_000 {
                let now = Instant.zero + .milliseconds(Int64(token))
                // One packet a millisecond is alone in the queue and leaves at its own time.
                fates.append("\(link.handleSend(bytes: 0, token: token, now: now))")
            }
            while let delivery = link.popDelivery(now: at(100)) {
                fates[delivery.token] += delivery.damage == nil ? "" : " damaged"
            }
            return fates
        }
        let plain = try fates([])
        let changed = try fates([(5.0005, change), (7.0005, "delay=20")])
        // A packet of 28 bytes takes 22 us, or 25 with the other rate: then it is drawn at another time.
        let same = zip(plain, changed).filter { $0 == $1 }.count
        #expect(same == 20_000 || (change == "rate=9" && same > 13_000), "\(same)")
        #expect(Set(plain).count >= 4)
    }
}
