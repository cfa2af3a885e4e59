import Foundation
import Testing

@testable import PathTelemetry

/// What a path holds, by the packets that are unanswered.
@Suite struct PathQueueTests {
    private let last = Instant.zero + .seconds(100)

    /// A path with a round trip of 40 ms whose queue was served at 1.2 MB/s.
    private func queue(
        flight: Int, oldest: TimeDelta, sinceReply: TimeDelta, served: Bool = true
    ) -> PathQueue {
        var estimator = PathEstimator()
        if served {
            for _ in 0..<5000 { estimator.handleQueued(bytes: 1200, time: .milliseconds(1)) }
        }
        let now = last + sinceReply
        var snapshot = PathSnapshot(path: PathID(1), state: .active, traits: PathTraits())
        snapshot.smoothedRTT = .milliseconds(45)
        snapshot.minRTT = .milliseconds(40)
        snapshot.pacingRate = 5e6
        snapshot.congestionWindow = 1_000_000
        snapshot.bytesInFlight = flight
        snapshot.oldestUnanswered = now - oldest
        snapshot.lastReply = last
        return PathQueue(snapshot, evidence: estimator.evidence, clockOffset: nil, now: now)
    }

    @Test func whatPropagatesIsNoQueue() {
        // 250 kB/s for 40 ms.
        let queue = queue(flight: 10_000, oldest: .milliseconds(38), sinceReply: .milliseconds(3))
        #expect(queue.pause < 0)
        #expect((queue.arrival - 0.02).magnitude < 1e-9, "\(queue)")
        #expect((queue.perByte - 1 / 1.2e6).magnitude < 1e-8)
    }

    @Test func whatIsBeyondThatWaits() {
        // The latest arrival was 21 ms ago, and 72 kB need 60 ms from then on.
        let queue = queue(flight: 72_000, oldest: .milliseconds(60), sinceReply: .milliseconds(1))
        #expect(queue.pause < 0)
        #expect((queue.arrival - 0.039).magnitude < 1e-3, "\(queue)")
        // The oldest of them arrives soon, the last one at the end.
        #expect(queue.arrival(upTo: 1200, age: 0.06) < 0)
        #expect((queue.arrival(upTo: 72_000, age: 0) - queue.arrival).magnitude < 1e-12)
    }

    @Test func aPauseIsExpectedToLast() {
        // Nothing came for 69 ms longer than it should have, so 103 ms are to come.
        let queue = queue(
            flight: 24_000, oldest: .milliseconds(118), sinceReply: .milliseconds(100))
        #expect((queue.pause - 0.069).magnitude < 1e-3, "\(queue)")
        let end = 0.02 - 0.118 + 2.5 * queue.pause + 24_000 * queue.perByte
        #expect((queue.arrival - end).magnitude < 1e-9 && queue.arrival > 0.09)
    }

    @Test func aPacketThatOthersOvertookIsNoPause() {
        let queue = queue(flight: 10_000, oldest: .milliseconds(118), sinceReply: .milliseconds(2))
        #expect(queue.pause < 0 && queue.arrival < 0.021)
    }

    @Test func anIdlePathDeliversABurstAtItsRate() {
        // Nothing was in flight for a long time, and its first packet just left.
        let queue = queue(
            flight: 36_000, oldest: .milliseconds(2), sinceReply: .seconds(3), served: false)
        #expect(queue.pause < 0)
        #expect((queue.arrival - (0.018 + 36_000 / 5e6)).magnitude < 1e-9, "\(queue)")
    }

    @Test func servedRateIsThatOfAboutASecond() {
        var estimator = PathEstimator()
        func acknowledge(at seconds: Int64) {
            estimator.handleAck(
                rtt: .milliseconds(40), rawOneWayDelay: nil, bytes: 1200, deliveryRate: nil,
                now: .zero + .seconds(seconds))
        }
        acknowledge(at: 1)
        estimator.handleQueued(bytes: 12_000, time: .milliseconds(10))
        #expect(estimator.evidence.queuedBytes == 12_000 && estimator.evidence.queuedTime == 0.01)
        acknowledge(at: 2)
        #expect((estimator.evidence.queuedBytes - 12_000 * exp(-1)).magnitude < 1e-9)
        // A slow service displaces it although few packets saw it.
        acknowledge(at: 5)
        estimator.handleQueued(bytes: 1200, time: .milliseconds(10))
        let rate = estimator.evidence.queuedBytes / estimator.evidence.queuedTime
        #expect(rate < 140_000, "\(rate)")
        estimator.handleQueued(bytes: 0, time: .seconds(9))
        #expect(estimator.evidence.queuedBytes / estimator.evidence.queuedTime == rate)
    }
}
