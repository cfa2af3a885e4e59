import Glibc
import PathTrace

/// Times the command on logs of bandit data (`log`, `command`) and on a large trace (`trace`),
/// measures the coverage of the intervals (`coverage`), also for logs of learning policies
/// (`adaptive`), or writes only the large trace (`record`).
///
/// All timings are of what a user runs: the command, including reading its files.
@main
enum EvaluationBenchmarks {
    static func main() {
        let words = CommandLine.arguments
        let number = words.count > 2 ? Int(words[2]) : nil
        let program = words.count > 2 ? words[2] : ""
        switch words.count > 1 ? words[1] : "" {
        case "log" where words.count > 3:
            CommandTiming.run(
                program, on: words[3], rounds: (words.count > 4 ? Int(words[4]) : nil) ?? 1_000_000)
        case "coverage": Coverage.run(repeats: number ?? 1000)
        case "adaptive":
            ArmExperiments.report(
                repeats: number ?? 500,
                decisions: words.count > 3 ? Int(words[3]) ?? 10_000 : 10_000)
            ContextExperiments.report(
                repeats: (number ?? 500) * 2 / 5,
                decisions: words.count > 4 ? Int(words[4]) ?? 3000 : 3000)
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
                "usage: EvaluationBenchmarks log PATHWISE FILE.csv [rounds] | coverage [repeats] | "
                    + "adaptive [repeats [decisions of arms [of contexts]]] | command PATHWISE | trace PATHWISE [decisions] | record TRACE [decisions]"
            )
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
