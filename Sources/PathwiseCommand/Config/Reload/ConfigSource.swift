/// Where the settings of a process come from, to read them again while it runs.
struct ConfigSource<Command: Configurable & Sendable>: Sendable {
    /// As the command line has it.
    let line: Command
    /// The file that was read at the start; nil if there was none.
    let path: String?

    /// - Parameter line: a command as the command line has it.
    init(_ line: Command) {
        self.line = line
        path =
            line.config.config == "none"
            ? nil : line.config.config ?? ConfigPlace.find(Command.configName)
    }

    /// The command as the file completes it now.
    ///
    /// - Throws: `CommandFailure` with the first problem of the file, or if a file that was there at
    ///   the start is gone.
    func read() throws(CommandFailure) -> Command {
        if line.config.config == "none" { return line }
        var options = line.config
        options.config = path ?? options.config
        return Configured(line, file: try options.file(for: Command.configName)).command
    }

    /// What the user should know of a reload that reads nothing.
    var notes: [String] {
        path == nil ? ["it was started without a configuration file, so none was read"] : []
    }

    /// What is read, for messages.
    var name: String { path ?? "the command line" }
}
