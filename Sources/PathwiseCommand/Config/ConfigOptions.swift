import ArgumentParser
import Glibc

/// `--config`: the file that completes a command.
struct ConfigOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The configuration file, or none (default: in ~/.config/pathwise or /etc/pathwise).",
            valueName: "file"))
    var config: String?

    @Flag(help: "Print each setting with where it comes from, and end.")
    var printConfig = false

    /// The file of a command, without problems; nil if there is none.
    ///
    /// - Throws: `CommandFailure` with the first problem.
    func file(for command: String) throws(CommandFailure) -> ConfigFile? {
        if config == "none" { return nil }
        guard let path = config ?? ConfigPlace.find(command) else { return nil }
        let file = try ConfigFile.opened(path)
        guard file.problems.isEmpty else { throw ConfigFile.failure(file.problems, of: path) }
        let own = ["serve", "forward", "send"]
        let others = own.filter { $0 != command && file.sections.contains($0) }
        guard config == nil || others.isEmpty || file.sections.contains(command) else {
            throw CommandFailure(
                "\(path) has [\(others[0])] and no [\(command)]; name the file of '\(command)', or "
                    + "write that table", .configuration)
        }
        return file
    }
}

/// Where commands look for their files.
enum ConfigPlace {
    /// The folder of the system's files.
    static let system = "/etc/pathwise"

    /// The user's file if it exists, else the system's if that exists.
    static func find(_ command: String) -> String? {
        var folders = [system]
        if let folder = variable("XDG_CONFIG_HOME") ?? variable("HOME").map({ $0 + "/.config" }) {
            folders.insert(folder + "/pathwise", at: 0)
        }
        return folders.map { "\($0)/\(command).toml" }.first { access($0, F_OK) == 0 }
    }

    /// An environment variable with an absolute path; XDG says that others are ignored.
    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
}

extension ConfigFile {
    /// Reads a file whose problems are told afterwards.
    static func opened(_ path: String) throws(CommandFailure) -> ConfigFile {
        do throws(ConfigProblem) { return try ConfigFile(reading: path) } catch {
            throw CommandFailure("\(error)", .noInput)
        }
    }

    /// The failure of a command whose file has problems.
    static func failure(_ problems: [ConfigProblem], of path: String) -> CommandFailure {
        let first = problems.first?.description ?? path
        let rest = problems.count - 1
        return CommandFailure(
            rest > 0 ? "\(first); 'pathwise config check \(path)' shows \(rest) more" : first,
            .configuration)
    }
}

extension StateOptions {
    /// For root: makes this process the owner of the folder, if that is another user.
    ///
    /// A service of that user has to read what is written there, as it is for its owner alone.
    func actAsOwner() throws(CommandFailure) {
        guard geteuid() == 0, let state else { return }
        var folder = stat()
        guard stat(state, &folder) == 0, folder.st_uid != 0 else { return }
        var group = folder.st_gid
        guard setgroups(1, &group) == 0, setgid(group) == 0, setuid(folder.st_uid) == 0 else {
            throw CommandFailure(
                "cannot act as the owner of \(state): \(systemText(errno)); run this as that user",
                .noPermission)
        }
    }

    /// These options, with the folder that a command's file names if the command line names none.
    func completed(for command: String) throws -> StateOptions {
        guard state == nil, let path = ConfigPlace.find(command) else { return self }
        var options = self
        options.state = try ConfigFile.opened(path).values["state"]?.texts.first
        return options
    }
}
