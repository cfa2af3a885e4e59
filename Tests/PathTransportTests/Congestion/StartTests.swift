import PathTelemetry
import Testing

@testable import PathTransport

/// What the first packets of a path show of its link.
@Suite struct StartTests {
    private static func time(_ milliseconds: Double) -> Instant {
        .zero + TimeDelta(seconds: milliseconds / 1_000)
    }

    /// A train of packets of 1,000 bytes, by the milliseconds between two of them.
    private func train(_ count: Int, sentEach: Double, receivedEach: Double) -> PacketTrain {
        var train = PacketTrain()
        for number in 0..<count {
            train.handle(
                before: 0, sentTime: Self.time(Double(number) * sentEach),
                receivedTime: Self.time(500 + Double(number) * receivedEach), bytes: 1_000)
        }
        return train
    }

    @Test func aTrainShowsTheBottleneck() {
        let spread = train(32, sentEach: 0.2, receivedEach: 0.8)
        #expect(abs(spread.rate - 1.25e6) < 1e3)
        #expect(spread.isSpread)
        // A link that is faster than the sender shows no more than the sender's rate, and neither
        // does one that releases all packets together.
        for receivedEach in [0.2, 0] {
            let fast = train(32, sentEach: 0.2, receivedEach: receivedEach)
            #expect(abs(fast.rate - 5e6) < 1e4)
            #expect(!fast.isSpread)
        }
        #expect(train(15, sentEach: 0.2, receivedEach: 0.8).rate == 0, "too few packets")
        #expect(PacketTrain().rate == 0)
    }

    /// A request and a pause before the first data must not cost what the data then shows.
    @Test func aRequestIsNoTrain() {
        var train = PacketTrain()
        func send(_ count: Int, after delivered: Int, receivedEach: Double) {
            for number in 0..<count {
                train.handle(
                    before: delivered, sentTime: Self.time(Double(delivered + number) * 0.2),
                    receivedTime: Self.time(500 + Double(delivered + number) * receivedEach),
                    bytes: 1_000)
            }
        }
        send(2, after: 0, receivedEach: 0.2)
        #expect(train.rate == 0)
        send(32, after: 2, receivedEach: 0.8)
        #expect(abs(train.rate - 1.25e6) < 1e3)
        #expect(train.isSpread && train.contains(2) && !train.contains(0))
        // It stays: later packets may stand behind a queue of the sender's own.
        send(32, after: 34, receivedEach: 4)
        #expect(abs(train.rate - 1.25e6) < 1e3)
    }

    /// Gives round trips to the detector; returns how many it took for the link to be full.
    private func acknowledgementsUntilFull(
        _ roundTrips: [Double], isSpread: Bool = true, spread: TimeDelta = .zero
    ) -> Int? {
        var link = FullLink()
        for (count, roundTrip) in roundTrips.enumerated() {
            var sample = RateSample()
            sample.isSpread = isSpread
            sample.delivered = 50_000
            link.handleAck(
                AckEvent(
                    now: Self.time(Double(count)), ackedBytes: 6_000, largestAcked: UInt64(count),
                    largestSent: 1_000, bytesInFlight: 50_000, priorBytesInFlight: 52_000,
                    latestRTT: TimeDelta(seconds: roundTrip / 1_000),
                    smoothedRTT: .milliseconds(20), minimumRTT: .milliseconds(20),
                    rateSample: sample, isAppLimited: false),
                minimum: .milliseconds(20), spread: spread, packetSize: 1_200, round: 7)
            if link.includes(round: 7) {
                #expect(link.includes(round: 8))
                #expect(!link.includes(round: 9))
                return count + 1
            }
        }
        return nil
    }

    @Test func aGrowingQueueIsNoticedBeforeItIsFull() {
        let growing = (0..<12).map { 20 + Double($0) }
        // Growth counts above 22.5 ms, that is from the fourth on, and 20 packets have to show it.
        #expect(acknowledgementsUntilFull(growing) == 7)
        #expect(acknowledgementsUntilFull(growing, isSpread: false) == nil)
        #expect(acknowledgementsUntilFull(growing, spread: .milliseconds(10)) == nil, "jitter")
        // Each third round trip is shorter than the one before.
        let uneven = (0..<30).map { Double([24, 30, 22][$0 % 3]) }
        #expect(acknowledgementsUntilFull(uneven) == nil)
        #expect(FullLink().includes(round: 0) == false)
    }
}
