import Glibc
import PathTelemetry

@testable import PathEvaluation

/// The synthetic simulations of Zhan (2021): arms that are best in different contexts.
///
/// There are four arms, each of them best in a quarter of the contexts, noise with a deviation of
/// one, batches of 100 after 200, and a floor of `t^-0.8 / 4`. Arms are drawn by linear Thompson
/// sampling, one of the authors' agents. Source: Zhan, Hadad, Hirshberg and Athey, "Off-policy
/// evaluation via adaptive weighting with data from contextual bandits", 2021, section 5.
enum ContextExperiments {
    private static let arms = 4
    private static let size = 4
    private static let signal = 0.5
    private static let split = 0.5
    private static let draws = 100

    /// A ridge regression of one arm's rewards on a constant and three numbers.
    private struct Arm {
        var gram = (0..<size).map { row in (0..<size).map { $0 == row ? 1.0 : 0 } }
        var target = [Double](repeating: 0, count: size)
        var squares = 0.0
        var count = 0.0

        mutating func add(_ x: [Double], _ y: Double) {
            for row in 0..<size {
                for column in 0..<size { gram[row][column] += x[row] * x[column] }
                target[row] += x[row] * y
            }
            squares += y * y
            count += 1
        }

        /// The lower factor of the Gram matrix.
        var factor: [[Double]] {
            var lower = gram
            for column in 0..<size {
                for row in column..<size {
                    var sum = gram[row][column]
                    for k in 0..<column { sum -= lower[row][k] * lower[column][k] }
                    lower[row][column] =
                        row == column ? max(1e-12, sum).squareRoot() : sum / lower[column][column]
                }
            }
            return lower
        }

        /// Solves with the transposed factor.
        static func back(_ lower: [[Double]], _ values: [Double]) -> [Double] {
            var result = values
            for row in (0..<size).reversed() {
                for k in row + 1..<size { result[row] -= lower[k][row] * result[k] }
                result[row] /= lower[row][row]
            }
            return result
        }

        func weights(_ lower: [[Double]]) -> [Double] {
            var result = target
            for row in 0..<size {
                for k in 0..<row { result[row] -= lower[row][k] * result[k] }
                result[row] /= lower[row][row]
            }
            return Arm.back(lower, result)
        }
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for index in 0..<size { sum += a[index] * b[index] }
        return sum
    }

    /// The best arm of a context, whose first number is the constant.
    private static func best(_ x: [Double]) -> Int {
        (x[1] > split ? 2 : 0) + (x[2] > split ? 1 : 0)
    }

    private struct Log {
        var contexts: [[Double]] = []
        var scores: [[Double]] = []
        /// The batch of each decision, and each batch's probabilities in every context.
        var batches: [Int] = []
        var chances: [[[Double]]] = []
    }

    private static func run(_ count: Int, _ generator: inout SeededGenerator) -> Log {
        var log = Log()
        log.contexts = (0..<count).map { _ in
            [1, generator.normal(), generator.normal(), generator.normal()]
        }
        var models = [Arm](repeating: Arm(), count: arms)
        var start = 0
        while start < count {
            let end = min(count, start == 0 ? 200 : start + 100)
            let factors = models.map(\.factor)
            let weights = zip(models, factors).map { $0.weights($1) }
            let chances =
                start == 0
                ? log.contexts.map { _ in [Double](repeating: 0.25, count: arms) }
                : thompson(log.contexts, models, factors, weights, start, &generator)
            log.chances.append(chances)
            var pairs: [(x: [Double], arm: Int, reward: Double)] = []
            for t in start..<end {
                let x = log.contexts[t]
                let arm = start == 0 ? t % arms : draw(chances[t], generator.uniform())
                let reward = (best(x) == arm ? signal : 0) + generator.normal()
                log.batches.append(log.chances.count - 1)
                log.scores.append(
                    (0..<arms).map { other in
                        let expected = start == 0 ? 0 : dot(weights[other], x)
                        return other == arm
                            ? expected + (reward - expected) / chances[t][arm] : expected
                    })
                pairs.append((x, arm, reward))
            }
            for (x, arm, reward) in pairs { models[arm].add(x, reward) }
            start = end
        }
        return log
    }

