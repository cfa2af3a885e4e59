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
              client$ pathwise send FILE
              client$ pathwise forward udp:51820 tcp:8443=web:443 socks:1080

            Without a server that stays, with keys that are exchanged by hand:

              pathwise keygen alice.key            prints alice's public key
              pathwise keygen bob.key              prints bob's public key
              pathwise receive --listen 127.0.0.1:7000 --key bob.key --allow ALICES_PUBLIC_KEY
              pathwise send FILE --to 127.0.0.1:7000 --key alice.key --peer BOBS_PUBLIC_KEY

            Reports go to standard output (with --json as one object; serve, forward and receive print
            one per line),
            progress and errors to standard error. Exit codes follow sysexits(3); 130 after Ctrl-C.
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
                    StatusCommand.self, DoctorCommand.self, EmulateCommand.self, ConfigCommand.self,
                ]),
            CommandGroup(name: "Key", subcommands: [KeygenCommand.self, PubkeyCommand.self]),
        ]
    )
}
