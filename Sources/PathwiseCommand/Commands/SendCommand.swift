import ArgumentParser
import PathLearning
import PathNetwork
import PathTelemetry
import Pathwise

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send files, directories or standard input over all paths.",
        discussion: """
            Without --path every usable interface is a path; paths appear and disappear with their
            interfaces. Interfaces of --exclude-interface are left out, and so are those of
            containers and virtual machines:
              \(PathPlanner.containerInterfaces.joined(separator: " "))
            A path tries each address of the server that its interface may reach until one
            answers. [fe80::1%eth0]:7000 is a server on the link of eth0.

            The receiver confirms each item with its SHA-256 when it is on its disk. Bytes that it
            already has are not sent again: after an interruption, send the same items again.

            A folder is sent with all its files, folders and links (as links), their permissions
            and times. Pipes, sockets and devices in it, and unfinished files of a receiver, are
            reported and left out. A file that grows is sent with its first size; one that shrinks
            fails. A failed item does not stop the others.

            The exit code is 74 if some items were not sent, and the last lines name each; a
            single item gives the code of its failure. With --json the object is always printed,
            with the outcomes of all items, and under "error" the last line and its exit code.

            A path is \(PathArgument.form)
            At its cap a path becomes standby: it carries data only while no other path works.

            Policies, for --policy, are those of 'pathwise policies'. FILE.safetensors is the learned
            policy, started from a trained model; a running sender loads a new model when the file
            is replaced, or on SIGHUP.

            Examples:
              pathwise send film.mkv --server studio       a server that was joined
              pathwise send film.mkv --to server:7000 --key alice.key --peer BOBS_PUBLIC_KEY
              tar c . | pathwise send - --to server:7000 --key alice.key --peer bob.pub
              pathwise send data/ --to 192.0.2.1:7000 --to 198.51.100.1:7000 --key alice.key \\
                --peer bob.pub --path dsl=eth0 --path lte=wwan0,price=5 --record run.trace
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
