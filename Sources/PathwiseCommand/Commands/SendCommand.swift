import ArgumentParser
import PathLearning
import PathNetwork
import PathTelemetry
import Pathwise

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send files, folders or standard input over all paths.",
        discussion: """
            Without --path every usable interface is a path. The receiver confirms each item
            with its SHA-256 when it is on its disk; what it already has is not sent again.
            'pathwise topic sending' tells more and the exit codes, 'pathwise topic paths'
            what --path takes, and 'pathwise policies' what --policy takes.

            Examples:
              pathwise send film.mkv --server studio       a server that was joined
              tar c . | pathwise send - --to server:7000 --key alice.key --peer bob.pub
              pathwise send data/ --path dsl=eth0 --path lte=wwan0,price=5
            """
    )

    @Argument(help: "A file, a directory, or - for standard input.")
    var inputs: [String]

    @OptionGroup var server: ServerOptions

    @OptionGroup var transfer: TransferOptions

    @Option(help: ArgumentHelp("A path to use; repeat for each.", valueName: "spec"))
    var path: [String] = []

    @OptionGroup var interfaces: InterfaceOptions

    @Option(
        help: ArgumentHelp(
            "The policy: a name or a model file (default: learned).", valueName: "policy"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Judge this policy beside the one that decides.", valueName: "policy"))
    var shadow: String?

    // A number with a sign is parsed as a wrong value and not as another option.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Seed of the policy's random choices (default: from the system).",
            valueName: "number"), transform: SeedArgument.seed)
    var seed: UInt64?

    @OptionGroup var config: ConfigOptions

    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard let command = try configured() else { return }
        try await SendJob.run(command)
    }
}
