import Glibc
import Testing

/// The help of every command, character by character; PATHWISE_UPDATE_GOLDEN=1 writes the files
/// instead.
struct HelpTests {
    private static let folder =
        #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/Golden"

    private func compare(_ found: String, with name: String) {
        let path = HelpTests.folder + "/" + name
        if getenv("PATHWISE_UPDATE_GOLDEN") != nil { write(Array(found.utf8), to: path) }
        #expect(found == text(of: path))
    }

    @Test(arguments: [
        "", "demo", "serve", "invite", "join", "forward", "send", "receive", "keygen", "pubkey",
        "train", "simulate", "world", "world show", "world random", "world check",
        "evaluate", "emulate", "trace",
        "trace info", "trace explain", "trace export", "trace verify", "trace merge",
        "trace import", "model",
        "model info", "model verify", "policies", "config", "config check",
        "config show", "config example", "status", "doctor",
    ])
    func help(command: String) throws {
        let words = command.split(separator: " ").map(String.init)
        let run = try Pathwise(words + ["--help"]).wait()
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        // The root's list of commands grows; the commands' texts are in their own files.
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

    /// Help that cannot be printed is an error.
    @Test(arguments: [
        (["--help"], ">&-", "it is closed"), (["send", "--help"], ">/dev/full", "No space left"),
        (["--version"], ">/dev/full", "No space left"), (["--version"], ">&-", "it is closed"),
        (["model", "--help"], ">/dev/full", "No space left"), ([], ">&-", "it is closed"),
        (["help", "keygen"], ">/dev/full", "No space left"),
    ])
    func outputThatFails(arguments: [String], redirection: String, reason: String) throws {
        let run = try Pathwise(arguments, shell: "exec \"$@\" \(redirection)").wait()
        #expect(run.status == 74, "\(arguments) \(redirection)")
        let line = try #require(run.errorLine, "\(run.errors)")
        #expect(line.hasPrefix("pathwise: cannot write to standard output: "), "\(line)")
        #expect(line.contains(reason), "\(line)")
    }

    @Test func withoutArgumentsItHelps() throws {
        let run = try Pathwise.run()
        #expect(run.output.hasPrefix("OVERVIEW: Send over several network paths"))
        #expect(run.status == 0)
    }
}
