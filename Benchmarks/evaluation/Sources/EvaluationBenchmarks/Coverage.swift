import Glibc
import PathTelemetry

@testable import PathEvaluation

/// Measures the coverage of nominal 95 % intervals: three worlds, four actions, contexts of three
/// normal numbers, rewards of zero or one, and a deliberately biased reward model.
enum Coverage {
    /// Weights of the rewards, of the softmax logging policies, and the scores' offset under the
    /// epsilon-greedy one: normal numbers, drawn once.
    private static let rewardWeights = [
        [-0.8019314252534474, -1.324358995628145, -0.24836162209524854, 0.4204452380655215],
        [1.1360465324896427, 0.10970639932180819, -0.5526473205362324, -0.7847803553442784],
        [0.7487457707345911, 1.6347830429585775, 0.27276877584472176, -1.2333286640307717],
    ]
    private static let loggingWeights = [
        [-1.738266398496882, -1.3366427931811324, -1.361106708564987, -0.35161713127840977],
        [-2.3125815796967033, -0.18889719608460778, -0.957229228096346, 0.8936001849299788],
        [0.956847237579234, 1.3922582291390866, 0.7674701130947078, -0.053029778757267734],
    ]
    private static let offsets = [
        1.0531157544867582, 1.776491303816993, -2.5532918384570134, -0.13796506137840808,
    ]

    enum World: String, CaseIterable {
        case softmax
        case greedy = "epsilon-greedy 0.1"
        case heavy
    }

    private struct Round {
        var logging: [Double]
        var evaluated: [Double]
        var means: [Double]
    }

    private static func normal(_ generator: inout SeededGenerator) -> Double {
        NormalDistribution.quantile(max(1e-16, generator.uniform()))
    }

    private static func scores(_ x: [Double], _ weights: [[Double]]) -> [Double] {
        (0..<4).map { k in x[0] * weights[0][k] + x[1] * weights[1][k] + x[2] * weights[2][k] }
    }

    private static func greedy(_ scores: [Double], _ epsilon: Double) -> [Double] {
        var best = 0
        for index in 1..<4 where scores[index] > scores[best] { best = index }
        return (0..<4).map { epsilon / 4 + ($0 == best ? 1 - epsilon : 0) }
    }

    private static func round(_ world: World, _ generator: inout SeededGenerator) -> Round {
        let x = (0..<3).map { _ in normal(&generator) }
        let rewards = scores(x, rewardWeights)
        let means = rewards.map { 1 / (1 + exp(-($0 * 0.8 + 0.8))) }
        switch world {
        case .greedy:
            return Round(
                logging: greedy(zip(rewards, offsets).map { $0 + 1.5 * $1 }, 0.1),
                evaluated: greedy(rewards, 0.02), means: means)
        case .softmax, .heavy:
            let strength = world == .softmax ? 0.6 : 1.6
            return Round(
                logging: softmax(scores(x, loggingWeights).map { $0 * strength }),
                evaluated: softmax(rewards.map { $0 * 1.5 }), means: means)
        }
    }

    /// The value of the evaluated policy over many contexts.
    private static func truth(_ world: World) -> Double {
        var generator = SeededGenerator(seed: 123)
        var values = Moments()
        for _ in 0..<1_000_000 {
            let round = round(world, &generator)
            values.add(zip(round.evaluated, round.means).reduce(0) { $0 + $1.0 * $1.1 })
        }
        return values.mean
    }

    private struct Tally {
        var covered = 0
        var width = 0.0
    }

    static func run(repeats: Int) {
        for (world, count) in [
            (World.softmax, 500), (.greedy, 500), (.greedy, 5000), (.heavy, 500), (.heavy, 5000),
        ] {
            let truth = truth(world)
            var names: [String] = []
            var tallies: [String: Tally] = [:]
            var size = 0.0
            for seed in 0..<repeats {
                var generator = SeededGenerator(seed: UInt64(1000 + seed))
                let sample = sample(world, count, &generator)
                size += sample.size / Double(repeats)
                for (name, interval) in sample.intervals {
                    if tallies[name] == nil { names.append(name) }
                    tallies[name, default: Tally()].covered += interval.contains(truth) ? 1 : 0
                    tallies[name, default: Tally()].width += interval.high - interval.low
                }
            }
            print(
                "\n\(world.rawValue), n = \(count), effective share \(rounded(size)), "
                    + "truth \(rounded(truth)), \(repeats) repeats")
            for name in names { report(name, tallies[name] ?? Tally(), repeats) }
        }
        autocorrelated(repeats: repeats)
    }

    private static func report(_ name: String, _ tally: Tally, _ repeats: Int) {
        let share = 100 * Double(tally.covered) / Double(repeats)
        let text = name + String(repeating: " ", count: max(1, 44 - name.count))
        print("  \(text) \(rounded(share)) %   width \(rounded(tally.width / Double(repeats)))")
    }

    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

