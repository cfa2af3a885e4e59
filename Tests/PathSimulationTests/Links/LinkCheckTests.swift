import Testing

@testable import PathSimulation
@testable import PathTelemetry

/// The checks of the testbed's emulator, in virtual time.
@Suite struct LinkCheckTests {
    /// Offered load: IP bytes of 1500 at this rate.
    private func interval(_ megabits: Double) -> Double { 1500 * 8 / (megabits * 1e6) }

    @Test(arguments: [(20.0, 0.020), (100.0, 0.100)])
    func roundTripIsTheDelay(_ milliseconds: Double, _ expected: Double) throws {
        let specification = try LinkSpecification(parsing: "rtt=\(milliseconds)")
        var pair = DuplexLink(specification, seed: 1, path: 0)
        #expect(pair.forward.handleSend(bytes: 56, token: 0, now: at(1)) == .accepted(copies: 1))
        let there = try #require(pair.nextDelivery)
        #expect(pair.forward.popDelivery(now: there)?.token == 0)
        #expect(pair.backward.handleSend(bytes: 56, token: 1, now: there) == .accepted(copies: 1))
        let back = try #require(pair.nextDelivery)
        #expect(abs((back - at(1)).seconds - expected) < 1e-9)
        #expect(pair.backward.popDelivery(now: at(0.5))?.token == nil)
        #expect(pair.backward.popDelivery(now: back)?.token == 1)
    }

    @Test func overloadedRateIsExact() throws {
        let run = Run(try link("rate=50,rtt=20"), interval: interval(70), until: 5)
        #expect(abs(run.megabits(from: 0.5, to: 4.5) - 50.00) < 0.01)
        #expect(run.link.counters.droppedQueue.packets > 0)
        #expect(run.link.counters.maximumQueueBytes == 151_500)
    }

    @Test func lossTakesItsShareOfTheRate() throws {
        let run = Run(try link("rate=10,loss=0.01"), interval: interval(14), until: 40)
        #expect(abs(run.megabits(from: 1, to: 39) - 9.90) < 0.03)
    }

    @Test func rateAndConstantTraceAgree() throws {
        let constant = try #require(CapacityTrace(milliseconds: Array(1...1000)))
        #expect(abs(constant.meanMegabits - 12) < 1e-9)
        var parameters = LinkParameters()
        parameters.trace = constant
        let traced = Link(parameters, seed: 1, path: 0, direction: .forward)
        let tracedRun = Run(traced, interval: interval(20), until: 5)
        let ratedRun = Run(try link("rate=12"), interval: interval(20), until: 5)
        #expect(abs(tracedRun.megabits(from: 1, to: 4) - 12.00) < 0.02)
        #expect(abs(ratedRun.megabits(from: 1, to: 4) - 12.00) < 0.02)
    }

    /// A trace carries bytes, not packets: small packets share an opportunity, a large one
    /// waits for enough of them.
    @Test(arguments: [72, 222, 472, 722, 1472])
    func traceCountsBytes(_ payload: Int) throws {
        var parameters = LinkParameters()
        parameters.trace = CapacityTrace(milliseconds: Array(1...100))
        let run = Run(
            Link(parameters, seed: 1, path: 0, direction: .forward), payload: payload,
            interval: Double(payload + 28) * 8 / 20e6, until: 3)
        #expect(abs(run.megabits(from: 1, to: 2.5) - 12.00) < 0.05)
    }

    @Test func bernoulliLoss() throws {
        let run = Run(try link("loss=0.02"), interval: 1e-5, until: 1)
        let lost = Double(run.link.counters.droppedLoss.packets) / 100_000
        #expect(run.link.counters.sent.packets == 100_000)
        #expect(abs(lost - 0.02) < 0.0015)
    }

