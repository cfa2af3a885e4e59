public import ArgumentParser
public import PathEvaluation
import PathLearning
import PathReport
import PathTrace

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Estimate what other policies would have achieved.",
        discussion: """
            Each policy gets a verdict, and values with intervals. 'pathwise topic
            evaluation' says what they mean, 'pathwise topic estimators' lists estimators.

            Examples:
              pathwise evaluate run.trace --policy steady --policy model.safetensors
              pathwise evaluate --log all.csv --columns open-bandit --policy uniform
            """
    )

    /// The subject of an evaluation: the recorded probabilities, or a policy.
    enum Subject {
        case logged
        case policy(PolicyArgument)
        /// A policy of a log of bandit data.
        case bandit(LogPolicy)
    }

    @Argument(
        help: ArgumentHelp(
            "Traces written by --record, or folders of them; with --merge, files of statistics.",
            valueName: "trace"))
    var traces: [String] = []

    @Option(help: ArgumentHelp("Logged bandit data instead of traces.", valueName: "file.csv"))
    var log: String?

    @Option(
        help: ArgumentHelp(
            "How --log names its columns: open-bandit, dsjson, or pairs as action=arm.",
            valueName: "names"),
        transform: { try LogColumnsArgument.columns($0) })
    var columns: LogColumns?

    @Option(
        name: .customLong("policy"),
        help: ArgumentHelp(
            "A policy's name or a model file; repeat for more.", valueName: "policy"),
        transform: { text in
            if text == "logged" { return .logged }
            if let policy = LogPolicy(parsing: text) { return .bandit(policy) }
            return .policy(try PolicyArgument(parsing: text))
        })
    var policies: [Subject] = []

    @Option(
        name: .customLong("estimator"),
        help: ArgumentHelp(
            "An estimator, or all; repeat for more.",
            valueName: "name[=lambda]"),
        transform: { try EstimatorArgument(parsing: $0) })
    var estimators: [EstimatorArgument] = []

    @Option(help: "How to choose an estimator's parameter that is not given.")
    var tune = Tuning.Method.slope

    @Option(help: "The kind of interval.")
    var interval = IntervalMethod.automatic

    @OptionGroup var intervals: IntervalOptions

    @Option(
        help: ArgumentHelp(
            "The range of rewards (default: 0..1, or as observed).",
            valueName: "low..high"),
        transform: { try RewardRangeArgument.range($0) })
    var rewardRange: ClosedRange<Double>?

    @Option(
        help: ArgumentHelp("The largest possible weight, if known.", valueName: "weight"))
    var largestWeight: Double?

    @Option(help: ArgumentHelp("Resamples of the bootstraps.", valueName: "count"))
    var resamples = 1000

    @Option(help: "Seed of the bootstraps.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "Also compare with this one of the policies, paired by decision.", valueName: "policy"))
    var baseline: String?

    @Option(
        help: ArgumentHelp(
            "Cost of a late burst, in logarithms of time (default: 1).",
            valueName: "weight"))
    var lateness: Double?

    @Option(
        help: ArgumentHelp(
            "Cost of one unit of your currency in the value (default: 1000).",
            valueName: "weight"))
    var price: Double?

    @Flag(help: "Decide deploy, hold or reject, by a confidence sequence.")
    var gate = false

    @Option(
        help: ArgumentHelp(
            "The smallest gain for which --gate deploys (default: 0.01).", valueName: "share"))
    var margin: Double?

    @Flag(help: "Exit with 65 if a verdict is 'do not trust'.")
    var strict = false

    @Flag(help: "Leave out invalid rows of --log, and count them.")
    var skipRefused = false

    @Flag(help: "Let learning policies learn along the log, like a live sender.")
    var online = false

    @Option(
        help: ArgumentHelp(
            "Write sums for --merge instead of a report.",
            valueName: "file"))
    var statistics: String?

    @Flag(help: "Evaluate from files of --statistics instead of traces.")
    var merge = false

    @Option(help: ArgumentHelp("Also write a page with plots.", valueName: "file.html"))
    var report: String?

    @OptionGroup var output: OutputOptions

    func run() throws {
        try check()
        let result: EvaluationReport
        var readers: [TraceReader] = []
        if let log {
            let subjects = try policies.map { try banditPolicy($0) }
            let columns = columns ?? .standard
            result = try LogEvaluation(options: options).evaluate(
                LogReader.read(
                    log, columns: columns, skipsRefused: skipRefused,
                    needsPolicy: subjects.isEmpty || subjects.contains(.recorded)),
                policies: subjects.isEmpty ? [.recorded] : subjects)
        } else if merge || statistics != nil {
            let sums = try sums()
            if let statistics { return try write(sums, statistics) }
            var options = options
            if estimators.isEmpty { options.estimators = sums.settings.estimators }
            result = try sums.report(options)
        } else {
            let subjects = try policies.map(evaluated)
            readers = try RecordingFolder.expanded(traces).map { try TraceReader(path: $0) }
            var display = ProgressDisplay()
            result = try evaluation.evaluate(readers, policies: subjects) { done, all in
                display.update([ProgressDisplay.bar("evaluating", done: done, of: all)])
            }
            display.clear()
            for reader in readers { try TraceText.warn(of: reader) }
        }
        try checkEstimators(result)
        let text = EvaluationText(report: result)
        if let report {
            var file = try OutputFile(report)
            let name = log ?? traces.joined(separator: ", ")
            try file.write(try text.page(readers, name: name).html())
            try file.close()
        }
        try output.print {
            text.summary
        } json: {
            result.json()
        }
        if strict, result.verdict == .doNotTrust {
            let reasons = result.verdicts.filter { $0.contains("do not trust") }
            throw CommandFailure(
                "--strict: " + reasons.joined(separator: " "), .dataError)
        }
    }

    private var evaluation: TraceEvaluation {
        var evaluation = TraceEvaluation(options: options)
        evaluation.baseline = baseline
        if let lateness { evaluation.cost.lateness = lateness }
        if let price { evaluation.cost.perUnit = price }
        return evaluation
    }

    /// The sums of traces, or of files of sums.
    private func sums() throws -> EvaluationStatistics {
        if merge {
            return try EvaluationStatistics.merge(
                try traces.map { try EvaluationStatistics.load($0) })
        }
        let subjects = try policies.map(evaluated)
        let readers = try RecordingFolder.expanded(traces).map { try TraceReader(path: $0) }
        var display = ProgressDisplay()
        let sums = try evaluation.statistics(readers, policies: subjects) { done, all in
            display.update([ProgressDisplay.bar("evaluating", done: done, of: all)])
        }
        display.clear()
        for reader in readers { try TraceText.warn(of: reader) }
        return sums
    }

    private func write(_ sums: EvaluationStatistics, _ file: String) throws {
        try sums.save(file)
        let decisions = sums.parts.reduce(0) { $0 + $1.decisions }
        try output.print {
            "sums of \(sums.parts.count == 1 ? "1 trace" : "\(sums.parts.count) traces") with "
                + "\(decisions) decisions written to \(file)\n"
        } json: {
            [
                "statistics": .string(file), "traces": .count(sums.parts.count),
                "decisions": .count(decisions),
            ]
        }
    }

    private var options: AnalysisOptions {
        var options = AnalysisOptions()
        if !estimators.isEmpty { options.estimators = estimators.flatMap(\.estimators) }
        options.tuning = Tuning(method: tune)
        options.interval = interval
        options.confidence = intervals.confidence
        options.rewardRange = rewardRange
        options.largestWeight = largestWeight
        options.resamples = resamples
        options.seed = seed
        options.hasGate = gate
        if let margin { options.margin = margin }
        return options
    }

    private func check() throws(CommandFailure) {
        if log != nil {
            guard traces.isEmpty else {
                throw CommandFailure("give traces or --log, not both", .usage)
            }
            guard lateness == nil, price == nil else {
                throw CommandFailure(
                    "--lateness and --price weigh the outcomes of traces; a --log "
                        + "has its own rewards", .usage)
            }
            guard !merge, statistics == nil else {
                throw CommandFailure(
                    "--statistics and --merge are for traces; a --log is evaluated as a whole",
                    .usage)
            }
            guard baseline == nil, !online else {
                throw CommandFailure(
                    "--baseline and --online are for traces; leave them out", .usage)
            }
        } else {
            guard columns == nil else {
                throw CommandFailure("--columns is for --log; add --log FILE", .usage)
            }
            guard !traces.isEmpty else {
                throw CommandFailure(
                    "nothing to evaluate; give a trace, or --log FILE.csv", .usage)
            }
            try checkStatistics()
            guard merge || !policies.isEmpty else {
                throw CommandFailure(
                    "no policy to evaluate; give --policy, as --policy steady", .usage)
            }
            guard !skipRefused else {
                throw CommandFailure(
                    "--skip-refused is for --log; refused rows of traces are always left out",
                    .usage)
            }
        }
        try intervals.check()
        guard (2...1_000_000).contains(resamples) else {
            throw CommandFailure("--resamples \(resamples): from 2 to 1000000, as 1000", .usage)
        }
        if let largestWeight, !(largestWeight > 1 && largestWeight <= 1e50) {
            throw CommandFailure("--largest-weight \(largestWeight): above 1, as 50", .usage)
        }
        for (name, weight) in [("--lateness", lateness), ("--price", price)] {
            if let weight, !(weight >= 0 && weight <= 1e9) {
                throw CommandFailure("\(name) \(weight): from 0 to 1000000000, as 5", .usage)
            }
        }
        if let margin {
            guard gate else {
                throw CommandFailure("--margin is for --gate; add --gate", .usage)
            }
            guard (0...1).contains(margin) else {
                throw CommandFailure("--margin \(margin): from 0 to 1, as 0.01", .usage)
            }
        }
    }

    private func checkStatistics() throws(CommandFailure) {
        if merge {
            guard policies.isEmpty, baseline == nil, !online, lateness == nil, price == nil else {
                throw CommandFailure(
                    "with --merge the sums have their policies, baseline and weights; give "
                        + "--policy, --baseline, --online, --lateness and --price where the sums "
                        + "are made", .usage)
            }
        }
        if statistics != nil {
            guard report == nil, !gate, !strict else {
                throw CommandFailure(
                    "--statistics writes sums and no report; give --report, --gate and --strict "
                        + "where they are evaluated, with --merge", .usage)
            }
        }
    }

    /// Fails for estimators that were requested by name but are not available.
    private func checkEstimators(_ report: EvaluationReport) throws(CommandFailure) {
        for case .one(let estimator) in estimators
        where estimator.kind.needs.contains(.certainPolicy) {
            guard let note = report.policies.lazy.flatMap(\.notes).first else { continue }
            throw CommandFailure(note + "; use --estimator snips", .dataError)
        }
        guard report.model == nil else { return }
        for case .one(let estimator) in estimators
        where estimator.kind.needs.contains(.model) {
            throw CommandFailure(
                "no reward model could be fitted to \(report.evaluated) decisions, so "
                    + "\(estimator) is not available; record more, or use --estimator snips",
                .dataError)
        }
    }

    /// A policy of a log; others need the candidates of a trace.
    private func banditPolicy(_ subject: Subject) throws(CommandFailure) -> LogPolicy {
        switch subject {
        case .logged: return .logged
        case .bandit(let policy): return policy
        case .policy(let policy):
            throw CommandFailure(
                "\(policy) chooses among paths, which a --log does not have; its policies are pi_e, "
                    + "logged, uniform and constant:ACTION", .usage)
        }
    }

    private func evaluated(_ subject: Subject) throws -> EvaluatedPolicy {
        switch subject {
        case .logged: return .logged
        case .bandit(let policy):
            throw CommandFailure(
                "\(policy) is a policy of --log; for traces name one of --help, as single:0",
                .usage)
        case .policy(let argument):
            let (specification, model, label) = try argument.load()
            return .policy(
                specification, model: model, mode: online ? .online : .frozen, label: label)
        }
    }
}

extension Tuning.Method: ExpressibleByArgument {}

extension IntervalMethod: ExpressibleByArgument {}
