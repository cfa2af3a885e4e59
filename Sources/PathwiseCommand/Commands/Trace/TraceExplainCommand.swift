import ArgumentParser
import PathLearning
import PathReport
import PathTelemetry
import PathTrace

extension TraceCommand {
    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "explain",
            abstract: "Explain which path a policy prefers in one decision, and why.",
            discussion: """
                Shows each path's score, which the policy minimises, and the three inputs that
                change it most: the change of the score if only that input is set to its mean
                over the paths. A learning policy uses its initial model, without what it would
                have learned during the connection.

                Examples:
                  pathwise trace explain run.trace --decision 1200 --policy steady
                  pathwise trace explain run.trace --decision 1200 --policy model.safetensors
                """
        )

        @Argument(help: "The trace.")
        var trace: String

        @Option(
            help: ArgumentHelp(
                "The decision's number within its session, from 0.", valueName: "number"))
        var decision: UInt64

        @Option(
            help: ArgumentHelp(
                "The session, as trace info numbers it (default: the first).",
                valueName: "number"))
        var session: Int?

        @Option(
            help: ArgumentHelp("A policy's name or a model file.", valueName: "policy"),
            transform: { try PolicyArgument(parsing: $0) })
        var policy: PolicyArgument

        @OptionGroup var output: OutputOptions

        func run() throws {
            let reader = try TraceReader(path: trace)
            let sessions = try reader.sessions()
            guard
                let found = session.map({ wanted in
                    sessions.first { Int($0.id.rawValue) == wanted }
                }) ?? sessions.first
            else {
                throw CommandFailure(
                    "'\(trace)' has no session \(session.map(String.init) ?? "at all"); see "
                        + "'pathwise trace info \(trace)'", .dataError)
            }
            var names = [String](repeating: "", count: PathID.limit)
            for path in try reader.paths(of: found.id) {
                names[path.info.path.index] = path.info.name
            }
            let (specification, model, label) = try policy.load()
            let selector = try PathSelector(
                try specification.resolved(names: names), model: model, seed: 0)
            var cursor = try reader.batches(
                of: found.id, columns: [.candidates, .distributions])
            var batch = DecisionBatch()
            while try cursor.next(into: &batch) {
                guard let index = batch.numbers.firstIndex(of: decision) else { continue }
                var candidates = CandidateSet()
                batch.fillCandidates(of: index, into: &candidates)
                let text = ExplanationText(
                    policy: label, names: names, taken: batch.actions[index],
                    explanations: selector.explain(candidates, burst: batch.bursts[index]))
                return try output.print {
                    text.summary
                } json: {
                    text.json
                }
            }
            throw CommandFailure(
                "session \(found.id.rawValue) of '\(trace)' has no decision \(decision)",
                .dataError)
        }
    }
}