    @Test func gilbertElliottBursts() throws {
        let draws = 150_000
        var lost = 0
        var bursts = 0
        for seed in UInt64(1)...4 {
            var link = try link("ge=0.0051:0.25", seed: seed)
            var wasLost = false
            for index in 0..<draws {
                let now = Instant(nanoseconds: Int64(index) * 1000)
                let isLost = link.handleSend(bytes: 100, token: 0, now: now) == .dropped(.loss)
                while link.popDelivery(now: now) != nil {}
                if isLost { lost += 1 }
                if isLost, !wasLost { bursts += 1 }
                wasLost = isLost
            }
        }
        let model = LinkParameters.GilbertElliott(toBad: 0.0051, toGood: 0.25)
        #expect(abs(model.meanLoss - 0.02) < 1e-4)
        #expect(abs(Double(lost) / Double(4 * draws) - model.meanLoss) < 0.001)
        #expect(abs(Double(lost) / Double(bursts) - model.meanBurst) < 0.15)
    }

    @Test func normalJitterReordersAndHasItsDeviation() throws {
        let run = Run(
            try link("delay=50,jitter=normal:10,reorder=1"), interval: 0.0005, until: 20)
        let delays = run.deliveries.map { ($0.time - at(Double($0.token) * 0.0005)).seconds }
        let mean = delays.reduce(0, +) / Double(delays.count)
        let square = delays.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        #expect(abs(mean - 0.050) < 0.0002)
        #expect(abs((square / Double(delays.count)).squareRoot() - 0.010) < 0.0002)
        let overtaken = zip(run.deliveries, run.deliveries.dropFirst())
            .filter { $1.token < $0.token }.count
        #expect(overtaken > 1000)
    }

    @Test(arguments: [
        "delay=50,jitter=normal:10", "delay=50,jitter=30",
        "netem=1,delay=50,jitter=normal:20,rate=50",
    ])
    func orderIsKept(_ options: String) throws {
        let run = Run(try link(options), interval: 0.0005, until: 5)
        #expect(run.deliveries.count > 9000)
        #expect(zip(run.deliveries, run.deliveries.dropFirst()).allSatisfy { $0.token < $1.token })
    }

    @Test func netemOverloaded() throws {
        let run = Run(try link("netem=1,delay=20,rate=50"), interval: interval(70), until: 4)
        let payload = run.deliveries.filter { $0.time > at(1) && $0.time <= at(3) }
        let megabits = Double(payload.reduce(0) { $0 + $1.bytes }) * 8 / 2 / 1e6
        #expect(abs(megabits - 48.61) < 0.02)
        for delivery in payload {
            let delay = (delivery.time - at(Double(delivery.token) * interval(70))).seconds
            #expect(abs(delay - 0.2422) < 0.0003)
        }
    }

    @Test func outageGap() throws {
        let run = Run(try link("rate=20,rtt=20,down=2-4"), interval: 0.001, until: 6)
        #expect(abs(run.longestGap - 2.001) < 0.002)
    }

    @Test func repeatedOutages() throws {
        let run = Run(try link("rate=20,rtt=20,down=1-2/2"), interval: 0.001, until: 8)
        let gaps = zip(run.deliveries, run.deliveries.dropFirst())
            .map { ($1.time - $0.time).seconds }.filter { $0 > 0.5 }
        #expect(gaps.count == 3)
        for gap in gaps { #expect(abs(gap - 1.001) < 0.002) }
    }

    @Test func rateStepsDown() throws {
        let run = Run(
            try link("rate=20,rtt=20,queue=1000000b,rate@2=0.3,rate@4=20"), payload: 1172,
            interval: 1200 * 8 / 4e6, until: 6)
        #expect(abs(run.megabits(from: 0.5, to: 2) - 4) < 0.05)
        #expect(abs(run.megabits(from: 2.1, to: 4, overhead: 0) - 0.293) < 0.01)
        #expect(run.megabits(from: 4.1, to: 4.3) > 19.5)
        #expect(run.link.counters.dropped.packets == 0)
    }

    @Test func oneWayOutage() throws {
        let specification = try LinkSpecification(parsing: "rate=20,rtt=20,fdown=1-2")
        let pair = DuplexLink(specification, seed: 1, path: 0)
        let there = Run(pair.forward, interval: 0.001, until: 3)
        let back = Run(pair.backward, interval: 0.001, until: 3)
        #expect(there.link.counters.droppedOutage.packets >= 1000)
        #expect(back.link.counters.dropped.packets == 0)
        #expect(back.deliveries.count == 3000)
    }
}
