import Glibc
import PathEvaluation
import PathTelemetry
import PathTrace

/// Times of the estimators in memory (`time`), of the command (`command`), of the command on a
/// large trace (`trace`); how often the intervals hold the truth (`coverage`); the large trace alone
/// (`record`).
@main
enum EvaluationBenchmarks {
    static func main() {
        let words = CommandLine.arguments
        let number = words.count > 2 ? Int(words[2]) : nil
        let program = words.count > 2 ? words[2] : ""
        switch words.count > 1 ? words[1] : "" {
        case "time": Timing.run(rounds: number ?? 1_000_000, log: words.count > 3 ? words[3] : nil)
        case "coverage": Coverage.run(repeats: number ?? 1000)
        case "command": CommandTiming.run(program)
        case "trace":
            TraceTiming.run(
                program, decisions: (words.count > 3 ? Int(words[3]) : nil) ?? 10_000_000)
        case "record":
            do throws(TraceError) {
                try TraceTiming.record(
                    (words.count > 3 ? Int(words[3]) : nil) ?? 1_000_000, to: program)
            } catch {
                print("record: \(error.description)")
            }
        default:
            print(
                "usage: EvaluationBenchmarks time [rounds [log]] | coverage [repeats] | "
                    + "command PATHWISE | trace PATHWISE [decisions] | record TRACE [decisions]")
        }
    }
}

/// Times of the estimators over columns in memory, one thread.
enum Timing {
    static func run(rounds: Int, log path: String?) {
        let log = softmaxLog(rounds)
        if let path { write(log, to: path) }
        let given = [
            "ips", "ips-clip=10", "snips", "dm", "dr", "sndr", "dr-clip=10", "switch-dr=10",
            "dr-os=10", "sg-ips=0.1", "sg-dr=0.1", "replay", "cressie-read",
        ].compactMap { Estimator(parsing: $0) }
        var value = 0.0
        let alone = median { value = log.estimate(.dr)?.value ?? .nan }
        print("dr alone              \(milliseconds(alone))   value \(value)")
        var sums = OffPolicySums()
        let all = median { sums = log.sums(scores: Estimator.scores(for: given)) }
        print("all, \(given.count) estimators    \(milliseconds(all))")
        for estimator in given {
            print("  \(estimator) \(sums.estimate(estimator)?.value ?? .nan)")
        }
        let tuned = median {
            sums = log.sums(scores: Estimator.scores(for: Estimator.all))
        }
        print("all 16 names, tuned   \(milliseconds(tuned))")
        let scores = log.scores()
        var interval: Interval?
        let start = now()
        var bootstrap = PoissonBootstrap(columns: 1, resamples: 1000, seed: 1)
        scores.withUnsafeBufferPointer { scores in
            guard let base = scores.baseAddress else { return }
            var first = 0
            while first < scores.count {
                let count = min(RowBlock.capacity, scores.count - first)
                bootstrap.add([base + first], count: count)
                first += count
            }
        }
        interval = bootstrap.interval(confidence: 0.95) { $0[1] / $0[0] }?.interval
        print(
            "1000 Poisson resamples of DR \(milliseconds(now() - start))   "
                + "\(interval?.low ?? .nan) ... \(interval?.high ?? .nan)")
        let normal = sums.estimate(.dr)?.normal(confidence: 0.95)
        print("normal interval of DR \(normal?.low ?? .nan) ... \(normal?.high ?? .nan)")
    }

    /// The median of five runs, seconds.
    private static func median(_ work: () -> Void) -> Double {
        var times: [Double] = []
        for _ in 0..<5 {
            let start = now()
            work()
            times.append(now() - start)
        }
        return times.sorted()[2]
    }

    /// Four actions, softmax of random scores: mild overlap.
    private static func softmaxLog(_ rounds: Int) -> BanditLog {
        var generator = SeededGenerator(seed: 3)
        var log = BanditLog(actionCount: 4)
        var scores = [0.0, 0, 0, 0]
        for _ in 0..<rounds {
            for action in 0..<4 { scores[action] = 4 * generator.uniform() - 2 }
            let logging = softmax(scores.map { 0.5 * $0 })
            let means = scores.map { 1 / (1 + exp(-$0)) }
            let action = draw(logging, generator.uniform())
            log.append(
                action: action, reward: generator.uniform() < means[action] ? 1 : 0,
                propensity: logging[action], evaluated: softmax(scores.map { 1.5 * $0 }),
                expected: means.map { min(1, max(0, $0 + 0.1 * generator.uniform() - 0.05)) })
        }
        return log
    }

    private static func write(_ log: BanditLog, to path: String) {
        func column(_ name: String, _ values: [Double]) {
            guard let file = fopen("\(path).\(name)", "wb") else { return }
            values.withUnsafeBytes { _ = fwrite($0.baseAddress, 1, $0.count, file) }
            fclose(file)
        }
        column("action", log.actions.map(Double.init))
        column("reward", log.rewards)
        column("pscore", log.propensities)
        column("pi_e", log.evaluated)
        column("q_hat", log.expected)
        if let file = fopen(path + ".shape", "w") {
            fputs("\(log.count) \(log.actionCount)\n", file)
            fclose(file)
        }
    }
}

func softmax(_ scores: [Double]) -> [Double] {
    let top = scores.max() ?? 0
    let powers = scores.map { exp($0 - top) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
}

func draw(_ probabilities: [Double], _ uniform: Double) -> Int {
    var sum = 0.0
    for (index, probability) in probabilities.enumerated() {
        sum += probability
        if uniform < sum { return index }
    }
    return probabilities.count - 1
}
