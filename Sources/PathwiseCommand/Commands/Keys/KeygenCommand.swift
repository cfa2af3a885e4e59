import ArgumentParser
import PathTransport

struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Make a key.",
        discussion: """
            With FILE the private key goes into a new file that only you can read, and the
            public key is printed; give it to the other side. Without FILE the private key
            is printed.

            Examples:
              pathwise keygen alice.key
              pathwise keygen --psk shared.key     both sides need this same file
            """
    )

    @Flag(help: "Make a pre-shared key instead, a second secret for both sides.")
    var psk = false

    @Argument(help: "The file to create; an existing one is never overwritten.")
    var file: String?

    func run() throws {
        StandardStreams.ignoreBrokenPipes()
        if psk {
            let key = try PresharedKey.generate()
            if let file {
                try KeyFile.write(key, to: file)
            } else {
                try Console.standardOutput.write(key.base64 + "\n")
            }
            return
        }
        let key = try PrivateKey.generate()
        guard let file else {
            try Console.standardOutput.write(key.base64 + "\n")
            return
        }
        try Console.standardOutput.checkIsOpen(
            for: "and the public key goes there; open it, or send it to a file")
        try KeyFile.write(key, to: file)
        do throws(CommandFailure) {
            try Console.standardOutput.write(key.publicKey.base64 + "\n")
        } catch {
            var failure = error
            failure.message += "; the key is in \(file), and 'pathwise pubkey \(file)' prints "
            failure.message += "its public key"
            throw failure
        }
    }
}
