import ArgumentParser
import PathTransport

struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Make a key.",
        discussion: """
            With FILE the private key goes into a new file that only you can read, and the public
            key is printed; give it to the other side. Without FILE the private key is printed.

            Examples:
              pathwise keygen alice.key
              pathwise keygen --psk shared.key     both sides need this same file
            """
    )

    @Flag(help: "Make a pre-shared key instead, a second secret for both sides.")
    var psk = false

    @Argument(help: "The file to make; an existing one is never overwritten.")
    var file: String?

    func run() throws {
        if psk {
            let key = try PresharedKey.generate()
            if let file {
                try KeyFile.write(key, to: file)
            } else {
                try Console.standardOutput.write(key.base64 + "\n")
            }
        } else {
            let key = try PrivateKey.generate()
            if let file { try KeyFile.write(key, to: file) }
            let text = file == nil ? try key.base64 : key.publicKey.base64
            try Console.standardOutput.write(text + "\n")
        }
    }
}
