import ArgumentParser
import PathLearning

struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Show and check model files.",
        discussion: """
            Examples:
              pathwise model info model.safetensors
              pathwise model verify *.safetensors
            """,
        subcommands: [Info.self, Verify.self]
    )

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "info",
            abstract: "Show what a model is, what it was trained on and what it learned.",
            discussion: """
                A weight is log delivery time per unit of the scaled feature: 0.1 is about ten
                percent longer than the heuristic predicts.

                Example:
                  pathwise model info model.safetensors
                """
        )

        @Argument(help: "The model file.")
        var model: String

        @OptionGroup var output: OutputOptions

        func run() throws {
            let loaded = try Model.load(model)
            try output.print {
                ModelText.info(loaded, file: model)
            } json: {
                ModelText.json(loaded, file: model)
            }
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Check that model files are complete and valid for this program.",
            discussion: """
                Reads each file as a sender would, and tries its heads on features over their
                whole range. The exit code is 65 if one of them is refused.

                Example:
                  pathwise model verify model.safetensors
                """
        )

        @Argument(help: ArgumentHelp("Model files.", valueName: "model"))
        var models: [String]

        @OptionGroup var output: OutputOptions

        func run() throws {
            let findings = models.map { ModelText.Finding($0) }
            try output.print {
                ModelText.verification(findings)
            } json: {
                ModelText.json(findings)
            }
            if let refused = findings.first(where: { $0.problem != nil }) {
                throw CommandFailure(refused.problem ?? "", refused.status)
            }
        }
    }
}
