import Glibc
import PathTelemetry

/// The whole command: reading a CSV of 100,000 rounds, the cross-fitted reward model, all
/// estimators and their intervals; and how long it takes to start.
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

    /// Four actions, three numbers of context, no reward model: that one is to be fitted.
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
