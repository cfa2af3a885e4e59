public import ArgumentParser
import PathLearning
import PathReport
import PathTelemetry
import PathTrace
public import PathTraining
import Pathwise

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model from recorded traces.",
        discussion: """
            Reads traces of any size in constant memory. The end of every session is held
            out to measure the model. The model file holds the measured model, and FILE.md
            beside it has its figures. To send with it, give --policy FILE.

            Kinds, one or several (default: ridge):
              ridge          how much longer deliveries take than the heuristic predicts
              late           the probability of missing the deadline, calibrated
              neural-linear  as ridge, by a network whose last layer also learns online

            The sender uses the ridge head, and the late head if it has no Fourier features.
            The neural-linear head, Fourier features and calibrated thresholds are trained
            and measured, but the sender does not use them.

            Objectives:
              regression     fit the outcomes of the chosen paths
              ips, dr        learn which path to choose, by propensities or doubly robust

            Examples:
              pathwise train monday.trace tuesday.trace --output model.safetensors
              pathwise train east.trace --statistics east.statistics
              pathwise train --merge east.statistics west.statistics --output model.safetensors
            """
    )

    @Argument(
        help: ArgumentHelp(
            "Traces written by --record, or folders of them; with --merge, files of statistics.",
            valueName: "trace"))
    var traces: [String]

    @Option(
        help: ArgumentHelp(
            "The model file to write; an existing one is replaced.", valueName: "model"))
    var output: String?

    @Option(help: ArgumentHelp("What to train; repeat for several.", valueName: "kind"))
    var kind: [TrainingOptions.Kind] = []

    @Option(
        help: ArgumentHelp(
            "The penalty; repeat to choose among several by cross-validation (default: 0.1 "
                + "to 1000).", valueName: "number"))
    var lambda: [Double] = []

    @Option(
        help: ArgumentHelp(
            "Share of each session, at its end, that is held out to measure (default: 0.2).",
            valueName: "share"),
        transform: { try ShareArgument.share($0) })
    var holdout = 0.2

    @Option(help: ArgumentHelp("The target of the residual.", valueName: "objective"))
    var objective = TrainingOptions.Objective.regression

    @Option(
        help: ArgumentHelp(
            "Weights of decisions: uniform, or inverse-propensity as if all choices had been "
                + "equally likely.", valueName: "weights"))
    var weights = TrainingOptions.Weighting.uniform

    @Option(
        help: ArgumentHelp(
            "Random Fourier features of P(late), 0 to 512.", valueName: "count"))
    var fourier = 0

    @Option(
        help: ArgumentHelp(
            "Widths of the network's layers, separated by commas.", valueName: "widths"),
        transform: { try HiddenArgument.widths($0) })
    var hidden = [32, 16]

    @Option(
        help: ArgumentHelp("Seed of the network and the Fourier features.", valueName: "number"))
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "Write the statistics for ridge to a file, for --merge.", valueName: "file"))
    var statistics: String?

    @Flag(help: "Train from files of --statistics instead of traces.")
    var merge = false

    @OptionGroup var format: OutputOptions

    func run() throws {
        guard output != nil || statistics != nil else {
            throw CommandFailure(
                "nothing to write: name a model by --output or a file by --statistics", .usage)
        }
        let trainer = try ModelTrainer(options)
        let traces = merge ? traces : try RecordingFolder.expanded(traces)
        var display = ProgressDisplay()
        let notes = ["program_version": PathwiseVersion.text]
        let result: TrainingResult?
        if merge || statistics != nil {
            let sums = try sums(of: traces, trainer, &display)
            if let statistics { try sums.save(statistics) }
            result = output == nil ? nil : try trainer.train(sums, notes: notes)
        } else {
            result = try trainer.train(traces, notes: notes) { step, done, all in
                display.update([ProgressDisplay.bar(step, done: done, of: all)])
                return true
            }
        }
        display.clear()
        if !merge { for trace in traces { try TraceText.warn(of: TraceReader(path: trace)) } }
        if let result, let output {
            try result.model.save(output)
            try writeCard(result, output)
            try format.print {
                TrainingText.summary(result, output: output)
            } json: {
                TrainingText.json(result, output: output)
            }
        } else if let statistics {
            try format.print {
                "statistics of \(NumberText.counted(traces.count, "file")) written to \(statistics)\n"
            } json: {
                ["statistics": .string(statistics), "files": .count(traces.count)]
            }
        }
    }

    private var options: TrainingOptions {
        get throws {
            var options = TrainingOptions()
            guard holdout <= 0.9 else {
                throw CommandFailure(
                    "--holdout \(holdout): give at most 0.9", .usage)
            }
            guard lambda.allSatisfy({ $0 > 0 && $0.isFinite }) else {
                throw CommandFailure("--lambda: give numbers above zero", .usage)
            }
            options.holdout = holdout
            if !lambda.isEmpty { options.lambdas = lambda }
            if !kind.isEmpty { options.kinds = Set(kind) }
            options.objective = objective
            options.weighting = weights
            options.fourier = fourier
            options.hidden = hidden
            options.seed = seed
            return options
        }
    }

    private func sums(
        of traces: [String], _ trainer: ModelTrainer, _ display: inout ProgressDisplay
    ) throws -> TrainingStatistics {
        if merge {
            return try TrainingStatistics.merge(
                try traces.map { try TrainingStatistics.load($0) })
        }
        var shown = display
        defer { display = shown }
        return try trainer.statistics(traces) { step, done, all in
            shown.update([ProgressDisplay.bar(step, done: done, of: all)])
            return true
        }
    }

    /// Writes the model card beside the model, with `.md` instead of `.safetensors`.
    private func writeCard(_ result: TrainingResult, _ output: String) throws {
        let ending = ".safetensors"
        let stem = output.hasSuffix(ending) ? String(output.dropLast(ending.count)) : output
        let name = output.split(separator: "/").last.map(String.init) ?? output
        var card = try OutputFile(stem + ".md")
        try card.write(
            ModelCard.text(result, file: name, program: "pathwise \(PathwiseVersion.text)"))
        try card.close()
    }
}

extension TrainingOptions.Kind: ExpressibleByArgument {}
extension TrainingOptions.Weighting: ExpressibleByArgument {}
extension TrainingOptions.Objective: ExpressibleByArgument {}

/// Widths of layers: `32,16`.
enum HiddenArgument {
    static func widths(_ text: String) throws(SyntaxProblem) -> [Int] {
        var widths: [Int] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let width = Int(word), (1...256).contains(width) else {
                throw SyntaxProblem("write widths as 32,16: one to three of 1 to 256")
            }
            widths.append(width)
        }
        guard widths.count <= 3 else { throw SyntaxProblem("at most three layers") }
        return widths
    }
}
