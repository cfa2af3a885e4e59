import ArgumentParser
import PathReport
import PathTelemetry
import Pathwise

/// The process that a request is for, and how its answer is printed.
struct ControlOptions: ParsableArguments {
    @Option(
        name: [.customLong("process"), .customShort("p")],
        help: ArgumentHelp(
            "The process with this number, name or subcommand, if there are several.",
            valueName: "name"))
    var process: String?

    @Option(
        help: ArgumentHelp(
            "The state folder of the process (default: ~/.config/pathwise).", valueName: "dir"))
    var state: String?

    @OptionGroup var output: OutputOptions

    /// Sends a request to the process, and prints its answer.
    ///
    /// - Parameter words: of the request.
    /// - Throws: `CommandFailure` if no process can be asked, or it refuses.
    func send(_ words: [String]) throws {
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen()
        try StateOptions.check(state)
        guard words.allSatisfy(StatusRequest.isWord) else {
            throw CommandFailure("no word may be empty or have control characters", .usage)
        }
        let action = try ControlCatalogue.action(of: words)
        guard let folder = StatusFolder.path(state: state) else {
            throw CommandFailure(
                "neither XDG_RUNTIME_DIR nor HOME names a folder; set one, or give --state DIR",
                .configuration)
        }
        let target = try target(in: folder, for: action, words)
        guard let line = try target.ask(.change(words)) else {
            throw CommandFailure(
                "\(target.command) (process \(target.process)) has ended; start it again",
                .unavailable)
        }
        try show(line, target)
    }

    /// The process that is asked: the only one that takes the request, unless one is named.
    private func target(
        in folder: String, for action: ControlAction, _ words: [String]
    ) throws(CommandFailure) -> StatusProcess {
        let all = StatusFolder.processes(in: folder).filter { candidate in
            process.map { candidate.matches($0) } ?? true
        }
        let fitting = all.filter {
            (try? ControlCatalogue.action(of: words, for: $0.command)) != nil
        }
        guard let first = fitting.first else {
            guard let other = all.first else {
                let what = process.map { "no running pathwise process is '\($0)'" }
                throw CommandFailure(
                    "\(what ?? "no pathwise process of this user is running"); 'pathwise status' "
                        + "shows them (in \(folder))", .unavailable)
            }
            _ = try ControlCatalogue.action(of: words, for: other.command)
            return other
        }
        guard fitting.count == 1 else {
            let list = fitting.map { "\($0.command) \($0.name) \($0.process)" }
            throw CommandFailure(
                "\(fitting.count) processes take this: \(list.joined(separator: ", ")); name one "
                    + "with --process NUMBER", .usage)
        }
        return first
    }

    private func show(_ line: [UInt8], _ target: StatusProcess) throws {
        guard let answer = ControlReply(line) else {
            throw CommandFailure(
                "\(target.command) (process \(target.process)) does not take requests; it may be "
                    + "of an earlier version: restart it", .protocolError)
        }
        if output.json {
            try Console.standardOutput.write(String(decoding: line, as: UTF8.self))
        } else if answer.status == .success {
            try Console.standardOutput.write(OutputOptions.shown(answer.text) + "\n")
        }
        guard answer.status == .success else {
            throw CommandFailure(answer.text, answer.status)
        }
    }
}

struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have a running process read its file again.",
        discussion: """
            A running forward or serve reads its file as a whole. If anything is wrong in
            it, nothing changes, and the exit code is 78. Otherwise what is different takes
            effect, with nothing dropped: paths, forwards, allowed targets, limits, models
            and recording at once; another policy, --hold and --congestion for sessions that
            begin later. What needs a restart is named. What 'pathwise control' has changed
            is as in the file again.

            SIGHUP does the same. The log has one line about it.

            Examples:
              pathwise reload
              pathwise reload forward
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The process with this number, name or subcommand (default: the only one).",
            valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "The state folder of the process (default: ~/.config/pathwise).", valueName: "dir"))
    var state: String?

    @OptionGroup var output: OutputOptions

    func run() async throws {
        var options = ControlOptions()
        options.process = name
        options.state = state
        options.output = output
        try options.send(["reload"])
    }
}

struct ControlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "control",
        abstract: "Change a running process until its next reload.",
        discussion: """
            \(ControlText.requests)

            A change lasts until the process is restarted or reads its file again. It is
            made as a whole or not at all, and each one is in the log and in 'pathwise
            status'.

            Examples:
              pathwise control path limit lte 20mbit
              pathwise control forward add udp:9000=studio:10080
            """
    )

    @Argument(help: "The words of the request.")
    var request: [String] = []

    @OptionGroup var options: ControlOptions

    func run() async throws {
        guard !request.isEmpty else {
            throw CommandFailure("say what to change; 'pathwise control --help' lists it", .usage)
        }
        try options.send(request)
    }
}
