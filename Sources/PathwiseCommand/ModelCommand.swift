import ArgumentParser
import PathLearning

struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Look into model files.",
        discussion: """
            Example:
              pathwise model info model.safetensors
            """,
        subcommands: [Info.self]
    )

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "info",
            abstract: "Say what a model is, what it was trained on and what it learned.",
            discussion: """
                Weights are in units of log delivery time a unit of the scaled feature: 0.1 is
                about ten percent longer than the heuristic predicts.

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
}
