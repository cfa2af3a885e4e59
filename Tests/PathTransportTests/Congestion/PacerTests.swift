import Testing

@testable import PathTelemetry
@testable import PathTransport

@Suite struct PacerTests {
    @Test(arguments: [1e4, 2.5e6, 6.25e6, 125e6, 1.25e9])
    func meanRateIsKept(rate: Double) {
        var pacer = Pacer(rate: rate, maximumPacketSize: 1_500)
        var now = Instant.zero
        var sent = 0
        let end = Instant.zero + .seconds(2)
        while now < end && sent < 100_000_000 {
            while pacer.budget(now: now) > 0 {
                pacer.handleSent(bytes: 1_500, now: now)
                sent += 1_500
            }
            now = pacer.nextDeparture(now: now, forBurst: true)
        }
        let seconds = (now - .zero).seconds
        #expect(abs(Double(sent) / seconds / rate - 1) < 0.01 + 5_000 / (rate * seconds))
    }

    @Test func burstFollowsTheRateWithinItsBounds() {
        #expect(Pacer(rate: 1e5, maximumPacketSize: 1_500).burst == 3_000)
        #expect(Pacer(rate: 6.25e6, maximumPacketSize: 1_500).burst == 6_250)
        #expect(Pacer(rate: 1e9, maximumPacketSize: 1_500).burst == 65_536)
    }

    /// A sender that wakes up at the returned time can send a burst, and need not wake up before.
    @Test(arguments: [1e4, 2.43e6, 6.25e6, 125e6])
    func wakingForABurstFindsOne(rate: Double) {
        var pacer = Pacer(rate: rate, maximumPacketSize: 1_472)
        var generator = SeededGenerator(seed: 3)
        var now = Instant.zero
        for _ in 0..<1_000 {
            now += TimeDelta(nanoseconds: Int64(generator.next() % 3_000_000))
            let wait = pacer.delay(now: now, forBurst: true)
            #expect((wait == .zero) == pacer.hasBurst(now: now))
            now += wait
            #expect(pacer.hasBurst(now: now))
            pacer.handleSent(bytes: 1_472, now: now)
        }
    }

    /// The most saved is one burst plus the two milliseconds by which a timer may be late.
    @Test func idleTimeSavesNoMoreThanABurstAndTheLateness() {
        var pacer = Pacer(rate: 6.25e6, maximumPacketSize: 1_500)
        pacer.handleSent(bytes: 1_500, now: .zero)
        #expect(pacer.budget(now: .zero + .seconds(100)) == 6_250 + 12_500)
    }

    /// A sender whose timers are up to two milliseconds late still sends at the full rate.
    @Test(arguments: [2.43e6, 6.25e6, 125e6])
    func lateTimersDoNotLowerTheRate(rate: Double) {
        var pacer = Pacer(rate: rate, maximumPacketSize: 1_458)
        var generator = SeededGenerator(seed: 5)
        var now = Instant.zero
        var sent = 0
        while now < .zero + .seconds(5) {
            while pacer.budget(now: now) > 0 {
                pacer.handleSent(bytes: 1_458, now: now)
                sent += 1_458
            }
            now = pacer.nextDeparture(now: now, forBurst: true)
            now += TimeDelta(nanoseconds: Int64(generator.uniform() * 2e6))
        }
        #expect(abs(Double(sent) / (now - .zero).seconds / rate - 1) < 0.005)
    }

    @Test func rateChangeDoesNotRewriteThePast() {
        var pacer = Pacer(rate: 1e6, maximumPacketSize: 1_500)
        pacer.handleSent(bytes: 3_000, now: .zero)
        // One millisecond at the old rate is worth 1000 bytes.
        pacer.update(rate: 1e9, maximumPacketSize: 1_500, now: .zero + .milliseconds(1))
        #expect(pacer.budget(now: .zero + .milliseconds(1)) == 1_000)
    }

    @Test func wakingAtTheDepartureTimeFindsBudget() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<2_000 {
            let rate = 1_000 * (1 + generator.uniform() * 1e6)
            var pacer = Pacer(rate: rate, maximumPacketSize: 1_200)
            var now = Instant.zero
            for _ in 0..<5 {
                while pacer.budget(now: now) > 0 { pacer.handleSent(bytes: 1_200, now: now) }
                let next = pacer.nextDeparture(now: now)
                #expect(next > now)
                #expect(pacer.budget(now: next) > 0)
                now = next
            }
        }
    }

    @Test func badRatesAreBounded() {
        for rate in [Double.nan, -1, 0, .infinity] {
            var pacer = Pacer(rate: rate, maximumPacketSize: 1_500)
            #expect(pacer.rate.isFinite && pacer.rate > 0)
            pacer.update(rate: rate, maximumPacketSize: 0, now: .zero)
            pacer.handleSent(bytes: 3_000, now: .zero)
            #expect(pacer.delay(now: .zero) >= .zero)
        }
    }
}
