import ArgumentParser
import PathReport
import PathTelemetry

struct TopicCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic",
        abstract: "Explain what the help of a command is too short for.",
        discussion: """
            \(HelpTopic.list)

            Examples:
              pathwise topic
              pathwise topic forwards
            """
    )

    @Argument(help: "The topic (default: lists all).")
    var name: String?

    @OptionGroup var output: OutputOptions

    func run() throws {
        guard let name else {
            return try output.print {
                HelpTopic.list + "\n"
            } json: {
                .array(HelpTopic.catalogue.map(\.json))
            }
        }
        guard let topic = HelpTopic.catalogue.first(where: { $0.name == name }) else {
            let names = HelpTopic.catalogue.map(\.name)
            let near = NearestName.find(name, among: names).map { "; did you mean '\($0)'?" }
            throw CommandFailure(
                "no topic is called '\(name)'" + (near ?? "; 'pathwise topic' lists them"), .usage)
        }
        try output.print {
            topic.text + "\n"
        } json: {
            topic.json
        }
    }
}