    private static func thompson(
        _ contexts: [[Double]], _ models: [Arm], _ factors: [[[Double]]], _ weights: [[Double]],
        _ time: Int, _ generator: inout SeededGenerator
    ) -> [[Double]] {
        let samples = (0..<draws).map { _ in
            (0..<arms).map { arm in
                let error = models[arm].squares - dot(models[arm].target, weights[arm])
                let spread = max(1e-9, error / max(1, models[arm].count)).squareRoot()
                let noise = Arm.back(factors[arm], (0..<size).map { _ in generator.normal() })
                return (0..<size).map { weights[arm][$0] + spread * noise[$0] }
            }
        }
        let floor = 0.25 * pow(Double(time), -0.8)
        return contexts.map { x in
            var wins = [Double](repeating: 0, count: arms)
            for sample in samples {
                var (winner, most) = (0, -Double.infinity)
                for arm in 0..<arms {
                    let value = dot(sample[arm], x)
                    if value > most { (winner, most) = (arm, value) }
                }
                wins[winner] += 1 / Double(draws)
            }
            return ArmExperiments.floored(wins, floor)
        }
    }

    private static let policies = ["random", "optimal", "best arm", "optimal - best arm"]

    private static func policy(_ index: Int, _ x: [Double]) -> [Double] {
        let right = (0..<arms).map { $0 == best(x) ? 1.0 : 0 }
        let first = (0..<arms).map { $0 == 0 ? 1.0 : 0 }
        switch index {
        case 0: return [0.25, 0.25, 0.25, 0.25]
        case 1: return right
        case 2: return first
        default: return zip(right, first).map { $0 - $1 }
        }
    }

    static func report(repeats: Int, decisions: Int) {
        let lower = erfc(-split / 2.0.squareRoot()) / 2
        let share = lower * lower
        let truths = [signal / 4, signal, signal * share, signal * (1 - share)]
        let names = [
            "DR", "StableVar", "MinVar", "StableVar by context", "MinVar by context",
        ]
        var covered = policies.map { _ in names.map { _ in 0 } }
        var (width, square) = (
            policies.map { _ in names.map { _ in 0.0 } },
            policies.map { _ in names.map { _ in 0.0 } }
        )
        let quantile = NormalDistribution.quantile(0.975)
        for seed in 0..<repeats {
            var generator = SeededGenerator(seed: UInt64(9000 + seed))
            let log = run(decisions, &generator)
            for index in policies.indices {
                let shares = log.contexts.map { policy(index, $0) }
                let scores = zip(log.scores, shares).map { dot($0, $1) }
                let variances = log.chances.map { chances in
                    zip(shares, chances).map {
                        ContextualWeights.variance(policy: $0, propensities: $1)
                    }
                }
                let variance = { (decision: Int, other: Int) in
                    variances[log.batches[decision]][other]
                }
                for (place, found) in estimates(scores, index == 3, variance).enumerated() {
                    let half = quantile * found.variance.squareRoot()
                    let error = found.value - truths[index]
                    if error.magnitude <= half { covered[index][place] += 1 }
                    width[index][place] += 2 * half / Double(repeats)
                    square[index][place] += error * error / Double(repeats)
                }
            }
        }
        print(
            "\nContexts by Thompson sampling (Zhan 2021), T = \(decisions), \(repeats) experiments")
        print("95 % intervals: covered, mean width; root mean square error")
        for index in policies.indices {
            print("  \(policies[index]), truth \(ArmExperiments.rounded(truths[index]))")
            for (place, name) in names.enumerated() {
                let gap = String(repeating: " ", count: 22 - name.count)
                let share = 100 * Double(covered[index][place]) / Double(repeats)
                print(
                    "    \(name)\(gap) \(ArmExperiments.rounded(share)) %, "
                        + "\(ArmExperiments.rounded(width[index][place])), "
                        + "\(ArmExperiments.rounded(square[index][place].squareRoot()))")
            }
        }
    }

    private static func estimates(
        _ scores: [Double], _ isDifference: Bool,
        _ variance: (_ decision: Int, _ other: Int) -> Double
    ) -> [(value: Double, variance: Double)] {
        func weighted(_ weights: [Double]) -> (value: Double, variance: Double) {
            var sums = AdaptiveSums(.uniform)
            for (score, weight) in zip(scores, weights) { sums.add(score, weight: weight) }
            return (sums.mean, sums.variance)
        }
        let free = [AdaptiveRule.stable, .least].map { rule in
            weighted(
                ContextualWeights.byMean(
                    rule, count: scores.count, regularised: isDifference, variance: variance))
        }
        let byContext = [AdaptiveRule.stable, .least].map { rule in
            ContextualWeights.estimate(rule, scores: scores, variance: variance)
        }
        return [weighted(scores.map { _ in 1 })] + free + byContext
    }
}
