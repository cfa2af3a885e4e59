import PathTelemetry
import Testing

@testable import PathTransport

/// The phases of Careful Resume, by acknowledgements of one path with a round trip of 100 ms.
@Suite struct CarefulResumeTests {
    private static let saved = SavedCapacity(bytes: 1_000_000, roundTrip: .milliseconds(100))
    private static let initialWindow = 40_000

    /// An acknowledgement at a time in milliseconds.
    private func ack(
        at time: Double, acked: Int, largest: UInt64, sent: UInt64, delivered: Int, flight: Int,
        roundTrip: Int64 = 100, train: Double = 0, isSpread: Bool = false
    ) -> AckEvent {
        var sample = RateSample()
        sample.totalDelivered = delivered
        sample.rate = 1e6
        sample.trainRate = train
        sample.isSpread = isSpread
        return AckEvent(
            now: .zero + TimeDelta(seconds: time / 1_000), ackedBytes: acked, largestAcked: largest,
            largestSent: sent, bytesInFlight: flight, priorBytesInFlight: flight + acked,
            latestRTT: .milliseconds(roundTrip), smoothedRTT: .milliseconds(roundTrip),
            minimumRTT: .milliseconds(roundTrip), rateSample: sample, isAppLimited: false)
    }

    /// The initial window has arrived, and 80 kB more are on the way.
    private func jumped(
        roundTrip: Int64 = 100, train: Double = 8e6, isSpread: Bool = false,
        window: Double = 120_000
    ) -> (resume: CarefulResume, window: Double?) {
        var resume = CarefulResume()
        resume.begin(Self.saved)
        let early = ack(
            at: 0, acked: 20_000, largest: 20, sent: 40, delivered: 20_000, flight: 20_000,
            roundTrip: roundTrip, train: train, isSpread: isSpread)
        #expect(resume.handleAck(early, window: window, initialWindow: Self.initialWindow) == nil)
        #expect(resume.phase == .reconnaissance)
        let whole = ack(
            at: 5, acked: 20_000, largest: 40, sent: 120, delivered: 40_000, flight: 80_000,
            roundTrip: roundTrip)
        let result = resume.handleAck(whole, window: window, initialWindow: Self.initialWindow)
        return (resume, result)
    }

    /// The window becomes half of what was saved, sent over one round trip, and what arrives of it
    /// is the window from then on.
    @Test func theWindowJumpsToHalfAndIsValidated() throws {
        var (resume, window) = jumped()
        #expect(window == 500_000)
        #expect(resume.phase == .unvalidated)
        #expect(resume.holdsWindow)
        let rate = try #require(resume.pacingRate)
        #expect(abs(rate - 5e6) < 1)
        for number in UInt64(121)...500 { resume.handleSent(number) }
        // The first packet that the larger window allowed has arrived.
        let first = ack(
            at: 105, acked: 81_000, largest: 121, sent: 500, delivered: 121_000, flight: 379_000)
        window = resume.handleAck(first, window: 500_000, initialWindow: Self.initialWindow)
        #expect(window == 460_000, "what was in flight")
        #expect(resume.phase == .validating)
        #expect(resume.pacingRate == nil)
        #expect(!resume.holdsWindow)
        let last = ack(
            at: 200, acked: 379_000, largest: 500, sent: 900, delivered: 500_000, flight: 400_000)
        #expect(resume.handleAck(last, window: 4e5, initialWindow: Self.initialWindow) == nil)
        #expect(resume.phase == .normal)
        #expect(resume.earlier == Self.saved)
    }

    /// A sender that has little to send does not keep a window that it has not used.
    @Test func whatWasNotSentIsNotValidated() {
        var (resume, _) = jumped()
        resume.handleSent(121)
        let first = ack(
            at: 110, acked: 79_000, largest: 121, sent: 121, delivered: 119_000, flight: 2_000)
        let window = resume.handleAck(first, window: 500_000, initialWindow: Self.initialWindow)
        #expect(window == 159_000, "all that has arrived since the jump")
        #expect(resume.phase == .normal)
    }

