import ArgumentParser
import Dispatch
import PathTransport
import Pathwise

/// The entry point, which runs before the concurrency runtime opens its own files.
@main
enum Entry {
    static func main() {
        StandardStreams.fill()
        // This must precede any use of libcrypto; it keeps keys out of core dumps.
        KeyMemory.protectLibrary()
        Task {
            await Program.run(
                PathwiseCommand.self, arguments: Array(CommandLine.arguments.dropFirst()))
        }
        dispatchMain()
    }
}

struct PathwiseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pathwise",
        abstract: "Send over several network paths, and learn which to use.",
        discussion: """
            A server and its first client:

              server$ pathwise serve --output in/      prints a token
              client$ pathwise join TOKEN
              client$ pathwise forward udp:51820 tcp:8443=web:443 socks:1080

            Reports go to standard output, progress and errors to standard error. Exit codes
            follow sysexits(3); 130 after Ctrl-C. 'pathwise topic' explains more.
            """,
        version: PathwiseVersion.text,
        groupedSubcommands: [
            CommandGroup(name: "Start", subcommands: [DemoCommand.self]),
            CommandGroup(
                name: "Server",
                subcommands: [ServeCommand.self, InviteCommand.self, JoinCommand.self]),
            CommandGroup(
                name: "Traffic",
                subcommands: [ForwardCommand.self, SendCommand.self, ReceiveCommand.self]),
            CommandGroup(
                name: "Learning",
                subcommands: [
                    SimulateCommand.self, WorldCommand.self, TrainCommand.self,
                    EvaluateCommand.self, TraceCommand.self, ModelCommand.self,
                    PoliciesCommand.self,
                ]),
            CommandGroup(
                name: "Network",
                subcommands: [
                    StatusCommand.self, ReloadCommand.self, ControlCommand.self, DoctorCommand.self,
                    EmulateCommand.self, ConfigCommand.self, TopicCommand.self,
                ]),
            CommandGroup(name: "Key", subcommands: [KeygenCommand.self, PubkeyCommand.self]),
        ]
    )
}
