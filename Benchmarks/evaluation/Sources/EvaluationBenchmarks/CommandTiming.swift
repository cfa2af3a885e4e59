import Glibc
import PathTelemetry

/// Times the whole command (reading a CSV of 100,000 rounds, the cross-fitted reward model, all
/// estimators and their intervals) and its start.
enum CommandTiming {
    static func run(_ program: String) {
        guard let scratch = Scratch() else { return }
        let file = scratch.path + "/log.csv"
        write(rounds: 100_000, to: file)
        Child.report("--version", runs: 5, [program, "--version"])
        Child.report("evaluate --help", runs: 5, [program, "evaluate", "--help"])
        let evaluate = [program, "evaluate", "--log", file]
        Child.report("evaluate --log, usual", runs: 5, evaluate)
        Child.report("evaluate --log, all", runs: 5, evaluate + ["--estimator", "all", "--json"])
    }

    /// Times the command on a log with its reward model, which is written first if missing: the
    /// estimators that Open Bandit Pipeline has, then all with their tuning.
    static func run(_ program: String, on file: String, rounds: Int) {
        if access(file, F_OK) != 0 { writeWithModel(rounds: rounds, to: file) }
        let evaluate = [program, "evaluate", "--log", file]
        Child.report("evaluate --log, usual", runs: 5, evaluate)
        let eleven = [
            "ips", "ips-clip=10", "snips", "dm", "dr", "sndr", "dr-clip=10", "switch-dr=10",
            "dr-os=10", "sg-ips=0.1", "sg-dr=0.1",
        ].flatMap { ["--estimator", $0] }
        Child.report("evaluate --log, eleven", runs: 5, evaluate + eleven)
        Child.report("evaluate --log, all tuned", runs: 5, evaluate + ["--estimator", "all"])
        Child.report(
            "evaluate --log, 1000 resamples", runs: 1, evaluate + ["--interval", "bootstrap"])
    }

    /// Four actions and a softmax of random scores, with moderate overlap.
    private static func writeWithModel(rounds: Int, to path: String) {
        guard let file = fopen(path, "w") else { return }
        defer { fclose(file) }
        var generator = SeededGenerator(seed: 3)
        func names(_ prefix: String) -> String {
            (0..<4).map { ",\(prefix)\($0)" }.joined()
        }
        fputs("action,reward,pscore" + names("pi_e_") + names("q_hat_") + "\n", file)
        for _ in 0..<rounds {
            let scores = (0..<4).map { _ in 4 * generator.uniform() - 2 }
            let logging = softmax(scores.map { 0.5 * $0 })
            let means = scores.map { 1 / (1 + exp(-$0)) }
            let action = draw(logging, generator.uniform())
            let reward = generator.uniform() < means[action] ? 1 : 0
            let model = means.map { min(1, max(0, $0 + 0.1 * generator.uniform() - 0.05)) }
            let numbers = [logging[action]] + softmax(scores.map { 1.5 * $0 }) + model
            fputs("\(action),\(reward),", file)
            fputs(numbers.map(\.description).joined(separator: ",") + "\n", file)
        }
    }

    /// Four actions, three numbers of context, and no reward model, so that the command fits one.
    private static func write(rounds: Int, to path: String) {
        guard let file = fopen(path, "w") else { return }
        defer { fclose(file) }
        var generator = SeededGenerator(seed: 5)
        let actions = 4
        func names(_ prefix: String) -> String {
            (0..<actions).map { ",\(prefix)\($0)" }.joined()
        }
        fputs("action,reward,pscore" + names("pi_e_") + names("pi_b_") + ",x0,x1,x2\n", file)
        for _ in 0..<rounds {
            let context = (0..<3).map { _ in 2 * generator.uniform() - 1 }
            let scores = (0..<actions).map { context[0] * Double($0) - context[$0 % 3] }
            let logging = softmax(scores.map { 0.3 * $0 })
            let evaluated = softmax(scores)
            let action = draw(logging, generator.uniform())
            let reward = generator.uniform() < 1 / (1 + exp(-scores[action])) ? 1 : 0
            let numbers = [logging[action]] + evaluated + logging + context
            fputs("\(action),\(reward),", file)
            fputs(numbers.map(\.description).joined(separator: ",") + "\n", file)
        }
    }
}
