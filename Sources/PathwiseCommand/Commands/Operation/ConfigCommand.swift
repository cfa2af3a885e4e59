import ArgumentParser
import PathReport

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check and show configuration files.",
        discussion: """
            'serve', 'forward' and 'send' read a TOML file: that of --config, else NAME.toml
            in $XDG_CONFIG_HOME/pathwise (~/.config/pathwise), else in /etc/pathwise.
            Options go before the file, and the file before the defaults.
            docs/configuration.md has all keys.

            Examples:
              pathwise config example forward > forward.toml
              pathwise config check forward.toml
              pathwise config show forward.toml
              pathwise forward --config forward.toml --print-config
            """,
        subcommands: [Check.self, Show.self, Example.self]
    )

    /// The commands that read files.
    static let names = ["serve", "forward", "send"]

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Say what is wrong in a configuration file.",
            discussion: """
                It prints a line for each problem, with the line of the file, the key, and what
                is allowed. It asks no name server and opens no socket. The exit code is 78 if
                something is wrong.

                Example:
                  pathwise config check /etc/pathwise/serve.toml
                """
        )

        @Argument(help: "The file.")
        var file: String

        @OptionGroup var output: OutputOptions

        func run() throws {
            let found = try ConfigFile.opened(file)
            try output.print {
                ConfigCommand.report(found)
            } json: {
                ConfigCommand.json(found)
            }
            guard !found.problems.isEmpty else { return }
            let count = found.problems.count
            throw CommandFailure(
                "\(file) has \(count) problem\(count == 1 ? "" : "s")", .configuration)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show each setting with where it comes from.",
            discussion: """
                With a file, for the commands whose tables it has; without, for all commands
                with the files that they find. 'pathwise forward ... --print-config' shows the
                same for a whole command line.

                Examples:
                  pathwise config show
                  pathwise config show van.toml --json
                """
        )

        @Argument(help: "The file (default: those that the commands find).")
        var file: String?

        @OptionGroup var output: OutputOptions

        func run() throws {
            let given = try file.map { try ConfigFile.opened($0) }
            var parts: [(name: String, file: String?, settings: [ConfigSetting])] = []
            for name in ConfigCommand.names {
                // A file without any such table is for all.
                if let given, !given.sections.isDisjoint(with: ConfigCommand.names),
                    !given.sections.contains(name)
                {
                    continue
                }
                let found = try given ?? ConfigPlace.find(name).map { try ConfigFile.opened($0) }
                if let found, !found.problems.isEmpty {
                    throw ConfigFile.failure(found.problems, of: found.path)
                }
                parts.append((name, found?.path, try ConfigCommand.settings(of: name, found)))
            }
            try output.print {
                parts.map { part in
                    (part.file.map { "\(part.name) reads \($0)\n\n" }
                        ?? "\(part.name) reads no file\n\n")
                        + ConfigText.settings(part.settings, of: part.name)
                }.joined(separator: "\n")
            } json: {
                [
                    "commands": .array(
                        parts.map { ConfigText.json($0.settings, of: $0.name, file: $0.file) })
                ]
            }
        }
    }

    struct Example: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "example",
            abstract: "Print an example of a file, with all keys as comments.",
            discussion: """
                Example:
                  pathwise config example serve > serve.toml
                """
        )

        @Argument(help: "The command: serve, forward or send.")
        var command: String

        func run() throws {
            guard ConfigCommand.names.contains(command) else {
                throw CommandFailure(
                    "no command '\(command)' reads a file; write one of "
                        + ConfigCommand.names.joined(separator: ", "), .usage)
            }
            try Console.standardOutput.write(
                ConfigText.example(command == "serve" ? [command] : [command, "path"]))
        }
    }

    private static func settings(
        of name: String, _ file: ConfigFile?
    ) throws -> [ConfigSetting] {
        switch name {
        case "serve": try ServeCommand.settings(of: file)
        case "forward": try ForwardCommand.settings(of: file)
        default: try SendCommand.settings(of: file)
        }
    }

    /// The report of `check`.
    private static func report(_ file: ConfigFile) -> String {
        guard file.problems.isEmpty else {
            return file.problems.map { "\($0)\n" }.joined()
        }
        let tables = ConfigSchema.sections.filter { file.sections.contains($0.name) }
            .map(\.header)
        let count = file.values.count
        return "\(file.path) is valid: \(count) key\(count == 1 ? "" : "s")"
            + (tables.isEmpty ? "" : " in \(tables.joined(separator: ", "))") + "\n"
    }

    private static func json(_ file: ConfigFile) -> JSONValue {
        [
            "file": .string(file.path), "valid": .bool(file.problems.isEmpty),
            "problems": .array(
                file.problems.map { problem in
                    [
                        "line": .optional(problem.line), "key": .string(problem.key),
                        "reason": .string(problem.reason),
                    ]
                }),
        ]
    }
}
