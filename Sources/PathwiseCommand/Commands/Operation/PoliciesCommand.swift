import ArgumentParser
import PathLearning

struct PoliciesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policies",
        abstract: "List the policies, or show the parameters of one.",
        discussion: """
            A policy chooses the path of each burst. Commands take it as --policy NAME, or
            as --policy NAME:PARAMETER=VALUE,PARAMETER=VALUE; parameters that are not named
            keep their defaults. Times of parameters are in seconds.

            Examples:
              pathwise policies
              pathwise policies learned
              pathwise policies --json
            """
    )

    @Argument(help: "A policy, to show its parameters.")
    var name: String?

    @OptionGroup var output: OutputOptions

    func run() throws {
        let all = PolicySpecification.catalogue
        guard let name else {
            return try output.print {
                PoliciesText.list()
            } json: {
                PoliciesText.json(all)
            }
        }
        let specification = try PolicySpecification(parsing: name)
        for policy in all where policy.name == specification.name {
            try output.print {
                PoliciesText.details(of: policy)
            } json: {
                PoliciesText.json([policy])
            }
        }
    }
}
