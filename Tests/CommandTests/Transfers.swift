import Glibc
import Testing

/// Two key pairs in a folder, and their public keys.
struct KeyPairs {
    let folder = Scratch()
    let server: String
    let client: String

    init() throws {
        server = try KeyPairs.make(folder.file("server.key"))
        client = try KeyPairs.make(folder.file("client.key"))
    }

    private static func make(_ file: String) throws -> String {
        let run = try Pathwise.run("keygen", file)
        #expect(run.status == 0)
        return run.output.split(separator: "\n").first.map(String.init) ?? ""
    }

    var serverFile: String { folder.file("server.key") }
    var clientFile: String { folder.file("client.key") }
}

/// A receiver that listens on two ports of its own choice.
struct ListeningReceiver {
    let process: Pathwise
    let ports: [String]

    init(_ keys: KeyPairs, output: String, _ more: String...) throws {
        process = try Pathwise(
            [
                "receive", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--key",
                keys.serverFile, "--allow", keys.client, "--output", output,
            ] + more)
        var found: [String] = []
        for _ in 0..<500 where found.count < 2 {
            usleep(20_000)
            found = process.errorText.split(separator: "\n").compactMap { line in
                line.hasPrefix("listening on ") ? String(line.dropFirst(13)) : nil
            }
        }
        try #require(found.count == 2, "the receiver does not listen: \(process.errorText)")
        ports = found
    }

    var to: [String] { ports.flatMap { ["--to", $0] } }
}
