import PathLearning
import PathTelemetry

/// What a decision costs: features of all paths, the policy, and learning from the outcome.
enum DecisionBenchmarks {
    static let all = [
        Benchmark(name: "decide", run: decisions),
        Benchmark(name: "learn", run: learning),
        Benchmark(name: "telemetry", run: telemetry),
    ]

    /// Paths that have carried traffic for a second, each a little slower than the one before.
    private struct Paths {
        var snapshots: [PathSnapshot] = []
        var estimators: [PathEstimator] = []
        let now = Instant.zero + .seconds(10)
        let burst = BurstContext(bytes: 10_000, deadline: .seconds(1), trafficClass: .stream)

        init(_ count: Int) {
            for index in 0..<count {
                var snapshot = PathSnapshot(
                    path: PathID(index), state: .active, traits: PathTraits())
                snapshot.smoothedRTT = .milliseconds(Int64(20 + 5 * index))
                snapshot.minRTT = .milliseconds(18)
                snapshot.pacingRate = 1e6
                snapshot.congestionWindow = 100_000
                snapshot.lastReply = now - .milliseconds(3)
                snapshot.oldestUnanswered = now - .milliseconds(5)
                var estimator = PathEstimator()
                for step in 0..<100 as Range<Int64> {
                    estimator.handleAck(
                        rtt: .milliseconds(20 + step % 3), rawOneWayDelay: .milliseconds(1000),
                        bytes: 1200, deliveryRate: 1e6, now: .zero + .milliseconds(10 * step))
                }
                snapshots.append(snapshot)
                estimators.append(estimator)
            }
        }

        func fill(_ set: inout CandidateSet, _ builder: inout CandidateBuilder) {
            builder.begin(&set)
            for index in snapshots.indices {
                builder.add(
                    snapshots[index], estimator: estimators[index], burst: burst, now: now,
                    to: &set)
            }
            builder.finish(&set)
        }
    }

    private static func decisions() throws {
        for count in [2, 4, 8] {
            let paths = Paths(count)
            var builder = CandidateBuilder()
            var set = CandidateSet()
            paths.fill(&set, &builder)
            for policy in ["min-rtt", "steady", "lin-ucb"] {
                var selector = try PathSelector(PolicySpecification(parsing: policy), seed: 1)
                var sum = 0
                let given = { (_: Int) in
                    sum &+= selector.decide(set, burst: paths.burst, now: paths.now).decision.chosen
                }
                let cost = measure(steps: 100_000, given)
                let spread = quantiles(steps: 100_000, given)
                report(
                    "decide \(policy), \(count) paths, features given",
                    "\(cost.text); p50 \(number(spread.p50)), p99 \(number(spread.p99)), "
                        + "p99.9 \(number(spread.p999)) ns")
                let whole = { (_: Int) in
                    paths.fill(&set, &builder)
                    sum &+= selector.decide(set, burst: paths.burst, now: paths.now).decision.chosen
                }
                let wholeCost = measure(steps: 100_000, whole)
                let wholeSpread = quantiles(steps: 100_000, whole)
                report(
                    "decide \(policy), \(count) paths, with features",
                    "\(wholeCost.text); p50 \(number(wholeSpread.p50)), "
                        + "p99 \(number(wholeSpread.p99)), p99.9 \(number(wholeSpread.p999)) ns")
                precondition(sum >= 0)
            }
        }
    }

    private static func learning() throws {
        let paths = Paths(4)
        var builder = CandidateBuilder()
        var set = CandidateSet()
        paths.fill(&set, &builder)
        var selector = try PathSelector(PolicySpecification(parsing: "lin-ucb"), seed: 1)
        var now = paths.now
        let cost = measure(steps: 100_000) { step in
            now += .milliseconds(1)
            let outcome = Outcome(
                decision: UInt64(step), delivery: 0.03 + 0.001 * Double(step % 7), isLate: false,
                deadline: 1, packets: 9, lostPackets: 0, closedAt: now)
            selector.learn(
                Feedback(
                    features: set[step % 4].features,
                    predictedDelivery: set[step % 4].predictedDelivery, burst: paths.burst,
                    outcome: outcome, now: now))
        }
        report("learn lin-ucb, one outcome", cost.text)
    }

    private static func telemetry() {
        var estimator = PathEstimator()
        var now = Instant.zero
        let cost = measure(steps: 1_000_000) { step in
            now += .microseconds(100)
            estimator.handleAck(
                rtt: .milliseconds(20 + Int64(step % 3)), rawOneWayDelay: .milliseconds(10),
                bytes: 2400, deliveryRate: 1e6, now: now)
            estimator.handleDelivered(packets: 2, now: now)
        }
        precondition(estimator.minRTT != nil)
        report("telemetry, one acknowledgement", cost.text)
    }
}
