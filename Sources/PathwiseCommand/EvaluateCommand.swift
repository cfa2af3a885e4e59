import ArgumentParser
import PathEvaluation
import PathLearning
import PathReport
import PathTrace

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Estimate from recordings what other policies would have achieved.",
        discussion: """
            The reward of a decision is minus its cost: the logarithm of the delivery time, one
            for being late, and the price. 0.1 more is about ten percent faster. Each policy gets
            a verdict on whether its estimates deserve belief; 'gain' is the paired difference to
            what was recorded. Record with a policy that explores (lin-ucb, weighted), else there
            is nothing to learn about the actions not taken.

            Policies, besides 'logged' (the one that recorded) and model files:
            \(PolicyArgument.catalogue)

            Examples:
              pathwise evaluate run.trace --policy steady --policy model.safetensors
              pathwise evaluate run.trace --policy min-rtt --estimator dr --json
              pathwise evaluate *.trace --policy earliest --report evaluation.html
            """
    )

    /// What is evaluated: the recorded probabilities, or a policy.
    enum Subject {
        case logged
        case policy(PolicyArgument)
    }

    /// The estimators to report.
    enum Choice: String, CaseIterable, ExpressibleByArgument {
        case ips
        case snips
        case dm
        case dr
        case sndr
        case all
    }

    @Argument(help: ArgumentHelp("Traces written by --record.", valueName: "trace"))
    var traces: [String]

    @Option(
        name: .customLong("policy"),
        help: ArgumentHelp(
            "A policy's name or a model file; repeat for more.", valueName: "policy"),
        transform: { $0 == "logged" ? .logged : .policy(try PolicyArgument(parsing: $0)) })
    var policies: [Subject] = []

    @Option(help: "Which estimator to report.")
    var estimator = Choice.all

    @Option(
        help: ArgumentHelp("Confidence of the intervals (default: 0.95).", valueName: "share"),
        transform: { try ShareArgument.share($0) })
    var confidence = 0.95

    @Flag(help: "Let learning policies learn from the log as it goes, as a live sender does.")
    var online = false

    @Option(help: ArgumentHelp("Also write a page with plots.", valueName: "file.html"))
    var report: String?

    @OptionGroup var output: OutputOptions

    func run() throws {
        guard !policies.isEmpty else {
            throw CommandFailure("no policy to evaluate; give --policy, as --policy steady", .usage)
        }
        guard confidence > 0, confidence < 1 else {
            throw CommandFailure("--confidence \(confidence): between 0 and 1, as 0.95", .usage)
        }
        let subjects = try policies.map(evaluated)
        let readers = try traces.map { try TraceReader(path: $0) }
        var display = ProgressDisplay()
        let result = try TraceEvaluation().evaluate(readers, policies: subjects) { done, all in
            display.update([ProgressDisplay.bar("evaluating", done: done, of: all)])
        }
        display.clear()
        let text = EvaluationText(
            report: result, estimators: try chosen(from: result), confidence: confidence)
        if let report {
            var file = try OutputFile(report)
            try file.write(try text.page(readers).html())
            try file.close()
        }
        try output.print {
            text.summary
        } json: {
            text.json
        }
    }

    private func evaluated(_ subject: Subject) throws(LearningError) -> EvaluatedPolicy {
        switch subject {
        case .logged: return .logged
        case .policy(let argument):
            let (specification, model, label) = try argument.load()
            return .policy(
                specification, model: model, mode: online ? .online : .frozen, label: label)
        }
    }

    private func chosen(from report: EvaluationReport) throws -> [Estimator] {
        guard let wanted = Estimator(parsing: estimator.rawValue) else { return report.estimators }
        guard report.estimators.contains(wanted) else {
            throw CommandFailure(
                "no reward model could be fitted to \(report.evaluated) decisions, so "
                    + "\(wanted) is not to be had; record more, or use --estimator snips",
                .dataError)
        }
        return [wanted]
    }
}
