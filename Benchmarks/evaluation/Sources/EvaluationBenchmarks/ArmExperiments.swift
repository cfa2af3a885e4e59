import Glibc
import PathTelemetry

@testable import PathEvaluation

/// The simulations of Hadad (2021): three arms, Thompson sampling with a floor of `t^-0.7 / 3`, and
/// 90 % intervals of the arms' values.
///
/// Source: Hadad, Hirshberg, Zhan, Wager and Athey, "Confidence intervals for policy evaluation in
/// adaptive experiments", 2021, section 4.
enum ArmExperiments {
    private static let decay = 0.7
    private static let worlds: [(name: String, means: [Double])] = [
        ("no signal", [1, 1, 1]), ("low signal", [0.9, 1, 1.1]), ("high signal", [0.5, 1, 1.5]),
    ]
    private static let methods = ["equal weights", "constant allocation", "two-point allocation"]

    private struct Experiment {
        var scores: [[Double]] = []
        var chances: [[Double]] = []
    }

    /// Raises probabilities to a floor, at the expense of the others in proportion.
    static func floored(_ chances: [Double], _ floor: Double) -> [Double] {
        let raised = chances.map { max($0, floor) }
        let excess = raised.reduce(0, +) - 1
        let room = raised.reduce(0) { $0 + $1 - floor }
        return room > 0 ? raised.map { $0 - excess * ($0 - floor) / room } : raised
    }

    private static func run(
        _ means: [Double], _ count: Int, _ generator: inout SeededGenerator
    ) -> Experiment {
        let arms = means.count
        var (sums, squares, numbers) = (
            [Double](repeating: 0, count: arms), [Double](repeating: 0, count: arms),
            [Double](repeating: 0, count: arms)
        )
        var experiment = Experiment()
        for t in 0..<count {
            var chances = [Double](repeating: 1 / Double(arms), count: arms)
            // Each arm is drawn five times first.
            var arm = t % arms
            if t >= 5 * arms {
                chances = thompson(sums, squares, numbers, &generator)
                chances = floored(chances, pow(Double(t + 1), -decay) / Double(arms))
                arm = draw(chances, generator.uniform())
            }
            let reward = means[arm] + 2 * generator.uniform() - 1
            experiment.scores.append(
                (0..<arms).map { other in
                    let expected = numbers[other] > 0 ? sums[other] / numbers[other] : 0
                    return other == arm ? expected + (reward - expected) / chances[arm] : expected
                })
            experiment.chances.append(chances)
            sums[arm] += reward
            squares[arm] += reward * reward
            numbers[arm] += 1
        }
        return experiment
    }

    /// The share of twenty draws from the posteriors in which each arm is best.
    private static func thompson(
        _ sums: [Double], _ squares: [Double], _ numbers: [Double],
        _ generator: inout SeededGenerator
    ) -> [Double] {
        var best = [Double](repeating: 0, count: sums.count)
        for _ in 0..<20 {
            var (winner, most) = (0, -Double.infinity)
            for arm in sums.indices {
                let mean = sums[arm] / numbers[arm]
                let variance = max(1e-9, squares[arm] / numbers[arm] - mean * mean)
                let value =
                    numbers[arm] / (variance + numbers[arm]) * mean
                    + generator.normal() / (numbers[arm] / variance + 1).squareRoot()
                if value > most { (winner, most) = (arm, value) }
            }
            best[winner] += 1.0 / 20
        }
        return best
    }

    static func report(repeats: Int, decisions: Int) {
        let quantile = NormalDistribution.quantile(0.95)
        print("\nArms by Thompson sampling (Hadad 2021), T = \(decisions), \(repeats) experiments")
        print("90 % intervals: covered, mean width, bias; of the worst arm and of the best")
        for (name, means) in worlds {
            var covered = methods.map { _ in [0, 0] }
            var width = methods.map { _ in [0.0, 0] }
            var bias = methods.map { _ in [0.0, 0] }
            for seed in 0..<repeats {
                var generator = SeededGenerator(seed: UInt64(7000 + seed))
                let experiment = run(means, decisions, &generator)
                for (place, arm) in [0, 2].enumerated() {
                    let chances = experiment.chances.map { $0[arm] }
                    let weights = [
                        chances.map { _ in 1.0 }, AllocationRate.constant.weights(chances),
                        AllocationRate.twoPoint(decay).weights(chances),
                    ]
                    for (method, weights) in weights.enumerated() {
                        var sums = AdaptiveSums(.uniform)
                        for (scores, weight) in zip(experiment.scores, weights) {
                            sums.add(scores[arm], weight: weight)
                        }
                        let half = quantile * sums.standardError
                        if (sums.mean - means[arm]).magnitude <= half {
                            covered[method][place] += 1
                        }
                        width[method][place] += 2 * half / Double(repeats)
                        bias[method][place] += (sums.mean - means[arm]) / Double(repeats)
                    }
                }
            }
            print("  \(name)")
            for (method, title) in methods.enumerated() {
                let parts = [0, 1].map { place in
                    let share = 100 * Double(covered[method][place]) / Double(repeats)
                    return "\(rounded(share)) %, \(rounded(width[method][place])), "
                        + "\(rounded(bias[method][place]))"
                }
                let gap = String(repeating: " ", count: 22 - title.count)
                print("    \(title)\(gap) \(parts[0])   \(parts[1])")
            }
        }
    }

    static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
