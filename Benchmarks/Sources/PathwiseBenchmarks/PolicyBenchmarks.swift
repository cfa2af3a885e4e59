import PathLearning
import PathSimulation
import PathTelemetry

/// Measures the cost of every policy, and the regret of learning policies against the known
/// optimum.
enum PolicyBenchmarks {
    static let all = [
        Benchmark(name: "policies", run: policies),
        Benchmark(name: "regret", run: regret),
    ]

    /// Times decisions and updates of every policy, with features given; none may allocate.
    private static func policies() throws {
        for policy in PolicySpecification.catalogue.map(\.name) {
            for count in [2, 4, 8] {
                var selector = try PathSelector(PolicySpecification(parsing: policy), seed: 1)
                var random = SeededGenerator(seed: 3)
                // The sets are made beforehand, because changing a shared set copies it.
                let sets = (0..<64).map { _ in candidates(count, &random) }
                let set = sets[0]
                let burst = BurstContext(
                    bytes: 10_000, deadline: .seconds(1), trafficClass: .stream)
                var now = Instant.zero
                var latest = Decision()
                let deciding = measure(steps: 20_000) { step in
                    now += .microseconds(100)
                    _ = selector.decide(sets[step & 63], burst: burst, now: now, into: &latest)
                }
                let learning = measure(steps: 20_000) { step in
                    now += .microseconds(100)
                    let path = latest.action.first ?? PathID(0)
                    let outcome = Outcome(
                        decision: UInt64(step), delivery: 0.02 + 0.01 * random.uniform(),
                        isLate: false, deadline: 1, packets: 9, lostPackets: 0, closedAt: now)
                    selector.learn(
                        Feedback(
                            features: set[path.index].features, predictedDelivery: 0.02,
                            burst: burst, outcome: outcome, now: now, path: path,
                            action: latest.action, propensity: latest.propensity,
                            memo: latest.memo))
                }
                report(
                    "\(policy), \(count) paths",
                    "decides in \(deciding.text); learns in \(learning.text)")
            }
        }
    }

    /// Candidates that no safe set excludes, with different features.
    private static func candidates(
        _ count: Int, _ random: inout SeededGenerator
    ) -> CandidateSet {
        var set = CandidateSet()
        for index in 0..<count {
            var candidate = Candidate(path: PathID(index))
            candidate.smoothedRTT = 0.04 + 0.005 * Double(index)
            candidate.rttVariation = 0.004
            candidate.predictedDelivery = 0.02 + 0.01 * random.uniform()
            candidate.room = 100_000
            candidate.congestionWindow = 100_000
            candidate.rate = 1e6
            for feature in 0..<FeatureSchema.count {
                candidate.features[feature] = 2 * random.uniform() - 1
            }
            set.append(candidate)
        }
        return set
    }

    /// The policies of the table, not limited by the safe set.
    private static let contenders = [
        "epsilon-greedy:ratio=1e6", "softmax:ratio=1e6,temperature=0.03,epsilon=0.001",
        "lin-ucb:ratio=1e6,epsilon=0.001", "sliding-lin-ucb:ratio=1e6,epsilon=0.001",
        "discounted-lin-ucb:ratio=1e6,epsilon=0.001",
        "discounted-lin-ucb:ratio=1e6,epsilon=0.001,alpha=0.3,half-life=2.5",
        "lin-ts:ratio=1e6,epsilon=0.001", "squarecb:ratio=1e6,gamma=100", "prune", "exp3",
    ]

    /// Prints regret in percent of that of random choice, with a row for each policy and a column
    /// for each world.
    private static func regret() throws {
        let seeds: ClosedRange<UInt64> = 1...4
        for kind in BanditWorld.Kind.allCases {
            print("\(kind.rawValue): regret, % of random's, at 2, 4, 8 arms; 12,000 steps, 4 seeds")
            for contender in contenders {
                var columns = ""
                for arms in [2, 4, 8] {
                    var own = 0.0
                    var random = 0.0
                    for seed in seeds {
                        let result = try BanditResult.play(
                            PolicySpecification(parsing: contender),
                            in: BanditWorld(kind, arms: arms, steps: 12_000, seed: seed),
                            seed: seed &- 1)
                        own += result.regret
                        random += result.randomRegret
                    }
                    let text = number(100 * own / random)
                    columns += String(repeating: " ", count: max(1, 8 - text.count)) + text
                }
                print(
                    "  \(contender)" + String(repeating: " ", count: 68 - contender.count) + columns
                )
            }
        }
    }
}