    /// Congestion leaves half of what has arrived, until the packets of the jump are settled.
    @Test func congestionEndsInARetreat() {
        var (resume, _) = jumped()
        for number in UInt64(121)...500 { resume.handleSent(number) }
        let first = ack(
            at: 105, acked: 81_000, largest: 121, sent: 500, delivered: 121_000, flight: 379_000)
        _ = resume.handleAck(first, window: 500_000, initialWindow: Self.initialWindow)
        // 80 kB were in flight at the jump, and 81 kB have arrived since.
        #expect(resume.handleCongestion() == 80_500)
        #expect(resume.phase == .retreat)
        #expect(resume.holdsWindow)
        #expect(resume.handleCongestion() == nil, "once")
        #expect(resume.earlier == nil)
        let last = ack(
            at: 200, acked: 100_000, largest: 500, sent: 500, delivered: 221_000, flight: 0)
        #expect(resume.handleAck(last, window: 80_500, initialWindow: Self.initialWindow) == nil)
        #expect(resume.phase == .normal)
        #expect(resume.retreatThreshold == 130_500)
    }

    /// Another path, one that lets the first packets out at less than half the rate, congestion among
    /// these, and a window that is as large already.
    @Test func thereIsNoJumpToWhatDoesNotHold() {
        for roundTrip: Int64 in [49, 50, 200, 900] {
            let (resume, window) = jumped(roundTrip: roundTrip)
            #expect(window == nil)
            #expect(resume.phase == .normal)
            #expect(resume.earlier == nil)
        }
        for roundTrip: Int64 in [51, 199] { #expect(jumped(roundTrip: roundTrip).window != nil) }
        #expect(jumped(train: 4.9e6, isSpread: true).window == nil)
        #expect(jumped(train: 5.1e6, isSpread: true).window == 500_000)
        for train in [4.9e6, 0] {
            let (resume, window) = jumped(train: train)
            #expect(window == nil, "no more than the first packets have shown to fit")
            #expect(resume.earlier == Self.saved)
        }
        let (resume, window) = jumped(window: 500_000)
        #expect(window == nil)
        #expect(resume.earlier == Self.saved, "nothing speaks against it")
        var congested = CarefulResume()
        congested.begin(Self.saved)
        #expect(congested.handleCongestion() == nil)
        #expect(congested.phase == .normal)
        var full = jumped().resume
        full.handleFullLink()
        #expect(full.phase == .normal)
        #expect(full.pacingRate == nil)
        #expect(full.earlier == nil)
        var empty = CarefulResume()
        empty.begin(SavedCapacity(bytes: 0, roundTrip: .milliseconds(100)))
        #expect(empty.phase == .normal)
    }

    private func arrived<Controller: CongestionController & ~Copyable>(
        _ controller: consuming Controller, _ saved: SavedCapacity?, megabits: Double = 50
    ) -> (bytes: Int, drops: Int) {
        if let saved { controller.resume(from: saved) }
        let settings = LinkSettings(rate: megabits * 1e6, roundTrip: .milliseconds(320))
        var flow = VirtualFlow(controller, settings)
        flow.run(seconds: 1.4)
        return (flow.record.deliveredBytes.reduce(0, +), flow.overflowDrops)
    }

    /// Over 50 Mbit/s and 320 ms, what arrives within 1.4 s; on a link that became slower, no more is
    /// dropped than without.
    @Test func bothControllersStartFaster() {
        let configuration = CongestionConfiguration(
            maximumPacketSize: 1_500, initialWindowPackets: 32)
        let saved = SavedCapacity(bytes: 2_000_000, roundTrip: .milliseconds(320))
        let model = arrived(ModelBased(configuration), nil)
        let resumedModel = arrived(ModelBased(configuration), saved)
        #expect(Double(resumedModel.bytes) > 1.5 * Double(model.bytes), "\(model), \(resumedModel)")
        #expect(resumedModel.drops == 0)
        let cubic = arrived(Cubic(configuration), nil)
        let resumedCubic = arrived(Cubic(configuration), saved)
        #expect(Double(resumedCubic.bytes) > 1.5 * Double(cubic.bytes), "\(cubic), \(resumedCubic)")
        #expect(resumedCubic.drops == 0)
        let slow = arrived(ModelBased(configuration), nil, megabits: 12.5)
        let resumedSlow = arrived(ModelBased(configuration), saved, megabits: 12.5)
        #expect(resumedSlow == slow)
    }
}
