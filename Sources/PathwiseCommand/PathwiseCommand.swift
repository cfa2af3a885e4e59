import ArgumentParser

@main
struct PathwiseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pathwise",
        abstract: "Send over several network paths, and learn which to use.",
        version: "0.1.0"
    )
}
