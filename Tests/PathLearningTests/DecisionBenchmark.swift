import Foundation
import PathLearning
import PathTelemetry
import Testing

/// Prints nanoseconds a decision; run in release with `PATHWISE_BENCH=1`.
@Suite(
    .serialized,
    .enabled(
        if: ProcessInfo.processInfo.environment["PATHWISE_BENCH"] == "1",
        "a measurement, not a test: set PATHWISE_BENCH=1"))
struct DecisionBenchmark {
    /// Median over runs of the mean time of a step, nanoseconds.
    private func time(_ name: String, steps: Int = 20_000, _ step: () -> Void) {
        var runs: [Double] = []
        for _ in 0..<25 {
            let start = DispatchTime.now().uptimeNanoseconds
            for _ in 0..<steps { step() }
            let end = DispatchTime.now().uptimeNanoseconds
            runs.append(Double(end - start) / Double(steps))
        }
        runs.sort()
        print("\(name): median \(Int(runs[12])) ns, best \(Int(runs[0])) ns")
    }

    @Test func decisions() throws {
        for count in [2, 4, 8] {
            var builder = CandidateBuilder()
            var set = CandidateSet()
            let context = burst()
            let now = Instant.zero + .seconds(10)
            var paths: [(PathSnapshot, PathEstimator)] = []
            for index in 0..<count {
                var snapshot = PathSnapshot(
                    path: PathID(index), state: .active, traits: PathTraits())
                snapshot.smoothedRTT = .milliseconds(Int64(20 + index))
                snapshot.minRTT = .milliseconds(18)
                snapshot.pacingRate = 1e6
                snapshot.congestionWindow = 100_000
                snapshot.lastReply = now - .milliseconds(3)
                snapshot.oldestUnanswered = now - .milliseconds(5)
                var estimator = PathEstimator()
                for step in 0..<100 as Range<Int64> {
                    estimator.handleAck(
                        rtt: .milliseconds(20 + step % 3), rawOneWayDelay: .milliseconds(1000),
                        bytes: 1200, deliveryRate: 1e6, now: .zero + .milliseconds(step))
                }
                paths.append((snapshot, estimator))
            }
            func fill() {
                builder.begin(&set)
                for index in 0..<count {
                    builder.add(
                        paths[index].0, estimator: paths[index].1, burst: context, now: now,
                        to: &set)
                }
                builder.finish(&set)
            }
            fill()
            time("features, \(count) paths", fill)
            for policy in ["steady", "lin-ucb"] {
                var selector = try PathSelector.make(policy)
                var sink = 0
                time("\(policy), \(count) candidates, features given") {
                    sink &+= selector.decide(set, burst: context, now: now).decision.chosen
                }
                time("\(policy), \(count) candidates, with features") {
                    fill()
                    sink &+= selector.decide(set, burst: context, now: now).decision.chosen
                }
                #expect(sink >= 0)
            }
        }
        var selector = try PathSelector.make("lin-ucb")
        let set = candidates([0.04, 0.05])
        var now = Instant.zero
        time("lin-ucb, one outcome learned") {
            now += .milliseconds(1)
            selector.learn(
                Feedback(
                    features: set[0].features, predictedDelivery: 0.03, burst: burst(),
                    outcome: outcome(0.04), now: now))
        }
        var estimator = PathEstimator()
        time("one acknowledgement") {
            now += .microseconds(100)
            estimator.handleAck(
                rtt: .milliseconds(20), rawOneWayDelay: .milliseconds(10), bytes: 1200,
                deliveryRate: 1e6, now: now)
            estimator.handleDelivered(packets: 2, now: now)
        }
        #expect(estimator.minRTT == .milliseconds(20))
    }
}
