import Testing

@testable import PathTelemetry
@testable import PathTransport

@Suite struct CubicTests {
    private static let configuration = CongestionConfiguration(maximumPacketSize: 1_500)

    private func run(_ settings: LinkSettings, seconds: Double, seed: UInt64 = 1) -> VirtualFlow<
        Cubic
    > {
        var flow = VirtualFlow(Cubic(Self.configuration), settings, seed: seed)
        flow.run(seconds: seconds)
        return flow
    }

    /// A queue of one bandwidth-delay product keeps the link busy through each reduction.
    @Test(arguments: [(20.0, 20), (50.0, 20), (10.0, 100), (100.0, 50)])
    func fillsACleanLinkWithOneProductOfQueue(rate: Double, milliseconds: Int) {
        var settings = LinkSettings(
            rate: rate * 1e6, roundTrip: .milliseconds(Int64(milliseconds)))
        settings.queueBytes = Int(rate * 1e6 / 8 * Double(milliseconds) / 1_000)
        let flow = run(settings, seconds: 20)
        #expect(flow.record.goodput(4, 20) >= 0.93 * rate * 1e6)
        #expect(flow.record.overflowShare(4, 20) < 0.01)
    }

    /// The known weakness, and the reason for the other controller: RFC 9438, section 5.1.
    @Test func collapsesUnderRandomLoss() {
        var settings = LinkSettings(rate: 30e6, roundTrip: .milliseconds(40))
        settings.loss = .bernoulli(0.02)
        let flow = run(settings, seconds: 20)
        #expect(flow.record.goodput(4, 20) < 0.3 * 30e6)
        #expect(flow.record.goodput(4, 20) > 0.02 * 30e6)
    }

    @Test func hyStartLeavesSlowStartBeforeALongQueueOverflows() {
        var settings = LinkSettings(rate: 50e6, roundTrip: .milliseconds(40))
        settings.queueBytes = 2_000_000
        let flow = run(settings, seconds: 2)
        #expect(flow.overflowDrops == 0)
        let phases = flow.record.phases.compactMap { $0 }
        #expect(phases.contains(.conservativeSlowStart))
        #expect(phases.last == .congestionAvoidance)
        #expect(flow.record.goodput(1, 2) > 0.9 * 50e6)
    }

    @Test func oneReductionForAllLossesOfARoundTrip() {
        var cubic = Cubic(Self.configuration)
        for number in 0..<100 {
            cubic.handleSent(
                now: .zero, bytes: 1_500, packetNumber: UInt64(number), bytesInFlight: 0)
        }
        let before = cubic.congestionWindow
        func loss(_ number: UInt64) -> LossEvent {
            LossEvent(
                now: .zero, lostBytes: 1_500, lostPackets: 1, largestLost: number,
                largestSent: 99, bytesInFlight: 10_000, isPersistentCongestion: false)
        }
        cubic.handleLoss(loss(10))
        #expect(cubic.congestionWindow == Int(Double(before) * 0.7))
        #expect(cubic.phase == .recovery)
        cubic.handleLoss(loss(20))
        cubic.handleLoss(loss(99))
        #expect(cubic.congestionWindow == Int(Double(before) * 0.7))
    }

    /// RFC 9438, section 4.9.2.
    @Test func aReductionWithoutLossIsUndone() {
        var cubic = Cubic(Self.configuration)
        for number in 0..<100 {
            cubic.handleSent(
                now: .zero, bytes: 1_500, packetNumber: UInt64(number), bytesInFlight: 0)
        }
        let before = cubic.congestionWindow
        func loss(_ first: UInt64, _ last: UInt64) -> LossEvent {
            LossEvent(
                now: .zero, lostBytes: 1_500, lostPackets: Int(last - first) + 1,
                smallestLost: first, largestLost: last, largestSent: 99, bytesInFlight: 10_000,
                isPersistentCongestion: false)
        }
        func arrival(_ number: UInt64) -> SpuriousLoss {
            SpuriousLoss(now: .zero, number: number, bytes: 1_500)
        }
        cubic.handleLoss(loss(10, 12))
        cubic.handleLoss(loss(20, 20))
        for number: UInt64 in [10, 20, 11] { cubic.handleSpuriousLoss(arrival(number)) }
        #expect(cubic.congestionWindow == Int(Double(before) * 0.7), "one is still missing")
        cubic.handleSpuriousLoss(arrival(9))
        cubic.handleSpuriousLoss(arrival(100))
        #expect(cubic.congestionWindow < before, "others do not count")
        cubic.handleSpuriousLoss(arrival(12))
        #expect(cubic.congestionWindow == before)
        #expect(cubic.phase == .slowStart)
    }

    @Test func persistentCongestionLeavesTwoPackets() {
        var cubic = Cubic(Self.configuration)
        cubic.handleLoss(
            LossEvent(
                now: .zero, lostBytes: 15_000, lostPackets: 10, largestLost: 9,
                largestSent: 9, bytesInFlight: 0, isPersistentCongestion: true))
        #expect(cubic.congestionWindow == 3_000)
    }

    @Test func lossesOfAnOutageAreNoCongestion() {
        var cubic = Cubic(Self.configuration)
        cubic.handleSent(now: .zero, bytes: 1_500, packetNumber: 50, bytesInFlight: 0)
        cubic.handleOutage(now: .zero)
        #expect(cubic.phase == .outage)
        cubic.handleRestored(now: .zero + .seconds(1))
        let window = cubic.congestionWindow
        cubic.handleLoss(
            LossEvent(
                now: .zero + .seconds(1), lostBytes: 75_000, lostPackets: 50, largestLost: 50,
                largestSent: 51, bytesInFlight: 0, isPersistentCongestion: true))
        #expect(cubic.congestionWindow == window)
        #expect(cubic.phase == .slowStart)
    }

    @Test func comesBackFromAnOutageInSlowStart() {
        var settings = LinkSettings(rate: 20e6, roundTrip: .milliseconds(20))
        settings.outages = [(.seconds(5), .seconds(10))]
        let flow = run(settings, seconds: 15)
        #expect(flow.outages == 1)
        #expect(flow.record.goodput(11, 15) > 0.93 * 20e6)
    }
}
