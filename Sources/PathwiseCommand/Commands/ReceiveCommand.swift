import ArgumentParser
import Pathwise

struct ReceiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Receive files, directories or a stream.",
        discussion: """
            Only clients whose public keys are given with --allow can connect. Each item is
            written to a temporary file in its destination folder, read back, compared with the
            sender's SHA-256, synchronised to the disk, and renamed: only then is the sender told
            that it is stored. Sending a large item again resumes an interrupted transfer.
            A line is printed for each item: time, client, outcome, kind, bytes, rate, SHA-256,
            place; folders and links have no figures.

            Where items are stored, by --output:
              a folder             below it, under the senders' names
              NAME/                the same; the folder is created if missing
              NAME, if missing     a single file becomes NAME; several items, or a folder, go into
                                   a new folder NAME
              NAME, a file         a single file, by --on-conflict; several items are refused
              -                    standard output, one item after the other; the receiver ends if
                                   a client breaks off in the middle of one

            If the name of a file or link exists, by --on-conflict:
              rename               the item gets the first free name of NAME.1, NAME.2, ...
              refuse               the item is not stored, and its sender is told
              replace              the item replaces a file or link, never a folder
            The same content with the same time under the same name is no conflict. A folder is
            merged with an existing one; it never replaces a file or link.

            The exit code is 74 if some items were not stored, and the log names them; 69 if a
            client was lost; 130 after Ctrl-C, 143 after SIGTERM, and 129 when its terminal is
            closed, unless it was started with nohup.

            Examples:
              pathwise receive --listen 0.0.0.0:7000 --key bob.key --allow alice.pub --output in/
              pathwise receive --listen 192.0.2.1:7000 --listen 198.51.100.1:7000 --key bob.key \\
                --allow ALICES_PUBLIC_KEY --once --output - | tar x
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
