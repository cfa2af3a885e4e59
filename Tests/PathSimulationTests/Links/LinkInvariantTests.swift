import Testing

@testable import PathSimulation
@testable import PathTelemetry
@testable import PathTransport

@Suite struct LinkInvariantTests {
    /// Draws the options of a link, any of them.
    static func randomOptions(_ random: inout SeededGenerator) -> String {
        func pick(_ choices: String...) -> String {
            choices[Int(random.next() % UInt64(choices.count))]
        }
        return [
            pick("rate=0", "rate=5", "rate=20", "rate=20,rate@0.5=1,rate@1=40", "rate=1000"),
            pick("delay=0", "delay=10", "rtt=70"),
            pick("jitter=0", "jitter=20", "jitter=normal:8"),
            pick("reorder=0", "reorder=1"),
            pick("queue=3000b", "queue=150000b", "queue=5p", "queue=0p", "queue=0b"),
            pick("loss=0", "loss=0.1", "ge=0.02:0.3", "ge=0.1:0.5:0.01:0.9,loss=0.01"),
            pick("down=100-101", "down=0.5-0.8", "down=0.1-0.2/0.5;0.3-0.32"),
            pick("duplicate=0", "duplicate=0.2"),
            pick("corrupt=0", "corrupt=0.3"),
            pick("mtu=1500", "mtu=1000"),
            pick("aggregate=0", "aggregate=0", "aggregate=7"),
            pick("police=1000", "police=3:4000"),
        ].joined(separator: ",")
            + pick(
                "", "", ",netem=1", ",netem=1,queue=20p", ",aqm=codel",
                ",aqm=fq-codel:1:20,queue=20p")
    }

    /// Nothing vanishes: in packets and in bytes, after every call.
    @Test(arguments: 1...60) func conservation(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let options = LinkInvariantTests.randomOptions(&random)
        var link = try link(options, seed: seed)
        var now = Instant.zero
        var pending: [Int: Int] = [:]
        var sent = 0
        var violations = 0
        func check() {
            let c = link.counters
            let isConserved =
                c.sent + c.duplicated == c.delivered + c.dropped + c.queued + c.inFlight
            let isPositive =
                min(
                    c.queued.packets, c.inFlight.packets, c.queued.bytes, c.inFlight.bytes) >= 0
            if !isConserved || !isPositive { violations += 1 }
        }
        /// Fates of a managed queue are known later.
        func settle() {
            while let (token, result) = link.popSettlement() {
                if case .accepted(let copies) = result {
                    pending[token] = (pending[token] ?? 0) + copies - 1
                } else {
                    pending[token] = (pending[token] ?? 0) - 1
                }
            }
        }
        func take(_ limit: Instant) {
            link.advance(to: limit)
            settle()
            while let delivery = link.popDelivery(now: limit) {
                check()
                settle()
                let left = pending[delivery.token] ?? 0
                if left <= 0 || delivery.time > limit { violations += 1 }
                pending[delivery.token] = left - 1
            }
        }
        for index in 0..<1500 {
            now += TimeDelta(nanoseconds: Int64(random.next() % 2_000_000))
            if random.next() % 4 != 0 { take(now) }
            switch link.handleSend(bytes: Int(random.next() % 1600), token: index, now: now) {
            case .accepted(let copies):
                if copies != 1, copies != 2 { violations += 1 }
                pending[index] = copies
            case .dropped: pending[index] = 0
            }
            sent += 1
            check()
        }
        take(.distantFuture)
        settle()
        #expect(violations == 0, "\(options)")
        #expect(pending.values.allSatisfy { $0 == 0 }, "announced copies arrive: \(options)")
        #expect(link.counters.sent.packets == sent)
        #expect(link.counters.queued == LinkCounters.Volume())
        #expect(link.counters.inFlight == LinkCounters.Volume())
        #expect(link.nextDelivery == nil)
    }

    /// A link's announced next delivery is exact.
    @Test(arguments: 1...20) func nextDeliveryIsExact(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let options = LinkInvariantTests.randomOptions(&random)
        var link = try link(options, seed: seed)
        for index in 0..<200 {
            _ = link.handleSend(bytes: 700, token: index, now: .zero)
        }
        var last = Instant.zero
        // In a managed queue it depends on what comes later.
        if link.settlesLater { return }
        while let next = link.nextDelivery {
            if next > last {
                #expect(link.popDelivery(now: next - TimeDelta(nanoseconds: 1)) == nil)
            }
            let popped = link.popDelivery(now: next)
            let delivery = try #require(popped)
            #expect(delivery.time == next)
            #expect(delivery.time >= last)
            last = next
        }
    }

    @Test(arguments: 1...20) func orderIsKeptUnlessReordering(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let options = LinkInvariantTests.randomOptions(&random)
            .replacing("reorder=1", with: "reorder=0").replacing(",netem=1", with: "")
        let run = Run(try link(options, seed: seed), payload: 500, interval: 0.0003, until: 1)
        #expect(zip(run.deliveries, run.deliveries.dropFirst()).allSatisfy { $0.token <= $1.token })
    }

