import ArgumentParser
import Glibc
import Testing

@testable import PathwiseCommand

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
        "config show", "config example", "status", "doctor", "reload", "control", "topic",
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

    /// On a terminal of 80 columns the help of each command is one screen and a half.
    @Test func helpIsShort() {
        func check(_ command: any ParsableCommand.Type, _ name: String) {
            let text = PathwiseCommand.helpMessage(for: command, columns: 80)
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            while lines.last?.isEmpty == true { lines.removeLast() }
            // The line of the usage is wrapped by the terminal.
            let shown = lines.reduce(0) { $0 + max(1, ($1.count + 79) / 80) }
            #expect(shown < 60, "\(name): \(shown) lines")
            for line in lines where line.count > 80 && !line.hasPrefix("USAGE: ") {
                Issue.record("\(name): \(line)")
            }
            for child in command.configuration.subcommands {
                check(child, "\(name) \(child.configuration.commandName ?? "")")
            }
        }
        check(PathwiseCommand.self, "pathwise")
    }

    /// What the help is too short for: each topic fits the terminal, and a wrong name is helped.
    @Test func topics() throws {
        for topic in HelpTopic.catalogue {
            let run = try Pathwise.run("topic", topic.name)
            #expect(run.status == 0 && run.output == topic.text + "\n", "\(topic.name)")
            for line in run.output.split(separator: "\n") where line.count > 80 {
                Issue.record("\(topic.name): \(line)")
            }
        }
        #expect(try Pathwise.run("topic").output == HelpTopic.list + "\n")
        let wrong = try Pathwise.run("topic", "forward")
        #expect(wrong.status == 64 && wrong.errors.contains("did you mean 'forwards'?"))
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
