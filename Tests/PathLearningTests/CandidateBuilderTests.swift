import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

private func snapshot(_ path: Int, rtt: Int64, state: PathState = .active) -> PathSnapshot {
    var snapshot = PathSnapshot(path: PathID(path), state: state, traits: PathTraits())
    snapshot.smoothedRTT = .milliseconds(rtt)
    snapshot.rttVariation = .milliseconds(rtt / 10)
    snapshot.minRTT = .milliseconds(rtt)
    snapshot.pacingRate = 1e6
    snapshot.congestionWindow = 50_000
    snapshot.lastReply = .zero
    return snapshot
}

private func estimator(raw: Int64?, rtt: Int64) -> PathEstimator {
    var estimator = PathEstimator()
    estimator.handleAck(
        rtt: .milliseconds(rtt), rawOneWayDelay: raw.map { .milliseconds($0) }, bytes: 1200,
        deliveryRate: 1e6, now: .zero)
    return estimator
}

private func build(
    _ paths: [(PathSnapshot, PathEstimator)], bytes: Int = 10_000, now: Instant = .zero
) -> CandidateSet {
    var builder = CandidateBuilder()
    var set = CandidateSet()
    var clock = ClockOffset()
    // Twice, so that every path's delay is known to the clock offset.
    for _ in 0..<2 {
        builder.begin(burst(bytes), now: now)
        for (var snapshot, var estimator) in paths {
            if let raw = estimator.rawDelayMinimum, let rtt = estimator.minRTT {
                clock.handleSample(raw: raw, roundTrip: rtt, isSamePath: true, now: now)
            }
            builder.add(&snapshot, of: &estimator, clock: &clock)
        }
        builder.finish(&set)
    }
    return set
}

@Suite struct CandidateBuilderTests {
    @Test func predictionIsWaitPlusTransferPlusDelay() {
        // One-way delays are 30 ms and 100 ms; the clocks differ by a day.
        let day: Int64 = 86_400_000
        let set = build([
            (snapshot(0, rtt: 60), estimator(raw: day + 30, rtt: 60)),
            (snapshot(1, rtt: 120), estimator(raw: day + 100, rtt: 120)),
        ])
        #expect((set[0].predictedDelivery - 0.040).magnitude < 1e-9)
        #expect((set[1].predictedDelivery - 0.110).magnitude < 1e-9)
        let gap = Feature.predictionGap.rawValue
        #expect((set[0].features[gap] - log(0.040 / 0.110)).magnitude < 1e-9)
        #expect((set[1].features[gap] - log(0.110 / 0.040)).magnitude < 1e-9)
        #expect(set[0].room == 50_000 && set[0].rate == 1e6)
    }

    @Test func withoutStampsHalfTheRoundTrip() {
        let set = build([(snapshot(0, rtt: 60), estimator(raw: nil, rtt: 60))])
        #expect((set[0].predictedDelivery - 0.040).magnitude < 1e-9)
        #expect(set[0].features[Feature.predictionGap.rawValue] == 0)
    }

    @Test func waitingForTheWindowAndThePacer() {
        var full = snapshot(0, rtt: 60)
        full.bytesInFlight = 45_000
        full.oldestUnanswered = .zero
        full.pacingDelay = .milliseconds(2)
        // 5 kB over the window at 1 MB/s is longer than the pacer's 2 ms, and 45 kB in 60 ms are no
        // queue.
        let set = build([(full, estimator(raw: nil, rtt: 60))], now: .zero + .milliseconds(60))
        #expect((set[0].predictedDelivery - 0.045).magnitude < 1e-9)
        #expect(set[0].room == 0, "the pacer lets nothing through now")
    }

    /// A thin path that is paced as a fast one until it carries more than bursts now and then.
    @Test func packetsSeenToWaitTellTheRate() {
        var thin = estimator(raw: nil, rtt: 60)
        thin.handleQueued(bytes: 14_720, time: .milliseconds(78))
        // 2,400 bytes at 1 MB/s are 2.4 ms, but what is expected counts for 2 ms at most.
        let perByte = (0.078 + 0.002) / (14_720 + 2_000)
        let set = build([(snapshot(0, rtt: 60), thin)])
        #expect((set[0].predictedDelivery - (0.030 + 10_000 * perByte)).magnitude < 1e-9)
    }

    /// Jitter is part of what is predicted.
    @Test func theUsualDelayCounts() {
        var known = PathEstimator()
        for step in 0..<200 as Range<Int64> {
            known.handleAck(
                rtt: .milliseconds(60), rawOneWayDelay: .milliseconds(30 + step % 2 * 20),
                bytes: 1200, deliveryRate: 1e6, now: .zero + .milliseconds(20 * step))
        }
        let now = Instant.zero + .milliseconds(20 * 199)
        var path = snapshot(0, rtt: 60)
        path.lastReply = now
        let set = build([(path, known)], now: now)
        // 40 ms in the mean, and 10 ms for the burst: the deviation of the latest packet does not last.
        #expect((set[0].predictedDelivery - 0.050).magnitude < 0.002, "\(set[0].predictedDelivery)")
    }

    @Test func silenceMakesAPathWorseByItself() {
        var quiet = snapshot(0, rtt: 60)
        quiet.oldestUnanswered = .zero
        let known = estimator(raw: nil, rtt: 60)
        let early = build([(quiet, known)], now: .zero + .milliseconds(60))
        let late = build([(quiet, known)], now: .zero + .milliseconds(266))
        #expect((early[0].predictedDelivery - 0.040).magnitude < 1e-9)
        // A reply was due after 60 ms, one packet's service and 8 ms: the pause of 196.8 ms counts as
        // 295.2 to come.
        #expect((late[0].predictedDelivery - 0.266).magnitude < 1e-9)
        #expect((late[0].unansweredAge - 0.266).magnitude < 1e-12)
    }

    @Test func onlyActivePathsAndStandbyWhereNoneIs() {
        let known = estimator(raw: nil, rtt: 60)
        func paths(_ states: [PathState]) -> [Int] {
            let set = build(
                states.enumerated().map { (snapshot($0, rtt: 60, state: $1), known) })
            return (0..<set.count).map { set[$0].path.index }
        }
        #expect(paths([.active, .standby, .failed, .active, .suspect]) == [0, 3])
        #expect(paths([.standby, .active]) == [1])
        #expect(paths([.failed, .standby, .probing, .standby]) == [1, 3])
        #expect(paths([.failed, .validating]) == [])
    }
}