    private static let everything =
        "rate=30,delay=20,jitter=15,reorder=1,ge=0.01:0.3,loss=0.01,duplicate=0.02,corrupt=0.02,"
        + "down=1-1.2"

    private func logHash(seed: UInt64, path: Int, _ direction: LinkDirection) throws -> LogHash {
        let link = try link(
            LinkInvariantTests.everything, seed: seed, path: path, direction: direction)
        let run = Run(link, interval: 0.0003, until: 2)
        var hash = LogHash()
        for delivery in run.deliveries {
            hash.add(UInt64(delivery.token))
            hash.add(UInt64(delivery.time.nanoseconds))
            hash.add(delivery.damage?.seed ?? 0)
            hash.add(delivery.isDuplicate ? 1 : 0)
        }
        return hash
    }

    @Test func sameSeedSameBytes() throws {
        let first = try logHash(seed: 1, path: 0, .forward)
        #expect(try logHash(seed: 1, path: 0, .forward) == first)
        #expect(try logHash(seed: 2, path: 0, .forward) != first)
        #expect(try logHash(seed: 1, path: 1, .forward) != first)
        #expect(try logHash(seed: 1, path: 0, .backward) != first)
    }

    /// The packet of one number meets the same fate whenever and however large it is sent.
    @Test func lossDependsOnTheCountOfPacketsOnly() throws {
        func lost(_ options: String, interval: Double, payload: Int) throws -> [Int] {
            var link = try link(options)
            return (0..<20_000).filter { index in
                link.handleSend(bytes: payload, token: index, now: at(Double(index) * interval))
                    == .dropped(.loss)
            }
        }
        let options = "rate=100,ge=0.0051:0.25,loss=0.001"
        let reference = try lost(options, interval: 0.001, payload: 1000)
        #expect(reference.count > 200)
        #expect(try lost(options, interval: 0.01, payload: 100) == reference)
        #expect(
            try lost(options + ",delay=50,duplicate=0.5,corrupt=0.5", interval: 0.002, payload: 1)
                == reference)
    }

    @Test func duplicationAndCorruptionShares() throws {
        let run = Run(
            try link("duplicate=0.1,corrupt=0.05,delay=5,jitter=5"), interval: 1e-4, until: 4)
        let counters = run.link.counters
        #expect(abs(Double(counters.duplicated.packets) / 40_000 - 0.1) < 0.006)
        #expect(
            abs(Double(counters.corrupted.packets) / Double(counters.delivered.packets) - 0.05)
                < 0.004)
        #expect(run.deliveries.filter(\.isDuplicate).count == counters.duplicated.packets)
        #expect(run.deliveries.count == counters.delivered.packets)
        let seeds = Set(run.deliveries.compactMap { $0.damage?.seed })
        #expect(seeds.count == counters.corrupted.packets)
    }

    @Test func largePacketsAreDiscarded() throws {
        var link = try link("mtu=1400")
        #expect(link.handleSend(bytes: 1372, token: 0, now: .zero) == .accepted(copies: 1))
        #expect(link.handleSend(bytes: 1373, token: 1, now: .zero) == .dropped(.size))
        #expect(link.handleSend(bytes: .max, token: 1, now: .zero) == .dropped(.size))
        #expect(link.handleSend(bytes: -5, token: 2, now: .zero) == .accepted(copies: 1))
        #expect(link.counters.droppedSize.packets == 2)
        let parameters = link.parameters
        var six = Link(
            parameters, seed: 1, path: 0, direction: .forward,
            overhead: SocketAddress.Family.ipv6.headerBytes)
        #expect(six.handleSend(bytes: 1353, token: 1, now: .zero) == .dropped(.size))
        #expect(six.handleSend(bytes: 1352, token: 1, now: .zero) == .accepted(copies: 1))
    }

    /// Times at the ends of the range and parameters set past the parser do not trap.
    @Test func absurdInputsAreHarmless() throws {
        var wild = LinkParameters()
        wild.rateMegabits = 1e-300
        wild.delayMilliseconds = .infinity
        wild.jitter = .normal(deviation: 1e300)
        wild.loss = .nan
        wild.intake.queue = .bytes(.max)
        wild.outages = [LinkParameters.Outage(start: .zero, end: TimeDelta(nanoseconds: 5))]
        var traced = LinkParameters()
        traced.trace = CapacityTrace(milliseconds: [0, .max])
        traced.intake.queue = .packets(1000)
        var both = traced
        both.isNetem = true
        for parameters in [wild, traced, both, LinkParameters()] {
            for origin in [Instant.zero, Instant(nanoseconds: .min), .distantFuture] {
                var link = Link(
                    parameters, seed: 1, path: -7, direction: .forward, origin: origin,
                    overhead: .max)
                for time in [Instant.zero, Instant(nanoseconds: .min), .distantFuture, .zero] {
                    for token in 0..<300 {
                        _ = link.handleSend(bytes: 400, token: token, now: time)
                    }
                    while link.popDelivery(now: time) != nil {}
                }
                let c = link.counters
                #expect(c.sent.packets == 1200)
                #expect(c.sent == c.delivered + c.dropped + c.queued + c.inFlight)
            }
        }
    }
}
