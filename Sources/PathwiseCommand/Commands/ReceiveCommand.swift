import ArgumentParser
import Pathwise

struct ReceiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Receive files, directories or a stream.",
        discussion: """
            Only clients whose public keys are given with --allow are let in. Each item is written
            beside its place under a name of its own, read back, compared with the sender's
            SHA-256, put on the disk, and then gets its name: only then is the sender told that it
            is stored. A large item that was cut off goes on where it was when it is sent again.
            A line is printed for each item: time, client, outcome, kind, bytes, rate, SHA-256,
            place; folders and links without figures.

            Where items go, by --output:
              a folder             below it, under the senders' names
              NAME/                the same; the folder is made if it is not there
              NAME, not there yet  a single file becomes NAME; of several items, or of a folder,
                                   a folder NAME is made
              NAME, a file         a single file, by --on-conflict; several items are refused
              -                    standard output, one item after the other; a client that
                                   breaks off in the middle of one ends the receiver

            When the name of a file or link is taken, by --on-conflict:
              rename               the item becomes the first free one of NAME.1, NAME.2, ...
              refuse               the item is not stored, and its sender is told
              replace              the item takes the place of a file or link, never of a folder
            The same content with the same time under the same name is no conflict. A folder is
            merged with the one that is there; it never takes the place of a file or link.

            Exit codes: 74 when some items were not stored, and the log names them; 69 when a
            client was lost; 130 and 143 after Ctrl-C and SIGTERM.

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

    @OptionGroup var transfer: TransferOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "A folder, a file for a single item, or - for standard output.",
            valueName: "place"))
    var output = "."

    @Option(
        help: ArgumentHelp(
            "What becomes of an item whose name is taken.",
            valueName: "rule"))
    var onConflict = ConflictChoice.rename

    @Flag(
        help: """
            Do not wait for the disk: faster, and a loss of power may take items that were \
            reported as stored.
            """)
    var noSync = false

    @Flag(help: "End after the first client; others are told to come again.")
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
