import ArgumentParser
import Glibc
import PathTelemetry
import Pathwise

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what running pathwise processes of this user do.",
        discussion: """
            For each running forward, serve and send: the session with each peer, and for
            each path its state, addresses, rates over the last two seconds, bytes, round
            trip, loss, price per gigabyte and use of its cap; then the forwards and
            transfers with their class, rates, bytes, open connections and share of late
            messages. Bytes and rates of paths have the headers of IP and UDP, as an
            operator counts them.

            Processes answer on a socket in $XDG_RUNTIME_DIR/pathwise, or in the folder run
            of the state folder, which only this user and root can open. With --json it
            prints an object with all processes (docs/formats.md), even if there are none. If
            no process runs, the exit code is 69.

            A path that is wanted and does not exist is shown too: it is 'down' (its
            interface is missing, down, or without carrier or address) or 'capped' (it was
            removed because its cap is used up), with the reason.

            Examples:
              pathwise status
              pathwise status --watch forward
              pathwise status --json 4711
            """
    )

    @Argument(
        help: ArgumentHelp(
            "Only the process with this number, name or subcommand.", valueName: "name"))
    var name: String?

    @Flag(help: "Redraw once a second until Ctrl-C; with --json print a line each second.")
    var watch = false

    @OptionGroup var output: OutputOptions

    @Option(
        help: ArgumentHelp(
            "The state folder of the processes (default: ~/.config/pathwise).", valueName: "dir"))
    var state: String?

    func run() async throws {
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen()
        try StateOptions.check(state)
        guard let folder = StatusFolder.path(state: state) else {
            throw CommandFailure(
                "neither XDG_RUNTIME_DIR nor HOME names a folder; set one, or give --state DIR",
                .configuration)
        }
        guard watch else {
            try Console.standardOutput.write(
                output.json ? try json(folder) : OutputOptions.shown(try text(folder)))
            return
        }
        Interruption.install()
        var display = ProgressDisplay(console: .standardOutput)
        while Interruption.signal == nil {
            if output.json {
                try Console.standardOutput.write(try json(folder))
            } else if display.isActive {
                let lines = OutputOptions.shown(try text(folder)).split(
                    separator: "\n", omittingEmptySubsequences: false)
                display.show(lines.dropLast().map(String.init))
            } else {
                try Console.standardOutput.write(OutputOptions.shown(try text(folder)) + "\n")
            }
            for _ in 0..<20 where Interruption.signal == nil {
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
        if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
    }

    private func text(_ folder: String) throws -> String {
        try answers(.text, folder).map { String(decoding: $0, as: UTF8.self) }
            .joined(separator: "\n")
    }

    /// One line with one object.
    private func json(_ folder: String) throws -> String {
        StatusCommand.document(try answers(.json, folder))
    }

    /// - Parameter answers: of the processes, each an object and the end of its line.
    private static func document(_ answers: [[UInt8]]) -> String {
        let objects = answers.map { String(decoding: $0.dropLast(), as: UTF8.self) }
        return "{\"processes\":[\(objects.joined(separator: ","))]}\n"
    }

    /// The answers of the processes asked for; at least one.
    private func answers(_ request: StatusRequest, _ folder: String) throws -> [[UInt8]] {
        let processes = StatusFolder.processes(in: folder).filter { process in
            name.map { process.matches($0) } ?? true
        }
        var problem: StatusError?
        var answers: [[UInt8]] = []
        for process in processes {
            do throws(StatusError) {
                if let answer = try process.ask(request) { answers.append(answer) }
            } catch {
                problem = error
            }
        }
        if let problem {
            guard !answers.isEmpty else { throw CommandFailure(problem) }
            try Console.standardError.write(CommandFailure(problem).line)
        }
        guard !answers.isEmpty else {
            if request == .json {
                try Console.standardOutput.write(StatusCommand.document([]))
            }
            let what = name.map { "no running pathwise process is '\($0)'" }
            throw CommandFailure(
                "\(what ?? "no pathwise process of this user is running"); start one with "
                    + "'pathwise forward', 'pathwise serve' or 'pathwise send' (in \(folder))",
                .unavailable)
        }
        return answers
    }
}
