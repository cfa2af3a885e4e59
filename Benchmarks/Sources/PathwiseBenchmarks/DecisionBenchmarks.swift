import DenseMath
import PathLearning
import PathTelemetry

/// Measures the cost of a decision: features of all paths, the policy, and learning from the
/// outcome.
enum DecisionBenchmarks {
    static let all = [
        Benchmark(name: "decide", run: decisions),
        Benchmark(name: "decide-kernels", run: kernels),
        Benchmark(name: "learn", run: learning),
        Benchmark(name: "telemetry", run: telemetry),
    ]

    /// A path as the transport keeps it.
    private struct Path {
        var snapshot: PathSnapshot
        var estimator = PathEstimator()

        mutating func offer(_ builder: inout CandidateBuilder, _ clock: inout ClockOffset) {
            builder.add(&snapshot, of: &estimator, clock: &clock)
        }
    }

    /// Paths that have carried traffic for a second, each a little slower than the one before.
    private struct Paths {
        var paths: [Path] = []
        var now = Instant.zero + .seconds(10)
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
                paths.append(Path(snapshot: snapshot, estimator: estimator))
            }
        }

        /// Handles an acknowledgement on every path, so that all measured values change.
        mutating func acknowledge() {
            now += .microseconds(50)
            for index in paths.indices {
                paths[index].snapshot.smoothedRTT =
                    paths[index].snapshot.smoothedRTT + .microseconds(1)
                paths[index].estimator.handleAck(
                    rtt: .milliseconds(20 + now.nanoseconds / 50_000 % 3),
                    rawOneWayDelay: .milliseconds(1000), bytes: 1200, deliveryRate: 1e6, now: now)
            }
        }

        /// The offset of the receiver's clock, as after the first acknowledgement.
        static var clock: ClockOffset {
            var clock = ClockOffset()
            clock.handleSample(
                raw: .milliseconds(1000), roundTrip: .milliseconds(20), isSamePath: true, now: .zero
            )
            return clock
        }

        mutating func fill(
            _ set: inout CandidateSet, _ builder: inout CandidateBuilder,
            _ clock: inout ClockOffset
        ) {
            builder.begin(burst, now: now)
            // A span checks once that the array is not shared.
            var paths = paths.mutableSpan
            for index in paths.indices { paths[index].offer(&builder, &clock) }
            builder.finish(&set)
        }
    }

    /// The paths and their selector, in one value: variables that closures share would have
    /// exclusivity checks at each use.
    private struct Sender: ~Copyable {
        var paths: Paths
        var builder = CandidateBuilder()
        var clock = Paths.clock
        var set = CandidateSet()
        var decision = Decision()
        var selector: PathSelector
        var sum = 0

        init(_ policy: String, paths count: Int) throws {
            paths = Paths(count)
            selector = try PathSelector(PolicySpecification(parsing: policy), seed: 1)
            paths.fill(&set, &builder, &clock)
        }

        /// Decides on unchanged features.
        mutating func decide() {
            _ = selector.decide(set, burst: paths.burst, now: paths.now, into: &decision)
            sum &+= decision.chosen
        }

        /// Decides after some time has passed, which changes the ages of all paths.
        mutating func decideLater() {
            paths.now += .microseconds(20)
            paths.fill(&set, &builder, &clock)
            decide()
        }
    }

    private static func decisions() throws {
        for count in [2, 4, 8] {
            for policy in ["min-rtt", "steady", "lin-ucb:features=16", "lin-ucb", "learned"] {
                var sender = try Sender(policy, paths: count)
                let cost = measure(steps: 100_000) { _ in sender.decide() }
                let spread = quantiles(steps: 100_000) { _ in sender.decide() }
                report(
                    "decide \(policy), \(count) paths, features given",
                    "\(cost.text); \(spread.text)")
                let wholeCost = measure(steps: 100_000) { _ in sender.decideLater() }
                let wholeSpread = quantiles(steps: 100_000) { _ in sender.decideLater() }
                report(
                    "decide \(policy), \(count) paths, with features",
                    "\(wholeCost.text); \(wholeSpread.text)")
                // The same after an acknowledgement on every path, whose own cost is shown below.
                let news = measure(steps: 100_000) { _ in
                    sender.paths.acknowledge()
                    sender.decideLater()
                }
                let without = measure(steps: 100_000) { _ in sender.paths.acknowledge() }
                report(
                    "decide \(policy), \(count) paths, after news of all",
                    "\(number(news.time - without.time)) ns")
                precondition(sender.sum >= 0)
            }
        }
    }

    /// Times scores of candidates and one update, by the number of features and without a policy.
    private static func kernels() {
        for features in [16, 24] {
            let size = features + 1
            let stride = SmallKernels.stride(size)
            let theta = [Double](repeating: 0.1, count: 3 * stride)
            var p = [Double](repeating: 0, count: size * stride)
            for index in 0..<size { p[index * (stride + 1)] = 1 }
            let x = (0..<(8 * features)).map { Double($0 % 17) / 17 - 0.5 }
            var means = [Double](repeating: 0, count: 3 * SmallKernels.candidateLimit)
            var spreads = [Double](repeating: 0, count: SmallKernels.candidateLimit)
            for count in [2, 4, 8] {
                let cost = measure(steps: 200_000) { _ in
                    SmallKernels.score(
                        theta: theta, models: 1, p: p, size: features, stride: stride, x: x,
                        step: features, count: count, means: &means, spreads: &spreads)
                }
                report("score \(count) candidates, d = \(features), with spreads", cost.text)
            }
            var posterior = LinearPosterior(prior: LinearPrior(size: features, lambda: 1))
            var row = [Double](repeating: 0, count: SmallKernels.stride(features))
            let cost = measure(steps: 200_000) { step in
                row[step % features] = Double(step % 13) / 13 - 0.5
                posterior.learn(row, target: 0.1, decay: 0.99999)
            }
            report("update of a regression, d = \(features)", cost.text)
        }
        report("instruction set of the kernels", SmallKernels.target)
    }

    private static func learning() throws {
        var paths = Paths(4)
        var builder = CandidateBuilder()
        var clock = Paths.clock
        var set = CandidateSet()
        paths.fill(&set, &builder, &clock)
        for policy in ["lin-ucb:features=16", "lin-ucb", "learned"] {
            var selector = try PathSelector(PolicySpecification(parsing: policy), seed: 1)
            var now = paths.now
            let cost = measure(steps: 100_000) { step in
                now += .milliseconds(1)
                let outcome = Outcome(
                    decision: UInt64(step), delivery: 0.03 + 0.001 * Double(step % 7),
                    isLate: false, deadline: 1, packets: 9, lostPackets: 0, closedAt: now)
                selector.learn(
                    Feedback(
                        features: set[step % 4].features,
                        predictedDelivery: set[step % 4].predictedDelivery, burst: paths.burst,
                        outcome: outcome, now: now, path: set[step % 4].path))
            }
            report("learn \(policy), one outcome", cost.text)
        }
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