    private static func sample(
        _ world: World, _ count: Int, _ generator: inout SeededGenerator
    ) -> (intervals: [(String, Interval)], size: Double) {
        var weights: [Double] = []
        var rewards: [Double] = []
        var modelled: [Double] = []
        var direct: [Double] = []
        for _ in 0..<count {
            let round = round(world, &generator)
            let action = draw(round.logging, generator.uniform())
            let model = round.means.map { min(1, max(0, $0 * 0.8 + 0.12)) }
            weights.append(round.evaluated[action] / round.logging[action])
            rewards.append(generator.uniform() < round.means[action] ? 1 : 0)
            modelled.append(model[action])
            direct.append(zip(round.evaluated, model).reduce(0) { $0 + $1.0 * $1.1 })
        }
        var sums = OffPolicySums()
        var block = RowBlock()
        for index in weights.indices {
            block.append(
                OffPolicyRow(
                    weight: weights[index], reward: rewards[index], modelled: modelled[index],
                    direct: direct[index]))
            if block.isFull || index == weights.count - 1 {
                sums.add(block)
                block.removeAll()
            }
        }
        var intervals: [(String, Interval)] = []
        for estimator in [Estimator.ips, .snips, .dr, .sndr, Estimator(.dm)] {
            if let estimate = sums.estimate(estimator) {
                let interval = estimate.normal(confidence: 0.95)
                intervals.append(("\(estimator), \(interval.method)", interval))
            }
        }
        if let estimate = sums.estimate(.dr) {
            let interval = estimate.student(
                confidence: 0.95, effectiveSampleSize: sums.effectiveSampleSize)
            intervals.append(("dr, \(interval.method)", interval))
        }
        let largest = 2 * sums.largestWeight
        intervals.append(
            (
                "Cressie-Read, declared largest weight",
                CressieRead(sums, largestWeight: largest)
                    .interval(rewards: 0...1, confidence: 0.95)
            ))
        intervals.append(
            ("Cressie-Read", CressieRead(sums).interval(rewards: 0...1, confidence: 0.95)))
        intervals.append(
            (
                "Maurer-Pontil, declared largest weight",
                FiniteSample.maurerPontil(sums.inverse, range: 0...largest, confidence: 0.95)
            ))
        intervals.append(
            (
                "betting sequence",
                BettingSequence.interval(weights: weights, rewards: rewards, confidence: 0.95)
            ))
        intervals.append(
            (
                "asymptotic sequence of DR",
                AsymptoticSequence.interval(
                    sums.doublyRobust, confidence: 0.95, narrowestAt: Double(count))
            ))
        return (intervals, sums.effectiveSampleSize / Double(count))
    }

    /// Rewards have a slow disturbance common to all actions, so decisions are autocorrelated.
    private static func autocorrelated(repeats: Int) {
        let count = 4000
        var tallies = [Tally](repeating: Tally(), count: 5)
        let names = [
            "dr, normal", "dr, block bootstrap", "dr, batch means", "dr, auto",
            "snips, block bootstrap",
        ]
        for seed in 0..<repeats {
            var generator = SeededGenerator(seed: UInt64(5000 + seed))
            var options = AnalysisOptions()
            options.estimators = [.dr, .snips]
            options.resamples = 400
            var analyses = [IntervalMethod.normal, .blockBootstrap, .batchMeans, .automatic].map {
                method in
                var own = options
                own.interval = method
                return PolicyAnalysis(options: own, hasModel: true)
            }
            var level = 0.0
            for row in 0..<count {
                level = 0.95 * level + 0.1 * normal(&generator)
                let action = generator.uniform() < 0.6 ? 0 : 1
                let reward = (action == 0 ? 0.4 : 0.6) + level + 0.3 * normal(&generator)
                let weight = action == 0 ? 0.3 / 0.6 : 0.7 / 0.4
                for index in analyses.indices {
                    analyses[index].add(
                        OffPolicyRow(weight: weight, reward: reward, modelled: 0.5, direct: 0.5),
                        RowFacts(
                            row: row, propensity: action == 0 ? 0.6 : 0.4,
                            agreement: action == 0 ? 0.3 : 0.7, outcome: reward, action: action))
                }
            }
            for index in analyses.indices { analyses[index].finish() }
            let intervals =
                analyses.map { $0.estimates[0].interval } + [analyses[1].estimates[1].interval]
            for (index, interval) in intervals.enumerated() {
                tallies[index].covered += interval.contains(0.3 * 0.4 + 0.7 * 0.6) ? 1 : 0
                tallies[index].width += interval.high - interval.low
            }
        }
        print("\nautocorrelated rewards (0.95 a step), n = \(count), \(repeats) repeats")
        for (name, tally) in zip(names, tallies) { report(name, tally, repeats) }
    }
}
