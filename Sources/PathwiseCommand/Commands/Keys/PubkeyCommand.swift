import ArgumentParser
import PathTransport

struct PubkeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pubkey",
        abstract: "Print the public key of a private key.",
        discussion: """
            Examples:
              pathwise pubkey alice.key
              ssh server cat bob.key | pathwise pubkey -
            """
    )

    @Argument(help: "The private key's file, or - for standard input.")
    var file: String

    func run() throws {
        let key: PrivateKey
        if file == "-" {
            key = try StandardInput.privateKey()
        } else {
            key = try KeyFile.readPrivateKey(from: file)
        }
        try Console.standardOutput.write(key.publicKey.base64 + "\n")
    }
}
