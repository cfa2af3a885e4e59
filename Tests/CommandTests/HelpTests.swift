import Glibc
import Testing

/// The help of every command, letter by letter; PATHWISE_RECORD=1 writes the files anew.
struct HelpTests {
    private static let folder =
        #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/Golden"

    private func compare(_ found: String, with name: String) {
        let path = HelpTests.folder + "/" + name
        if getenv("PATHWISE_RECORD") != nil { write(Array(found.utf8), to: path) }
        #expect(found == text(of: path))
    }

    @Test(arguments: [
        "", "demo", "send", "receive", "keygen", "pubkey", "train", "evaluate", "emulate", "trace",
        "trace info", "trace explain", "trace export", "trace verify", "trace merge",
        "trace import", "model",
        "model info", "model verify",
    ])
    func help(command: String) throws {
        let words = command.split(separator: " ").map(String.init)
        let run = try Pathwise(words + ["--help"]).wait()
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        // The root's list grows with the commands: its own text stands in its commands' files.
        if command.isEmpty {
            for name in ["train", "evaluate", "emulate", "trace", "model", "keygen", "pubkey"] {
                #expect(run.output.contains("\n  \(name) "))
            }
        } else {
            compare(run.output, with: "help-" + words.joined(separator: "-") + ".txt")
            #expect(run.output.contains("pathwise \(command)"))
            #expect(run.output.contains("Example"))
        }
    }

    @Test func version() throws {
        let run = try Pathwise.run("--version")
        #expect(run.output == "0.1.0\n")
        #expect(run.status == 0)
    }

    @Test func withoutArgumentsItHelps() throws {
        let run = try Pathwise.run()
        #expect(run.output.hasPrefix("OVERVIEW: Send over several network paths"))
        #expect(run.status == 0)
    }
}
