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
            Without --path every usable interface is a path; paths come and go with their
            interfaces. Those of --exclude-interface are left out, and so are those of containers
            and virtual machines:
              \(PathPlanner.containerInterfaces.joined(separator: " "))
            A path tries each address of the server that its interface may reach until one
            answers. [fe80::1%eth0]:7000 is a server on the link of eth0.

            The receiver confirms each item with its SHA-256 when it is on its disk.
            What it has already is not sent again: after a break, send the same again.

            Of a folder everything is sent with its permissions and times: files, folders, and
            links as links. Pipes, sockets and devices in it, and files that a receiver has not
            finished, are named and left out. A file that grows is sent with the size that it had
            at first; one that shrinks fails. One item that fails does not keep the others.

            Exit codes: 74 when some items were not sent, and the end names each; with one item
            alone the code of its failure. With --json the object is printed however it ends: the
            items with their fates, and under "error" what the last line says and its exit code.

            A path is \(PathArgument.form)

            Policies, for --policy:
            \(PolicyArgument.catalogue)
              FILE.safetensors, the learned policy starting from a trained model; a file put in
              its place, or SIGHUP, makes a running sender go on from the new one

            Examples:
              pathwise send film.mkv --to server:7000 --key alice.key --peer BOBS_PUBLIC_KEY
              tar c . | pathwise send - --to server:7000 --key alice.key --peer bob.pub
              pathwise send data/ --to 192.0.2.1:7000 --to 198.51.100.1:7000 --key alice.key \\
                --peer bob.pub --path dsl=eth0 --path lte=wwan0,price=5 --record run.trace
            """
    )

    @Argument(help: "A file, a directory, or - for standard input.")
    var inputs: [String]

    @Option(
        help: ArgumentHelp("The server; repeat for each of its addresses.", valueName: "host:port"))
    var to: [String]

    @Option(help: ArgumentHelp("The server's public key, or a file with it.", valueName: "key"))
    var peer: String

    @OptionGroup var transfer: TransferOptions

    @Option(help: ArgumentHelp("A path to use; repeat for each.", valueName: "spec"))
    var path: [String] = []

    @OptionGroup var interfaces: InterfaceOptions

    @Option(
        help: ArgumentHelp("How paths are chosen: a name or a model file.", valueName: "policy"))
    var policy = "learned"

    // A number with a sign is parsed as a wrong value and not as another option.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Seed of the policy's random choices (default: drawn from the system).",
            valueName: "number"), transform: SeedArgument.seed)
    var seed: UInt64?

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await SendJob.run(self)
    }
}
