import ArgumentParser
import Pathwise

struct ReceiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Receive files, directories or a stream.",
        discussion: """
            Only clients whose public keys are given with --allow are let in. What is not complete
            keeps the name NAME\(ItemStore.partialSuffix).

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
            "A directory, a file for a single item, or - for standard output.",
            valueName: "place"))
    var output = "."

    @Flag(help: "End after the first client.")
    var once = false

    @OptionGroup var format: OutputOptions

    func run() async throws {
        try await ReceiveJob(self).run()
    }
}
