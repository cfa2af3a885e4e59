import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct DeliveryRateEstimatorTests {
    private struct Packet {
        var state: DeliveryState
        var sentTime: Instant
    }
    private static let size = 1_000
    private static func time(_ milliseconds: Double) -> Instant {
        .zero + TimeDelta(seconds: milliseconds / 1_000)
    }

    /// Sends one packet per millisecond and acknowledges each 20 ms later, shifted by `ackShift`.
    private func samples(
        count: Int, ackShift: (Int) -> Double, receivedTimes: Bool
    ) -> [RateSample] {
        var rate = DeliveryRateEstimator()
        var events: [(at: Instant, number: Int, isAck: Bool)] = []
        for number in 0..<count {
            events.append((Self.time(Double(number)), number, false))
            events.append((Self.time(Double(number) + 20 + ackShift(number)), number, true))
        }
        events.sort { ($0.at, $0.isAck ? 1 : 0) < ($1.at, $1.isAck ? 1 : 0) }
        var packets: [Packet] = []
        var inFlight = 0
        var result: [RateSample] = []
        for event in events {
            if event.isAck {
                inFlight -= Self.size
                let packet = packets[event.number]
                rate.handleAcked(
                    packet.state, sentTime: packet.sentTime, bytes: Self.size, now: event.at,
                    receivedTime: receivedTimes ? Self.time(Double(event.number) + 10_010) : nil)
                result.append(rate.takeSample(now: event.at, minimumRTT: .milliseconds(5)))
            } else {
                let state = rate.handleSent(
                    bytes: Self.size, bytesInFlight: inFlight, now: event.at)
                packets.append(Packet(state: state, sentTime: event.at))
                inFlight += Self.size
            }
        }
        return result
    }

    @Test func steadyFlowGivesItsRate() {
        let samples = samples(count: 200, ackShift: { _ in 0 }, receivedTimes: false)
        for sample in samples.dropFirst(40) {
            #expect(abs(sample.rate - 1e6) < 5e4)
            #expect(sample.rtt == .milliseconds(20))
            #expect(sample.newlyAckedBytes == Self.size)
        }
        #expect(samples.last?.totalDelivered == 200_000)
    }

    /// ACKs that were delayed and then came at once look like a fast link; the send interval and
    /// the receiver's timestamps do not.
    @Test(arguments: [true, false]) func compressedACKsDoNotRaiseTheRate(receivedTimes: Bool) {
        let samples = samples(
            count: 400, ackShift: { Double(15 - $0 % 16) }, receivedTimes: receivedTimes)
        let highest = samples.dropFirst(40).map(\.rate).max() ?? 0
        #expect(highest < 1.6e6)
        if receivedTimes {
            let lowest = samples.dropFirst(40).map(\.rate).min() ?? 0
            #expect(lowest > 0.5e6)
        }
    }

    /// The ACK path becomes 40 ms slower for a while: between ACKs the flow seems to stop.
    @Test func receiverTimesHideASwitchOfTheACKPath() {
        let shift: (Int) -> Double = { $0 < 100 ? 0 : 40 }
        let with = samples(count: 200, ackShift: shift, receivedTimes: true)
        let without = samples(count: 200, ackShift: shift, receivedTimes: false)
        #expect((with[40..<190].map(\.rate).min() ?? 0) > 0.9e6)
        #expect((without[40..<190].map(\.rate).min() ?? 0) < 0.7e6)
    }

    @Test func idleTimeDoesNotCountAsSlowDelivery() {
        var rate = DeliveryRateEstimator()
        var last = RateSample()
        for round in 0..<3 {
            let start = Double(round) * 5_000
            var packets: [Packet] = []
            for number in 0..<10 {
                let now = Self.time(start + Double(number))
                let state = rate.handleSent(
                    bytes: Self.size, bytesInFlight: number * Self.size, now: now)
                packets.append(Packet(state: state, sentTime: now))
            }
            for number in 0..<10 {
                let now = Self.time(start + Double(number) + 20)
                rate.handleAcked(
                    packets[number].state, sentTime: packets[number].sentTime, bytes: Self.size,
                    now: now)
                last = rate.takeSample(now: now, minimumRTT: .milliseconds(20))
            }
        }
        // Ten packets within the 29 ms from the first send to the last ACK.
        #expect(last.rate > 3.4e5 && last.rate < 5.1e5)
    }

    @Test func packetsSentWithoutDataAreMarkedUntilTheFlightIsDelivered() {
        var rate = DeliveryRateEstimator()
        let first = rate.handleSent(bytes: Self.size, bytesInFlight: 0, now: Self.time(0))
        #expect(!first.isAppLimited)
        rate.handleAppLimited(bytesInFlight: Self.size)
        let second = rate.handleSent(bytes: Self.size, bytesInFlight: Self.size, now: Self.time(1))
        #expect(second.isAppLimited)
        rate.handleAcked(first, sentTime: Self.time(0), bytes: Self.size, now: Self.time(20))
        #expect(!rate.takeSample(now: Self.time(20), minimumRTT: .zero).isAppLimited)
        rate.handleAcked(second, sentTime: Self.time(1), bytes: Self.size, now: Self.time(21))
        #expect(rate.takeSample(now: Self.time(21), minimumRTT: .zero).isAppLimited)
        let third = rate.handleSent(bytes: Self.size, bytesInFlight: 0, now: Self.time(22))
        #expect(!third.isAppLimited)
    }

    @Test func lostBytesAreReportedOnceAndByFlight() {
        var rate = DeliveryRateEstimator()
        let state = rate.handleSent(bytes: Self.size, bytesInFlight: 0, now: Self.time(0))
        rate.handleLost(bytes: 3_000)
        rate.handleAcked(state, sentTime: Self.time(0), bytes: Self.size, now: Self.time(20))
        let sample = rate.takeSample(now: Self.time(20), minimumRTT: .zero)
        #expect(sample.newlyLostBytes == 3_000)
        #expect(sample.lost == 3_000)
        #expect(rate.takeSample(now: Self.time(21), minimumRTT: .zero).newlyLostBytes == 0)
    }
}
