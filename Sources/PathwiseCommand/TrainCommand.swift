import ArgumentParser
import PathLearning
import Pathwise

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model from recorded traces.",
        discussion: """
            Fits a ridge regression to how much longer deliveries took than the heuristic
            predicted. The end of every session is held out to measure the model; the file holds
            the model that was measured. Send with it: --policy MODEL.

            Examples:
              pathwise train monday.trace tuesday.trace --output model.safetensors
              pathwise train run.trace --output model.safetensors --lambda 10 --holdout 0
            """
    )

    @Argument(help: ArgumentHelp("Traces written by --record.", valueName: "trace"))
    var traces: [String]

    @Option(
        help: ArgumentHelp(
            "The model file to write; an older one is replaced.", valueName: "model"))
    var output: String

    @Option(
        help: ArgumentHelp(
            "The penalty; repeat to choose among several by cross-validation. Without it, of "
                + "0.1 to 1000.", valueName: "number"))
    var lambda: [Double] = []

    @Option(
        help: ArgumentHelp(
            "Share of each session, from its end, that measures and does not train (default: 0.2).",
            valueName: "share"),
        transform: { try ShareArgument.share($0) })
    var holdout = 0.2

    @OptionGroup var format: OutputOptions

    func run() throws {
        guard holdout <= 0.9 else {
            throw CommandFailure("--holdout \(holdout): at most 0.9, else nothing trains", .usage)
        }
        var training = TraceTraining()
        training.holdout = holdout
        if !lambda.isEmpty {
            guard lambda.allSatisfy({ $0 > 0 && $0.isFinite }) else {
                throw CommandFailure("--lambda: give numbers above zero", .usage)
            }
            training.lambdas = lambda
        }
        var display = ProgressDisplay()
        let result = try training.train(traces, programVersion: PathwiseVersion.text) { done, all in
            display.update([ProgressDisplay.bar("reading", done: done, of: all)])
        }
        display.clear()
        try result.model.save(output)
        try format.print {
            TrainingText.summary(result, output: output)
        } json: {
            TrainingText.json(result, output: output)
        }
    }
}
