import ArgumentParser
import Pathwise

struct ReceiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Receive files, directories or a stream.",
        discussion: """
            Only clients whose public keys are given with --allow can connect. An item has
            its name only when all of it is on the disk, and its sender knows then.
            'pathwise topic receiving' tells where items go, what happens to a name that
            exists, and the exit codes.

            Examples:
              pathwise receive --listen 0.0.0.0:7000 --key bob.key --allow alice.pub
              pathwise receive --listen 192.0.2.1:7000 --listen 198.51.100.1:7000 \\
                --key bob.key --allow ALICES_PUBLIC_KEY --once --output - | tar x
            """
    )

    @Option(
        help: ArgumentHelp("An address to listen on; repeat for each.", valueName: "address:port"))
    var listen: [String]

    @Option(
        help: ArgumentHelp(
            "A client's public key, or a file with it; repeat for each.", valueName: "key"))
    var allow: [String]

    @Option(help: ArgumentHelp("This side's private key.", valueName: "file"))
    var key: String

    @OptionGroup var transfer: TransferOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "A folder, a file for a single item, or - for standard output.",
            valueName: "place"))
    var output = "."

    @Option(
        help: ArgumentHelp(
            "What to do with an item whose name exists.",
            valueName: "rule"))
    var onConflict = ConflictChoice.rename

    @Flag(
        help: """
            Do not wait for the disk: this is faster, but a power failure may lose items that \
            were reported as stored.
            """)
    var noSync = false

    @Flag(help: "End after the first client; others are told to try again.")
    var once = false

    @OptionGroup var format: LogOptions

    func run() async throws {
        try await ReceiveJob.run(self)
    }
}

/// The values of `--on-conflict`.
enum ConflictChoice: String, CaseIterable, ExpressibleByArgument {
    case rename, refuse, replace

    var rule: ConflictRule {
        switch self {
        case .rename: .rename
        case .refuse: .refuse
        case .replace: .replace
        }
    }
}
